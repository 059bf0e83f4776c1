// SPDX-License-Identifier: Apache-2.0
//
// Whether one host is like another as far as decisions go: what a clone has to have, and what is
// said of one that has not.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "model/snapshot.h"

namespace retour {

/// Routes among which the kernel takes the first that will do; their order is part of the host.
using RouteGroup = std::tuple<TableId, Prefix, std::optional<Prefix>, std::uint8_t, std::uint32_t>;
[[nodiscard]] RouteGroup group_of(const Route& route);
/// By index in `host.routes`, in the order of the host. Without those that expired.
[[nodiscard]] std::map<RouteGroup, std::vector<std::size_t>> route_groups(const Snapshot& host);

/// One entry of a table is the other, in all that whoever adds it can say: what the kernel finds
/// out by itself (dead, linkdown, offload) is not compared, nor is `onlink`.
[[nodiscard]] bool same_entry(const Route& a, const Route& b);

// An object as a sentence names it; links by their name in `host`.
[[nodiscard]] std::string words_for(const Route& route, const Snapshot& host);
[[nodiscard]] std::string words_for(const Rule& rule, const Snapshot& host);
[[nodiscard]] std::string words_for(const Address& address, const Snapshot& host);
[[nodiscard]] std::string words_for(const NextHopObject& object, const Snapshot& host);

/// A sentence each, names as the kernel has them.
struct Unlike {
  std::vector<std::string> missing;  ///< there, or not as it is to be
  std::vector<std::string> surplus;  ///< there and not wanted
  [[nodiscard]] bool empty() const { return missing.empty() && surplus.empty(); }
};

/// What `there` would need to be `wanted`: links by index (up, carrier, ARP, MTU, group, sysctls
/// that `wanted` knows), addresses in their order, routes with their state and order, rules,
/// nexthop objects, hidden bits that both know. Links that `wanted` has not are not looked at.
[[nodiscard]] Unlike unlike(const Snapshot& wanted, const Snapshot& there);

}  // namespace retour
