// SPDX-License-Identifier: Apache-2.0
#include "diagnose/subnets.h"

#include <algorithm>
#include <map>

#include "model/link_choice.h"
#include "model/scope6.h"

namespace retour {

namespace {

bool holds(const Segment& segment, IfIndex link) {
  return std::ranges::find(segment, link) != segment.end();
}

/// An address by which this host can be reached from elsewhere, and which lasts.
bool lasting(const Address& address) {
  return address.scope < scope_link && !address.temporary() && !address.dad_failed();
}

/// The link of an address that may be cared for; nullptr = none of ours.
const Link* door_of(const Snapshot& now, const Address& address) {
  const Link* link = now.link(address.link);
  const bool usable = link != nullptr && !link->loopback() && vrf_of(now, *link) == nullptr;
  return usable && lasting(address) ? link : nullptr;
}

/// The subnet of an address: a host address (of keepalived, say) is in that of another on its link.
Prefix subnet_of(const Snapshot& now, const Address& address) {
  const Prefix own = address.subnet();
  if (own.length < width(own.family()) || address.peer) return own;
  for (const Address& other : now.addresses) {
    const bool beside = other.link == address.link && !other.peer && lasting(other);
    if (beside && other.subnet().length < own.length && other.subnet().contains(own)) {
      return other.subnet();
    }
  }
  return own;
}

/// Whether a NIC of a longer prefix is on the wire of those that have the wider one: a bridge for
/// virtual machines or the other end of a tunnel has its own, whatever the numbers say.
bool on_their_wire(const Snapshot& now, SegmentsFrom from, const SharedSubnet& wide,
                   const SharedSubnet::Member& member) {
  const auto together = [&](const Segment& segment) {
    return holds(segment, member.link) && std::ranges::any_of(wide.members, [&](const auto& other) {
             return holds(segment, other.link);
           });
  };
  if (from == SegmentsFrom::snapshot && now.segments) {
    return std::ranges::any_of(*now.segments, together);
  }
  const Link* link = now.link(member.link);
  return !link->pointopoint() && std::ranges::any_of(wide.members, [&](const auto& other) {
    return now.link(other.link)->kind == link->kind;
  });
}

/// Subnets of equal or overlapping prefixes, each under its shortest.
std::vector<SharedSubnet> by_overlap(const Snapshot& now, SegmentsFrom from) {
  std::map<Prefix, SharedSubnet> by_prefix;
  for (const Address& address : now.addresses) {
    if (door_of(now, address) == nullptr) continue;
    const Prefix own = subnet_of(now, address);
    if (own.length == width(own.family()) && !address.peer) continue;
    SharedSubnet& subnet = by_prefix[own];
    subnet.prefix = own;
    const bool guest = own != address.subnet();
    subnet.members.push_back({address.link, address.local.address, own,
                              address.secondary() || guest, std::nullopt, false});
  }
  std::vector<SharedSubnet> groups;
  for (auto& [prefix, subnet] : by_prefix) {  // in order: what contains comes before its parts
    const Prefix& inner = prefix;
    const auto wide = std::ranges::find_if(
        groups, [&](const SharedSubnet& group) { return group.prefix.contains(inner); });
    if (wide != groups.end()) {
      const auto theirs = std::stable_partition(
          subnet.members.begin(), subnet.members.end(),
          [&](const auto& member) { return !on_their_wire(now, from, *wide, member); });
      wide->members.insert(wide->members.end(), theirs, subnet.members.end());
      subnet.members.erase(theirs, subnet.members.end());
    }
    if (!subnet.members.empty()) groups.push_back(std::move(subnet));
  }
  return groups;
}

Segment links_of(const SharedSubnet& subnet) {
  Segment links;
  for (const auto& member : subnet.members) {
    if (!holds(links, member.link)) links.push_back(member.link);
  }
  return links;
}

/// What the policy leaves out is on the wire all the same, and answers there.
void keep_chosen(const Snapshot& now, const LinkChoice& choice, SharedSubnet& subnet) {
  if (choice == LinkChoice{}) return;
  std::erase_if(subnet.members, [&](const SharedSubnet::Member& member) {
    return !chosen(choice, now, *now.link(member.link));
  });
}

SegmentsKnown known(const Snapshot& now, SegmentsFrom from) {
  return from != SegmentsFrom::snapshot ? SegmentsKnown::told
         : now.segments                 ? SegmentsKnown::measured
                                        : SegmentsKnown::assumed;
}

/// The way of one link to what is behind its gateway.
struct Door {
  IfIndex link{};
  Ip gateway{};
  bool onlink{};
};

class Doors {
 public:
  Doors(const Snapshot& now, const Policy& policy) : now_(now), policy_(policy) {}

