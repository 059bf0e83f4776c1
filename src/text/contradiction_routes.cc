// SPDX-License-Identifier: Apache-2.0
//
// Routes and nexthop objects that fib_create_info(), ip6_route_info_create() and nexthop_create()
// refuse.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "text/contradiction.h"
#include "text/printable.h"

namespace retour {
namespace {

bool rejects(RouteType type) { return type >= RouteType::blackhole && type <= RouteType::throw_; }

class RouteCheck {
 public:
  explicit RouteCheck(const Snapshot& snapshot) : now_(snapshot) {
    for (const NextHopObject& nexthop : now_.nexthops) objects_.insert(nexthop.id);
  }

  /// Why there is no such route; empty when there may be.
  [[nodiscard]] std::string flaw(const Route& route) const;
  [[nodiscard]] std::string flaw(const NextHop& leg, Family family) const;

 private:
  [[nodiscard]] std::string flaw_of_addresses(const Route& route) const;
  [[nodiscard]] std::string flaw_of_legs(const Route& route) const;

  const Snapshot& now_;
  std::unordered_set<std::uint32_t> objects_;
};

std::string RouteCheck::flaw(const NextHop& leg, Family family) const {
  if (leg.link.value == 0) return "has a leg without a link";
  if (now_.link(leg.link) == nullptr) {
    return fmt::format("goes by link {}, and there is no such link",
                       printable(now_.link_name(leg.link)));
  }
  if (leg.gateway && family == Family::v6 && leg.gateway->is_v4()) {
    return fmt::format("has the gateway {}, which is of another family", leg.gateway->str());
  }
  if (leg.weight == 0 || leg.weight > 256) {
    return fmt::format("has a leg of weight {}: weights are 1 to 256", leg.weight);
  }
  return {};
}

std::string RouteCheck::flaw_of_addresses(const Route& route) const {
  if (route.dst.network() != route.dst) {
    return fmt::format("has address bits beyond its length {}", route.dst.length);
  }
  if (route.prefsrc && route.prefsrc->family() != route.family()) {
    return fmt::format("has the source {}, which is of another family", route.prefsrc->str());
  }
  if (!route.src) return {};
  if (route.family() == Family::v4) return "has a source prefix, which only IPv6 has";
  if (route.src->family() != route.family()) {
    return fmt::format("has the source prefix {}, which is of another family", route.src->str());
  }
  if (route.src->network() != *route.src) {
    return fmt::format("has address bits beyond the length of its source prefix {}",
                       route.src->str());
  }
  return {};
}

std::string RouteCheck::flaw_of_legs(const Route& route) const {
  // No objects at all: nobody told, as when they were not pasted.
  if (route.nexthop_id != 0 && !objects_.empty() && !objects_.contains(route.nexthop_id)) {
    return fmt::format("goes by nexthop {}, and there is no such object", route.nexthop_id);
  }
  const bool bare = route.next_hops.empty() && route.nexthop_id == 0;
  if (bare && !rejects(route.type)) return "has no leg, and is none that rejects";
  if (rejects(route.type) && route.family() == Family::v4 && !route.next_hops.empty() &&
      route.nexthop_id == 0) {
    return "rejects, and has a leg";
  }
  for (const NextHop& leg : route.next_hops) {
    if (std::string why = flaw(leg, route.family()); !why.empty()) return why;
  }
  return {};
}

std::string RouteCheck::flaw(const Route& route) const {
  std::string why = flaw_of_addresses(route);
  return why.empty() ? flaw_of_legs(route) : why;
}

class NexthopCheck {
 public:
  explicit NexthopCheck(const Snapshot& snapshot) : now_(snapshot), routes_(snapshot) {
    for (const NextHopObject& nexthop : now_.nexthops) by_id_.emplace(nexthop.id, &nexthop);
  }

  [[nodiscard]] std::string flaw(const NextHopObject& nexthop) const;

 private:
  [[nodiscard]] std::string flaw_of_group(const NextHopObject& group) const;

  const Snapshot& now_;
  RouteCheck routes_;
  std::unordered_map<std::uint32_t, const NextHopObject*> by_id_;
};

std::string NexthopCheck::flaw_of_group(const NextHopObject& group) const {
  std::unordered_set<std::uint32_t> seen;
  for (const auto& [id, weight] : group.group) {
    const auto it = by_id_.find(id);
    if (it == by_id_.end())
      return fmt::format("has the member {}, and there is no such object", id);
    if (!it->second->group.empty()) return fmt::format("has the member {}, itself a group", id);
    if (!seen.insert(id).second) return fmt::format("has the member {} twice", id);
    if (weight == 0) return fmt::format("has the member {} with weight 0", id);
    if (it->second->blackhole && group.group.size() > 1) {
      return fmt::format("has the member {}, a blackhole, which must be the only one", id);
    }
  }
  return {};
}

std::string NexthopCheck::flaw(const NextHopObject& nexthop) const {
  const NextHop& leg = nexthop.leg;
  if (nexthop.id == 0) return "is no id";
  const bool has_leg = leg.link.value != 0 || leg.gateway;
  if (nexthop.blackhole && has_leg) return "is a blackhole, and has a leg";
  if (!nexthop.group.empty()) {
    return nexthop.blackhole || has_leg ? "is a group, and has a leg or is a blackhole"
                                        : flaw_of_group(nexthop);
  }
  if (nexthop.blackhole) return {};
  if (leg.gateway && leg.gateway->family() != nexthop.family) {
    return fmt::format("has the gateway {}, which is of another family", leg.gateway->str());
  }
  // What is for bridges (NHA_FDB) has a gateway only.
  if (leg.link.value == 0 && !nexthop.other.empty()) return {};
  return routes_.flaw(leg, nexthop.family);
}

}  // namespace

void check_routes(const Snapshot& snapshot, const Contradict& contradict) {
  const RouteCheck check(snapshot);
  for (std::size_t i = 0; i < snapshot.routes.size(); ++i) {
    const Route& route = snapshot.routes[i];
    const std::string why = check.flaw(route);
    if (why.empty()) continue;
    return contradict(Part::routes, i,
                      fmt::format("the route to {} {}",
                                  route.dst.length == 0 ? "default" : route.dst.str(), why));
  }
}

void check_nexthops(const Snapshot& snapshot, const Contradict& contradict) {
  const NexthopCheck check(snapshot);
  std::unordered_set<std::uint32_t> ids;
  for (std::size_t i = 0; i < snapshot.nexthops.size(); ++i) {
    const NextHopObject& nexthop = snapshot.nexthops[i];
    std::string why = check.flaw(nexthop);
    if (!ids.insert(nexthop.id).second) why = "is there twice";
    if (why.empty()) continue;
    return contradict(Part::nexthops, i, fmt::format("nexthop {} {}", nexthop.id, why));
  }
}

}  // namespace retour
