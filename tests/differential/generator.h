// SPDX-License-Identifier: Apache-2.0
//
// Random hosts, as scripts: the same seed, the same host. What is made hangs together often enough
// for the kernel to take most of it, and seldom enough to be strange.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "differential/random.h"
#include "differential/script.h"

namespace retour::differential {

[[nodiscard]] Script generate_host(std::uint64_t seed, Family family);
/// A host for the ARP test: the NICs are n0, n1, …, the far end of nN is mN.
[[nodiscard]] Script generate_arp_host(std::uint64_t seed);

/// What the parts of the generator know of the host so far.
class Generator {
 public:
  Generator(Random& random, Family family) : random_(random), family_(family) {}
  [[nodiscard]] Script make();
  [[nodiscard]] Script make_arp();

 private:
  struct Nic {
    std::string name;
    std::string peer;
    std::vector<Prefix> subnets;  ///< own address with the length of its subnet
  };

  void ip(std::string line);
  void sysctl(const std::string& path, const std::string& value);
  [[nodiscard]] bool v4() const { return family_ == Family::v4; }
  [[nodiscard]] bool chance(unsigned percent) { return random_.chance(percent); }

  // generator.cc
  void links();
  void addresses();
  void address(const std::string& device);
  void multicast_groups();
  void neighbors();
  void events();
  [[nodiscard]] bool remembers_sources() const;
  [[nodiscard]] bool remembers_addresses() const;
  [[nodiscard]] const std::string& nic();
  [[nodiscard]] const std::string& device();  ///< a NIC, or now and then lo
  [[nodiscard]] Ip own_address();
  /// Somebody on a subnet of `device`, mostly; where there is none, anybody.
  [[nodiscard]] Ip neighbor_on(const std::string& device);
  [[nodiscard]] Prefix some_prefix();  ///< of the pool, or a subnet of the host

  // generate_routes.cc
  void nexthops();
  void routes();
  void route();
  [[nodiscard]] std::string unicast_way();
  [[nodiscard]] std::string multipath();
  [[nodiscard]] std::string table();

  // generate_routes6.cc
  /// What was made for one prefix and metric of one table.
  struct Siblings {
    std::string prefix;      ///< and the `from` behind it
    std::string attributes;  ///< the same for all gateways
    bool gateway{};          ///< some route has one
    bool interrupted{};      ///< behind it came one that has none
  };
  void route6();
  [[nodiscard]] Siblings& siblings6(const std::string& prefix, const std::string& table,
                                    int metric);
  [[nodiscard]] std::string from6();
  [[nodiscard]] std::string attributes6();
  [[nodiscard]] std::string gateway6();
  [[nodiscard]] std::string direct6();
  [[nodiscard]] Ip gateway_on(const std::string& device);
  void lose_sight6();
  void share_object6();
  [[nodiscard]] std::string tried_out6(const std::string& device);
  void address_labels();

  // generate_rules.cc
  void rules();
  void rule();
  void move_default_rules();
  [[nodiscard]] std::string selectors(bool& raw);
  [[nodiscard]] std::string raw_selector();
  [[nodiscard]] std::string plain_selector();
  [[nodiscard]] std::string action(std::uint32_t priority, bool raw);

  // generate_sysctls.cc
  void early_sysctls();
  void sysctls();
  void sysctls_v4();
  void sysctls_v6();
  void conf(const std::string& name, const std::string& value);

  // generate_arp.cc
  void gates();

  Random& random_;
  Family family_;
  Script script_;
  std::vector<Nic> nics_;
  std::vector<Prefix> own_;  ///< every address, also of lo
  std::vector<std::string> added_routes_, added_rules_, added_addresses_;
  std::vector<unsigned> nexthop_ids_;
  std::map<std::string, Siblings> siblings_;
};

}  // namespace retour::differential