  void tell(const FabricPrefix& fabric) {
    if (fabric.at == GatewayAt::main) {
      told_.push_back(fabric.prefix.network());
      return;
    }
    for (const Address& address : now_.addresses) {
      if (!usable(address.link) || !lasting(address)) continue;
      if (address.local.family() != fabric.prefix.family()) continue;
      if (const auto gateway = gateway_at(fabric, address)) {
        add(fabric.prefix.network(), {address.link, *gateway, false});
      }
    }
  }
  /// In the order of the kernel: of several routes of one link the first decides.
  void read(const Route& route) {
    if (route.table != table_main || route.type != RouteType::unicast || route.tos != 0 ||
        route.ours() || route.expired || route.src) {
      return;
    }
    for (const NextHop& leg : route.next_hops) {
      if (!leg.gateway || leg.gateway->family() != route.family() || !usable(leg.link)) continue;
      // A part of the NIC's own subnet that someone sends by a neighbour is no fabric.
      if (is_own_subnet(leg.link, route.dst)) continue;
      add(route.dst.network(), {leg.link, *leg.gateway, leg.onlink()});
    }
  }
  /// The router on a subnet's segment is there for each of its members.
  void spread(const SharedSubnet& subnet) {
    if (subnet.segments_known == SegmentsKnown::assumed) return;
    for (auto& [prefix, doors] : doors_) {
      if (prefix.family() != subnet.prefix.family()) continue;
      const std::vector<Door> known = doors;  // add() makes it longer
      for (const Door& door : known) {
        const auto wire = std::ranges::find_if(
            subnet.segments, [&](const Segment& segment) { return holds(segment, door.link); });
        if (wire == subnet.segments.end() || !member(subnet, door)) continue;
        for (const auto& other : subnet.members) {
          const Door its{other.link, door.gateway, door.onlink};
          if (holds(*wire, other.link) && reaches(other.subnet, door.gateway)) add(prefix, its);
        }
      }
    }
  }
  /// The fabric prefixes that main's routes were to tell the gateways of have these, too.
  void inherit() {
    for (const Prefix& prefix : told_) {
      for (const auto& [wider, doors] : std::map(doors_)) {
        if (!wider.contains(prefix) || wider == prefix) continue;
        for (const Door& door : doors) add(prefix, door);
      }
    }
  }

  [[nodiscard]] std::vector<SharedSubnet> shared() const {
    std::vector<SharedSubnet> groups;
    for (const auto& [prefix, doors] : doors_) {
      if (doors.size() < 2) continue;
      SharedSubnet group;
      group.prefix = prefix;
      for (const Address& address : now_.addresses) {
        const auto door = std::ranges::find(doors, address.link, &Door::link);
        if (door == doors.end() || !lasting(address)) continue;
        if (address.local.family() != prefix.family()) continue;
        if (!door->onlink && !reaches(address.subnet(), door->gateway)) continue;
        group.members.push_back({address.link, address.local.address, address.subnet(),
                                 address.secondary(), door->gateway, door->onlink});
      }
      if (links_of(group).size() >= 2) groups.push_back(std::move(group));
    }
    std::ranges::stable_sort(groups, [](const SharedSubnet& a, const SharedSubnet& b) {
      return a.prefix.family() != b.prefix.family() ? a.prefix.family() < b.prefix.family()
                                                    : a.prefix.length > b.prefix.length;
    });
    return groups;
  }

 private:
  [[nodiscard]] bool usable(IfIndex index) const {
    const Link* link = now_.link(index);
    return link != nullptr && !link->loopback() && vrf_of(now_, *link) == nullptr &&
           chosen(policy_.links, now_, *link);
  }
  [[nodiscard]] bool is_own_subnet(IfIndex link, const Prefix& prefix) const {
    return std::ranges::any_of(now_.addresses, [&](const Address& address) {
      return address.link == link && address.subnet().contains(prefix.network());
    });
  }
  /// A router that is known by its link-local address is beside every address of the link.
  static bool reaches(const Prefix& subnet, const Ip& gateway) {
    return subnet.contains(gateway) || is_link_local6(gateway);
  }
  static bool member(const SharedSubnet& subnet, const Door& door) {
    return std::ranges::any_of(subnet.members, [&](const SharedSubnet::Member& member) {
      return member.link == door.link && reaches(member.subnet, door.gateway);
    });
  }
  static std::optional<Ip> gateway_at(const FabricPrefix& fabric, const Address& address) {
    const Prefix subnet = address.subnet();
    const bool ends = subnet.length + 1 < width(subnet.family());
    Ip gateway;
    if (fabric.at == GatewayAt::address) {
      const auto it =
          std::ranges::find_if(fabric.gateways, [&](const Ip& ip) { return subnet.contains(ip); });
      if (it == fabric.gateways.end()) return std::nullopt;
      gateway = *it;
    } else if (fabric.at == GatewayAt::first) {
      gateway = Ip(subnet.family(), subnet.address.bits() + (ends ? 1U : 0U));
    } else {
      const bool broadcast = ends && subnet.family() == Family::v4;
      gateway = Ip(subnet.family(), subnet.last().bits() - (broadcast ? 1U : 0U));
    }
    return gateway == address.local.address ? std::nullopt : std::optional(gateway);
  }
  void add(const Prefix& prefix, const Door& door) {
    auto& doors = doors_[prefix];
    if (std::ranges::find(doors, door.link, &Door::link) == doors.end()) doors.push_back(door);
  }

