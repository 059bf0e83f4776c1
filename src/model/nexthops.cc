// SPDX-License-Identifier: Apache-2.0
#include "model/nexthops.h"

namespace retour {

Nexthops::Nexthops(const Snapshot& snapshot) {
  for (const NextHopObject& object : snapshot.nexthops) {
    if (object.group.empty()) objects_[object.id] = {{object.leg}, object.blackhole};
  }
  // A group's members are never groups.
  for (const NextHopObject& object : snapshot.nexthops) {
    if (object.group.empty()) continue;
    Resolved group;
    for (const auto& [member, weight] : object.group) {
      const auto it = objects_.find(member);
      if (it == objects_.end()) continue;
      for (NextHop leg : it->second.legs) {
        leg.weight = weight;
        group.legs.push_back(leg);
      }
      group.blackhole = group.blackhole || it->second.blackhole;
    }
    objects_[object.id] = std::move(group);
  }
}

Nexthops::Legs Nexthops::of(const Route& route) const {
  if (route.nexthop_id == 0) return {route.next_hops, false, false};
  const auto it = objects_.find(route.nexthop_id);
  if (it == objects_.end()) return {route.next_hops, true, false};
  return {it->second.legs, true, it->second.blackhole};
}

}  // namespace retour
