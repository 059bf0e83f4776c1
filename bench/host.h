// SPDX-License-Identifier: Apache-2.0
//
// A host with many NICs in one subnet, in a network namespace of its own, built with `ip -batch`:
// what is measured did not build what it is measured on.
#pragma once

#include <string>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "base/result.h"
#include "plan/change.h"

namespace retour::bench {

struct Nic {
  std::string name;
  IfIndex index{};
  Ip address{};
  TableId table{};           ///< of its cure
  std::uint32_t priority{};  ///< of its cure's rule
};

inline constexpr Prefix fabric{Ip::v4(0x1d1cc000), 20};        ///< 29.28.192.0/20
inline constexpr Ip fabric_peer = Ip::v4(0x1d1ccc50);          ///< 29.28.204.80
inline constexpr Ip fabric_gateway = Ip::v4(0x1d1ccfffU - 1);  ///< 29.28.207.254

class BenchHost {
 public:
  /// `nics` fast NICs and a management NIC with the default route. IPv6 is off: duplicate address
  /// detection would change the host while it is read. REQUIRES: nics ≤ 1000.
  [[nodiscard]] static Result<BenchHost> build(unsigned nics);
  BenchHost(BenchHost&& other) noexcept;
  BenchHost& operator=(BenchHost&&) = delete;
  ~BenchHost();  ///< removes the namespaces

  [[nodiscard]] const std::string& netns() const { return netns_; }
  [[nodiscard]] const std::vector<Nic>& nics() const { return nics_; }

  /// One rule and two routes for each NIC, routes first.
  [[nodiscard]] std::vector<Change> cure() const;

 private:
  explicit BenchHost(unsigned nics);
  std::string netns_;
  std::string far_;  ///< holds the other ends
  std::vector<Nic> nics_;
};

/// The changes as lines for `ip -batch`. REQUIRES: IPv4, no sysctls.
[[nodiscard]] std::string batch_text(const std::vector<Change>& changes,
                                     const std::vector<Nic>& nics);

/// In reverse order, each inverted.
[[nodiscard]] std::vector<Change> inverses(const std::vector<Change>& changes);

}  // namespace retour::bench