  const Snapshot& now_;
  const Policy& policy_;
  std::map<Prefix, std::vector<Door>> doors_;
  std::vector<Prefix> told_;
};

/// The wires of links that are not on one subnet: those of the subnets that they share, else each
/// its own, unless it was measured or told.
std::vector<Segment> wires_of(const Segment& links, const Snapshot& now, SegmentsFrom from,
                              const std::vector<SharedSubnet>& shared) {
  if (known(now, from) == SegmentsKnown::measured) return segments_of(links, now, from);
  std::vector<Segment> wires;
  for (const IfIndex link : links) {
    if (std::ranges::any_of(wires, [&](const Segment& wire) { return holds(wire, link); })) {
      continue;
    }
    Segment wire{link};
    for (const SharedSubnet& subnet : shared) {
      const auto it = std::ranges::find_if(
          subnet.segments, [&](const Segment& segment) { return holds(segment, link); });
      if (it == subnet.segments.end()) continue;
      wire = *it;
      break;
    }
    wires.push_back(std::move(wire));
  }
  return wires;
}

void add_lone(const Segment& links, std::vector<Segment>& segments) {
  for (const IfIndex link : links) {
    const auto has_it = [link](const Segment& segment) { return holds(segment, link); };
    if (std::ranges::none_of(segments, has_it)) segments.push_back({link});
  }
}

}  // namespace

bool SharedSubnet::joins(const Ip& local, const Ip& peer) const {
  return prefix.contains(peer) && std::ranges::any_of(members, [&](const Member& member) {
           return member.address == local && member.subnet.contains(peer) != routed();
         });
}

const Link* vrf_of(const Snapshot& now, const Link& link) {
  const Link* master = now.link(link.master);
  return master != nullptr && master->kind == "vrf" ? master : nullptr;
}

std::vector<Segment> segments_of(const Segment& links, const Snapshot& now, SegmentsFrom from) {
  std::vector<Segment> segments;
  if (from == SegmentsFrom::rails) {
    for (const IfIndex link : links) segments.push_back({link});
  } else if (from == SegmentsFrom::snapshot && now.segments) {
    std::ranges::copy_if(*now.segments, std::back_inserter(segments), [&](const Segment& measured) {
      return std::ranges::any_of(links, [&](IfIndex link) { return holds(measured, link); });
    });
  } else {
    segments.push_back(links);
  }
  return segments;
}

std::vector<SharedSubnet> shared_subnets(const Snapshot& now, const Policy& policy) {
  std::vector<SharedSubnet> shared;
  for (SharedSubnet& subnet : by_overlap(now, policy.segments)) {
    const Segment links = links_of(subnet);
    if (links.size() < 2) continue;
    subnet.segments_known = known(now, policy.segments);
    subnet.segments = segments_of(links, now, policy.segments);
    add_lone(links, subnet.segments);  // one that nobody could measure stands alone
    keep_chosen(now, policy.links, subnet);
    if (!subnet.members.empty()) shared.push_back(std::move(subnet));
  }
  return shared;
}

std::vector<SharedSubnet> routed_prefixes(const Snapshot& now, const Policy& policy,
                                          const std::vector<SharedSubnet>& shared) {
  Doors doors(now, policy);
  for (const FabricPrefix& fabric : policy.fabrics) doors.tell(fabric);
  for (const Route& route : now.routes) doors.read(route);
  for (const SharedSubnet& subnet : shared) doors.spread(subnet);
  doors.inherit();
  std::vector<SharedSubnet> routed = doors.shared();
  for (SharedSubnet& group : routed) {
    const Segment links = links_of(group);
    group.segments_known = known(now, policy.segments);
    group.segments = wires_of(links, now, policy.segments, shared);
    add_lone(links, group.segments);
  }
  return routed;
}

}  // namespace retour
