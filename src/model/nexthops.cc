// SPDX-License-Identifier: Apache-2.0
#include "model/nexthops.h"

#include <algorithm>

namespace retour {

namespace {

/// NHA_GROUP_TYPE says NEXTHOP_GRP_TYPE_RES.
bool is_resilient(const NextHopObject& group) {
  constexpr std::uint16_t attribute_group_type = 3;
  return std::ranges::any_of(group.other, [](const RawAttribute& attribute) {
    return attribute.type == attribute_group_type && !attribute.data.empty() &&
           std::ranges::any_of(attribute.data, [](std::uint8_t byte) { return byte == 1; });
  });
}

}  // namespace

Nexthops::Nexthops(const Snapshot& snapshot) {
  for (const NextHopObject& object : snapshot.nexthops) {
    if (object.group.empty())
      objects_[object.id] = {{object.leg}, {object.id}, object.blackhole, false};
  }
  // A group's members are never groups.
  for (const NextHopObject& object : snapshot.nexthops) {
    if (object.group.empty()) continue;
    Resolved group;
    group.resilient = is_resilient(object);
    for (const auto& [member, weight] : object.group) {
      const auto it = objects_.find(member);
      if (it == objects_.end()) continue;
      for (NextHop leg : it->second.legs) {
        leg.weight = weight;
        group.legs.push_back(leg);
        group.ids.push_back(member);
      }
      group.blackhole = group.blackhole || it->second.blackhole;
    }
    objects_[object.id] = std::move(group);
  }
}

Nexthops::Legs Nexthops::of(const Route& route) const {
  if (route.nexthop_id == 0) return {route.next_hops, {}, false, false, false};
  const auto it = objects_.find(route.nexthop_id);
  if (it == objects_.end()) return {route.next_hops, {}, true, false, false};
  return {it->second.legs, it->second.ids, true, it->second.blackhole, it->second.resilient};
}

}  // namespace retour
