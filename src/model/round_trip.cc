// SPDX-License-Identifier: Apache-2.0
#include "model/round_trip.h"

#include <algorithm>
#include <array>

#include "model/fib.h"

namespace retour {

namespace {

constexpr std::uint8_t proto_icmp = 1;

Cause cause_of(const Lookup& lookup) {
  switch (lookup.verdict) {
    case Verdict::rp_filter:
      return Cause::rp_filter;
    case Verdict::martian:
      return Cause::martian;
    default:
      return Cause::no_route;
  }
}

bool carries(const Snapshot& snapshot, IfIndex index) {
  const Link* link = snapshot.link(index);
  return link != nullptr && link->up() && link->carrier();
}

/// A port hands what it receives to its master; a VRF member keeps it.
bool enslaved(const Snapshot& snapshot, IfIndex index) {
  const Link* link = snapshot.link(index);
  if (link == nullptr || link->master.value == 0) return false;
  const Link* master = snapshot.link(link->master);
  return master == nullptr || master->kind != "vrf";
}

/// Why a link is deaf to ARP whatever the gates say.
Cause deaf(const Snapshot& snapshot, IfIndex index) {
  if (!carries(snapshot, index)) return Cause::link_down;
  if (enslaved(snapshot, index)) return Cause::enslaved;
  return snapshot.link(index)->noarp() ? Cause::noarp : Cause::none;
}

/// inet_confirm_addr() of arp_ignore(): does the mode tell `link` to ignore a request for `target`?
bool ignores(const Fib& fib, IfIndex link, const Ip& sender, const Ip& target) {
  const auto& addresses = fib.snapshot().addresses;
  switch (fib.conf(link, Conf::arp_ignore).value) {
    case 1:
      return !fib.owns(target, link);
    case 2:
      return !fib.owns(target, link) ||
             std::ranges::none_of(addresses, [&](const Address& address) {
               return address.link == link && address.subnet().contains(target) &&
                      address.subnet().contains(sender);
             });
    case 3:
      return std::ranges::none_of(addresses, [&](const Address& address) {
        return address.local.address == target && address.scope <= scope_link;
      });
    case 8:
      return true;
    default:
      return false;
  }
}

Flow reply_flow(const Ip& local, const Ip& peer, std::uint8_t ip_proto) {
  Flow flow;
  flow.src = local;
  flow.dst = peer;
  flow.ip_proto = ip_proto;
  return flow;
}

Flow arp_flow(const Ip& sender, const Ip& target, IfIndex link) {
  Flow flow;
  flow.src = sender;
  flow.dst = target;
  flow.iif = link;
  return flow;
}

/// arp_process() for a request on `link`.
ArpReception hear_arp(const Fib& fib, IfIndex link, const Ip& sender, const Ip& target,
                      Fib4::Heard& heard, const Lookup& filter_route) {
  ArpReception reception;
  reception.link = link;
  reception.silent_because = deaf(fib.snapshot(), link);
  if (reception.silent_because != Cause::none) return reception;
  const Lookup route = fib.v4().input(arp_flow(sender, target, link), true, heard);
  if (route.verdict != Verdict::local) {
    reception.silent_because = cause_of(route);
    return reception;
  }
  if (ignores(fib, link, sender, target)) {
    reception.silent_because = Cause::arp_ignore;
    return reception;
  }
  if (fib.conf(link, Conf::arp_filter).value != 0) {
    if (!filter_route.ok() || filter_route.link != link) {
      reception.silent_because = Cause::arp_filter;
      return reception;
    }
  }
  reception.answers = true;
  return reception;
}

/// Who asks for our address on the wire: the peer itself, or the gateway towards it where it lies
/// beyond the subnet; nobody that a snapshot could name otherwise.
std::optional<Ip> asker(const Snapshot& snapshot, const Ip& local, IfIndex link, const Ip& peer) {
  const auto on_link = [&](const Ip& ip) {
    return std::ranges::any_of(snapshot.addresses, [&](const Address& address) {
      return address.link == link && address.local.address == local &&
             address.subnet().contains(ip);
    });
  };
  if (on_link(peer)) return peer;
  for (const Route& route : snapshot.routes) {
    if (!route.dst.contains(peer)) continue;
    for (const NextHop& leg : route.next_hops) {
      if (leg.link == link && leg.gateway && leg.gateway->is_v4() && on_link(*leg.gateway)) {
        return leg.gateway;
      }
    }
  }
  return std::nullopt;
}

void ask_arp(RoundTrip& trip, const Fib& fib, const Ip& sender, const Segment& segment) {
  Fib4::Heard heard;
  // arp_filter() routes from the asked address to the asker, without protocol or mark.
  const Lookup filter_route = fib.output(reply_flow(trip.local, sender, 0));
  const auto hear = [&](IfIndex link) {
    trip.arp.push_back(hear_arp(fib, link, sender, trip.local, heard, filter_route));
    if (trip.arp.back().answers) trip.arp_answered_by.push_back(link);
  };
  hear(trip.link);
  trip.arp_lookup = trip.arp.front().silent_because == Cause::arp_filter
                        ? filter_route
                        : fib.v4().input(arp_flow(sender, trip.local, trip.link), true);
  for (const IfIndex other : segment) {
    if (other != trip.link) hear(other);
  }
}

/// The segment that `link` is on; an empty one when it is on none of them.
const Segment& segment_of(IfIndex link, const std::vector<Segment>& segments) {
  static const Segment none;
  const auto it = std::ranges::find_if(segments, [&](const Segment& segment) {
    return std::ranges::find(segment, link) != segment.end();
  });
  return it != segments.end() ? *it : none;
}

/// Known to be on another wire than `segment`: by what was told, else by what was measured.
bool elsewhere(const Snapshot& snapshot, IfIndex link, const Segment& segment,
               const std::vector<Segment>& segments) {
  const Segment& told = segment_of(link, segments);
  if (!told.empty()) return &told != &segment;
  return snapshot.segments && !segment_of(link, *snapshot.segments).empty();
}

void lose(RoundTrip& trip, Cause cause) {
  trip.verdict = DoorVerdict::lost;
  trip.cause = cause;
}

}  // namespace

std::string_view name(DoorVerdict verdict) {
  static constexpr std::array<std::string_view, 3> names{"same-door", "wrong-door", "lost"};
  static_assert(names.size() == static_cast<std::size_t>(DoorVerdict::lost) + 1);
  return names[static_cast<std::size_t>(verdict)];
}

std::string_view name(Cause cause) {
  static constexpr std::array<std::string_view, 12> names{
      "none",          "flux",     "wrong-route", "rp_filter", "arp_filter", "arp_ignore",
      "wrong-segment", "enslaved", "noarp",       "no-route",  "link-down",  "martian"};
  static_assert(names.size() == static_cast<std::size_t>(Cause::martian) + 1);
  return names[static_cast<std::size_t>(cause)];
}

std::vector<IfIndex> arp_answerers(const Fib& fib, const Ip& sender, const Ip& target,
                                   const Segment& links) {
  Fib4::Heard heard;
  const Lookup filter_route = fib.output(reply_flow(target, sender, 0));
  std::vector<IfIndex> answering;
  for (const IfIndex link : links) {
    if (hear_arp(fib, link, sender, target, heard, filter_route).answers) answering.push_back(link);
  }
  return answering;
}

RoundTrip round_trip(const Snapshot& snapshot, const Fib& fib, const Ip& local, IfIndex link,
                     const Ip& peer, const std::vector<Segment>& segments) {
  const Segment& segment = segment_of(link, segments);
  RoundTrip trip;
  trip.local = local;
  trip.link = link;
  trip.peer = peer;
  trip.reply = fib.output(reply_flow(local, peer, proto_icmp));
  const auto request_on = [&](IfIndex arrival) {
    Flow flow;
    flow.src = peer;
    flow.dst = local;
    flow.iif = arrival;
    flow.ip_proto = proto_icmp;
    return fib.input(flow);
  };
  trip.request = request_on(link);
  if (const Cause cause = deaf(snapshot, link); cause != Cause::none) {
    lose(trip, cause);
    return trip;
  }
  if (const auto sender = asker(snapshot, local, link, peer)) {
    ask_arp(trip, fib, *sender, segment);
    if (trip.arp_answered_by.empty()) {
      lose(trip, trip.arp.front().silent_because);
      return trip;
    }
    if (trip.arp_answered_by.size() == 1) trip.arrives_on = trip.arp_answered_by.front();
  } else {
    trip.arrives_on = link;
  }
  if (trip.arrives_on && *trip.arrives_on != link) trip.request = request_on(*trip.arrives_on);
  const bool race = !trip.arrives_on;
  const bool delivered =
      race ? std::ranges::any_of(trip.arp_answered_by,
                                 [&](IfIndex l) { return request_on(l).verdict == Verdict::local; })
           : trip.request.verdict == Verdict::local;
  if (!delivered) {
    lose(trip, cause_of(trip.request));
    return trip;
  }
  if (trip.reply.verdict != Verdict::unicast) {
    lose(trip, Cause::no_route);
    return trip;
  }
  if (trip.reply.one_link()) trip.leaves_on = trip.reply.link;
  if (!carries(snapshot, trip.reply.link)) {
    lose(trip, Cause::link_down);
    return trip;
  }
  if (!trip.reply.gateway && elsewhere(snapshot, trip.reply.link, segment, segments)) {
    lose(trip, Cause::wrong_segment);
    return trip;
  }
  if (trip.arrives_on == link && trip.leaves_on == link) {
    trip.verdict = DoorVerdict::same_door;
    trip.cause = Cause::none;
  } else {
    trip.verdict = DoorVerdict::wrong_door;
    trip.cause = trip.arrives_on == link ? Cause::wrong_route : Cause::flux;
  }
  return trip;
}

}  // namespace retour
