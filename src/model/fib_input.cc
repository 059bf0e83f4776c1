// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "model/fib.h"

namespace retour {

// fib_validate_source(): may a packet from packet.src have arrived on `link`? unicast = yes.
// `reply_from` is the source that the reverse lookup uses (0 for broadcast), `oif` the link the
// packet would leave by (0 for local delivery).
Verdict Fib::validate_source(const Flow& packet, IfIndex link, const Ip& reply_from, IfIndex oif,
                             Heard* heard) const {
  const std::int32_t filter = conf(link, Conf::rp_filter).value;
  const bool accept_local = conf(link, Conf::accept_local).value != 0;
  const bool redirects = conf(link, Conf::send_redirects).value != 0;
  if (filter == 0 && (link != oif || !redirects)) {
    if (accept_local) return Verdict::unicast;
    const bool local_routes = snapshot_.hidden.custom_local_routes_v4.value_or(
        std::ranges::any_of(snapshot_.routes, [](const Route& route) {
          return route.type == RouteType::local && route.family() == Family::v4 &&
                 route.protocol != protocol_kernel;
        }));
    if (!local_routes && !custom_rules_)
      return owns(packet.src) ? Verdict::martian : Verdict::unicast;
  }
  Flow back;
  back.src = reply_from;
  back.dst = packet.src;
  back.iif = oif.value != 0 ? oif : loopback_index;
  back.tos = packet.tos;
  back.mark = conf(link, Conf::src_valid_mark).value != 0 ? packet.mark : 0;
  if (dissects_) {
    back.ip_proto = packet.ip_proto;
    back.sport = packet.dport;
    back.dport = packet.sport;
  }
  const bool shared = heard != nullptr && blind_to_links_ && oif.value == 0 && back.mark == 0;
  Decision decision;
  if (shared && heard->back) {
    decision = *heard->back;
  } else {
    decision = decide(back);
    if (shared) heard->back = decision;
  }
  const Verdict last = filter == 0 ? Verdict::unicast : Verdict::rp_filter;
  if (decision.errnum != 0) return last;
  const bool local = decision.verdict == Verdict::local;
  if (decision.verdict != Verdict::unicast && !(local && accept_local)) return Verdict::martian;
  const bool by_this_link =
      std::ranges::any_of(decision.legs, [&](const NextHop& leg) { return leg.link == link; });
  if (by_this_link || (local && link == loopback_index)) return Verdict::unicast;
  if (!addressed_.contains(link)) return last;
  return filter == 1 ? Verdict::rp_filter : Verdict::unicast;
}

Lookup Fib::forward(const Flow& flow) const {
  Lookup lookup;
  lookup.flow = flow;
  const Decision decision = decide(flow, &lookup.steps);
  finish(lookup, decision);
  if (decision.errnum == 0) select_leg(lookup, decision);
  return lookup;
}

Lookup Fib::input(const Flow& flow, bool arp) const { return input(flow, arp, nullptr); }

Lookup Fib::input(const Flow& flow, bool arp, Heard& heard) const {
  return input(flow, arp, &heard);
}

Lookup Fib::input(const Flow& flow, bool arp, Heard* heard) const {
  Lookup lookup;
  lookup.flow = flow;
  const IfIndex link = flow.iif.value_or(loopback_index);
  const auto drop = [&](Verdict verdict, int error = EINVAL) {
    lookup.verdict = verdict;
    lookup.errnum = error;
    lookup.link = {};  // it goes nowhere, whatever the tables said
    lookup.gateway.reset();
    lookup.candidates.clear();
    return lookup;
  };
  const auto deliver = [&](Verdict verdict) {
    lookup.verdict = verdict;
    lookup.errnum = 0;
    lookup.link = loopback_index;
    return lookup;
  };
  const auto validated = [&](const Ip& reply_from, IfIndex oif) {
    return validate_source(flow, link, reply_from, oif, heard);
  };
  const Link* device = snapshot_.link(link);
  if (device == nullptr || !device->up()) return drop(Verdict::invalid, ENODEV);
  if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) return drop(Verdict::martian);
  const bool localnet = conf(link, Conf::route_localnet).value != 0;
  if (flow.dst.is_multicast()) {
    // Group membership is not in a snapshot: joined is assumed, the source is judged.
    if (arp || (flow.src.is_loopback() && !localnet)) return drop(Verdict::martian);
    const Verdict source = validated(Ip{}, IfIndex{});
    return source == Verdict::unicast ? deliver(Verdict::multicast) : drop(source);
  }
  const auto broadcast = [&] {
    if (arp) return drop(Verdict::martian);
    if (!flow.src.is_unspecified()) {
      const Verdict source = validated(Ip{}, IfIndex{});
      if (source != Verdict::unicast) return drop(source);
    }
    return deliver(Verdict::broadcast);
  };
  if (flow.dst.is_limited_broadcast() || (flow.dst.is_unspecified() && flow.src.is_unspecified())) {
    return broadcast();
  }
  if (flow.src.is_unspecified() || flow.dst.is_unspecified()) return drop(Verdict::martian);
  if ((flow.src.is_loopback() || flow.dst.is_loopback()) && !localnet) {
    return drop(Verdict::martian);
  }
  Flow asked = flow;
  asked.oif.reset();
  asked.uid = 0;
  if (!dissects_) {
    asked.ip_proto = 0;
    asked.sport = 0;
    asked.dport = 0;
  }
  const bool shared = heard != nullptr && blind_to_links_;
  Decision decision;
  if (shared && heard->forward) {
    decision = *heard->forward;
  } else {
    decision = decide(asked, heard != nullptr ? nullptr : &lookup.steps);
    if (shared) heard->forward = decision;
  }
  const bool forwards = conf(link, Conf::forwarding).value != 0;
  finish(lookup, decision);
  if (decision.errnum != 0) {
    if (!forwards) lookup.errnum = EHOSTUNREACH;
    return lookup;
  }
  if (decision.verdict == Verdict::broadcast && conf(link, Conf::bc_forwarding).value == 0) {
    return broadcast();
  }
  if (decision.verdict == Verdict::local) {
    const Verdict source = validated(flow.dst, IfIndex{});
    return source == Verdict::unicast ? deliver(Verdict::local) : drop(source);
  }
  if (!forwards) return drop(Verdict::no_forward, EHOSTUNREACH);
  if (decision.verdict == Verdict::multicast) return drop(Verdict::martian);
  select_leg(lookup, decision);
  const Verdict source = validated(flow.dst, lookup.link);
  if (source != Verdict::unicast) return drop(source);
  if (arp && lookup.link == link && conf(link, Conf::proxy_arp_pvlan).value == 0) {
    return drop(Verdict::no_forward);
  }
  return lookup;
}

}  // namespace retour
