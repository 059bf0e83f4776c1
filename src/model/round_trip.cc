// SPDX-License-Identifier: Apache-2.0
#include "model/round_trip.h"

#include <algorithm>
#include <array>

#include "model/fib.h"
#include "model/ndisc.h"
#include "model/scope6.h"

namespace retour {

namespace {

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

/// Who asks for our address on the wire: the peer itself, or where it lies beyond the subnet the
/// gateway towards it, by the owner's link or by another on the same wire; nobody that a snapshot
/// could name otherwise.
std::optional<Ip> asker(const Snapshot& snapshot, const Ip& local, IfIndex link, const Ip& peer,
                        const Segment& segment) {
  const auto on_link = [&](const Ip& ip) {
    return std::ranges::any_of(snapshot.addresses, [&](const Address& address) {
      return address.link == link && address.local.address == local &&
             address.subnet().contains(ip);
    });
  };
  if (on_link(peer) || is_link_local6(peer)) return peer;
  std::optional<Ip> beside;
  for (const Route& route : snapshot.routes) {
    if (!route.dst.contains(peer)) continue;
    for (const NextHop& leg : route.next_hops) {
      if (!leg.gateway || leg.gateway->family() != local.family()) continue;
      if (leg.link == link) return leg.gateway;
      const bool same_wire = std::ranges::find(segment, leg.link) != segment.end();
      const bool known = on_link(*leg.gateway) || is_link_local6(*leg.gateway);
      if (same_wire && known && !beside) beside = leg.gateway;
    }
  }
  return beside;
}

void ask_arp(RoundTrip& trip, const Fib& fib, const Ip& sender,
             const std::vector<IfIndex>& hearers) {
  trip.arp = hear_arp(fib, {sender, trip.local}, hearers);
  // arp_filter() routes from the asked address to the asker, without protocol or mark.
  trip.arp_lookup = trip.arp.front().silent_because == Cause::arp_filter
                        ? fib.output(reply_flow(trip.local, sender, 0))
                        : fib.v4().input(arp_flow(sender, trip.local, trip.link), true);
}

void ask_ndp(RoundTrip& trip, const Fib& fib, const Ip& sender,
             const std::vector<IfIndex>& hearers) {
  for (const NdiscReception& heard : hear_solicitation(fib, {sender, trip.local}, hearers)) {
    trip.arp.push_back({heard.link, heard.answers, true, heard.proxy, heard.silent_because});
  }
  Flow solicitation = arp_flow(sender, solicited_node(trip.local), trip.link);
  solicitation.ip_proto = proto_icmp6;
  trip.arp_lookup = fib.input(solicitation);
}

/// Who on the wire answers for the address, the owner asked first.
void ask_wire(RoundTrip& trip, const Fib& fib, const Ip& sender, const Segment& segment) {
  std::vector<IfIndex> hearers{trip.link};
  std::ranges::copy_if(segment, std::back_inserter(hearers),
                       [&](IfIndex other) { return other != trip.link; });
  if (trip.local.is_v4()) {
    ask_arp(trip, fib, sender, hearers);
  } else {
    ask_ndp(trip, fib, sender, hearers);
  }
  for (const ArpReception& heard : trip.arp) {
    if (heard.answers) trip.arp_answered_by.push_back(heard.link);
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

/// Known to be on another wire than `owner`: by what was told, else by what was measured of both.
bool elsewhere(const Snapshot& snapshot, IfIndex link, IfIndex owner,
               const std::vector<Segment>& segments) {
  const Segment& told = segment_of(link, segments);
  if (!told.empty()) return &told != &segment_of(owner, segments);
  if (!snapshot.segments) return false;
  const Segment& measured = segment_of(link, *snapshot.segments);
  const Segment& own = segment_of(owner, *snapshot.segments);
  return !measured.empty() && !own.empty() && &measured != &own;
}

/// Alive, to one other end, and without ARP: WireGuard, tun, ipip.
bool tunnel(const Snapshot& snapshot, IfIndex index) {
  const Link* link = snapshot.link(index);
  return link != nullptr && link->pointopoint() && deaf(snapshot, index) == Cause::noarp;
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

RoundTrip round_trip(const Snapshot& snapshot, const Fib& fib, const Ip& local, IfIndex link,
                     const Ip& peer, const std::vector<Segment>& segments) {
  const Segment& segment = segment_of(link, segments);
  RoundTrip trip;
  trip.local = local;
  trip.link = link;
  trip.peer = peer;
  // An IPv6 echo reply is bound to the link that the request came by; what others send is not.
  const std::uint8_t proto = local.is_v4() ? proto_icmp : proto_tcp;
  Flow reply = reply_flow(local, peer, proto);
  if (is_link_local6(peer)) reply.oif = link;
  trip.reply = fib.output(reply);
  const auto request_on = [&](IfIndex arrival) {
    Flow flow;
    flow.src = peer;
    flow.dst = local;
    flow.iif = arrival;
    flow.ip_proto = proto;
    return fib.input(flow);
  };
  trip.request = request_on(link);
  // Through a tunnel nobody asks for a neighbour, so nobody has to answer (arp_constructor()).
  const bool unasked = tunnel(snapshot, link);
  if (const Cause cause = deaf(snapshot, link); cause != Cause::none && !unasked) {
    lose(trip, cause);
    return trip;
  }
  const auto sender = unasked ? std::nullopt : asker(snapshot, local, link, peer, segment);
  if (sender) {
    ask_wire(trip, fib, *sender, segment);
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
  // What an anycast route holds is sent as to any other host.
  if (trip.reply.verdict != Verdict::unicast && trip.reply.verdict != Verdict::anycast) {
    lose(trip, Cause::no_route);
    return trip;
  }
  // fib6_is_reject(): a unicast route by `lo` says that it takes the packet, and drops it.
  if (!local.is_v4() && trip.reply.link == loopback_index) {
    lose(trip, Cause::no_route);
    return trip;
  }
  if (trip.reply.one_link() && trip.reply.or_errnum == 0) trip.leaves_on = trip.reply.link;
  if (deaf(snapshot, trip.reply.link) == Cause::link_down) {
    lose(trip, Cause::link_down);
    return trip;
  }
  if (!trip.reply.gateway && elsewhere(snapshot, trip.reply.link, link, segments)) {
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
