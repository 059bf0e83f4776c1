// SPDX-License-Identifier: Apache-2.0
//
// Hosts for the ARP test: the far end of each pair is the wire, not a NIC; gates and rules are
// many, routes few.
#include <fmt/format.h>

#include "differential/generator.h"

namespace retour::differential {

Script generate_arp_host(std::uint64_t seed) {
  Random random(seed);
  return Generator(random, Family::v4).make_arp();
}

void Generator::gates() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> choices{
      {"arp_ignore", {"0", "1", "2", "3", "4", "8"}},
      {"arp_filter", {"0", "1"}},
      {"rp_filter", {"0", "1", "2"}},
      {"accept_local", {"0", "1"}},
      {"route_localnet", {"0", "1"}},
      {"proxy_arp", {"0", "1"}},
      {"proxy_arp_pvlan", {"0", "1"}},
      {"drop_gratuitous_arp", {"0", "1"}},
      {"forwarding", {"0", "1"}},
      {"src_valid_mark", {"0", "1"}},
      {"medium_id", {"0", "-1", "1", "2"}},
  };
  for (const Nic& nic : nics_) {
    // A proxied answer is sent at once, not after a random delay.
    sysctl(fmt::format("net/ipv4/neigh/{}/proxy_delay", nic.name), "0");
  }
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const auto& [name, values] = choices[i];
    const unsigned often = i < 3 ? 55 : 12;
    if (name != "medium_id" && chance(often)) {
      sysctl("net/ipv4/conf/all/" + name, random_.of(values));
    }
    for (const Nic& nic : nics_) {
      if (chance(often / 2)) {
        sysctl(fmt::format("net/ipv4/conf/{}/{}", nic.name, name), random_.of(values));
      }
    }
  }
}

Script Generator::make_arp() {
  early_sysctls();
  script_.push_back({LineKind::ip, "link set lo up"});
  const auto pairs = random_.within(1, 5);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const std::string near = fmt::format("n{}", i);
    const std::string far = fmt::format("m{}", i);
    script_.push_back({LineKind::ip, fmt::format("link add {} type veth peer name {}", near, far)});
    script_.push_back({LineKind::ip, fmt::format("link set {} arp off", far)});
    nics_.push_back({near, far, {}});
    if (chance(3)) script_.push_back({LineKind::ip, fmt::format("link set {} arp off", near)});
  }
  if (chance(6)) {
    script_.push_back({LineKind::ip, "link add br0 type bridge"});
    script_.push_back({LineKind::ip, fmt::format("link set {} master br0", nic())});
  }
  gates();
  addresses();
  if (chance(60)) {
    for (auto more = random_.within(1, 6); more > 0; --more) route();
  }
  if (chance(60)) rules();
  if (chance(20)) {
    ip(fmt::format("neigh add proxy {} dev {}", neighbor_on(nic()).str(), nic()));
  }
  return std::move(script_);
}

}  // namespace retour::differential
