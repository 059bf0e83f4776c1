// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/fib4.h"

namespace retour {

// fib_validate_source(): may the packet have come by `link`? unicast = yes. `reply_from` is the
// source that the reverse lookup uses (0 for broadcast), `oif` the link that the packet would leave
// by (0 for local delivery).
Verdict Fib4::validate_source(Lookup& lookup, IfIndex link, const Ip& reply_from, IfIndex oif,
                              Heard* heard) const {
  const Flow& packet = lookup.flow;
  SourceCheck check;
  check.rp_filter = snapshot_.effective(link, Conf::rp_filter);
  check.accept_local = snapshot_.effective(link, Conf::accept_local);
  const std::int32_t filter = check.rp_filter.value;
  const bool accept_local = check.accept_local.value != 0;
  const bool redirects = snapshot_.effective(link, Conf::send_redirects).value != 0;
  const auto judged = [&](Verdict verdict) {
    check.passed = verdict == Verdict::unicast;
    if (heard == nullptr) lookup.source_check = std::move(check);
    return verdict;
  };
  if (filter == 0 && !realms_ && (link != oif || !redirects)) {
    if (accept_local) return judged(Verdict::unicast);
    // The cheap check: neither rules nor local routes were ever made by hand.
    if (!custom_local_routes_ && merge_) {
      return judged(owns(packet.src) ? Verdict::martian : Verdict::unicast);
    }
  }
  Flow& back = check.flow;
  back.src = reply_from;
  back.dst = packet.src;
  back.iif = oif.value != 0 ? oif : loopback_index;
  back.tos = packet.tos;
  back.mark = snapshot_.effective(link, Conf::src_valid_mark).value != 0 ? packet.mark : 0;
  if (rules_.dissects()) {
    back.ip_proto = packet.ip_proto;
    back.sport = packet.dport;
    back.dport = packet.sport;
  }
  check.looked_up = true;
  const bool shared =
      heard != nullptr && rules_.blind_to_links() && oif.value == 0 && back.mark == 0;
  Decision decision;
  if (shared && heard->back) {
    decision = *heard->back;
  } else {
    decision = decide(back, heard == nullptr ? &check.steps : nullptr);
    if (shared) heard->back = decision;
  }
  if (heard == nullptr) {
    check.way_back = decision.verdict;
    check.errnum = decision.errnum;
    check.table = decision.table;
    for (const NextHop& leg : decision.legs) check.links.push_back(leg.link);
    if (decision.rule != nullptr) check.rule_priority = decision.rule->priority;
    if (decision.route != nullptr) {
      check.route = static_cast<std::uint32_t>(decision.route - snapshot_.routes.data());
    }
  }
  const Verdict last = filter == 0 ? Verdict::unicast : Verdict::rp_filter;
  if (decision.errnum != 0) return judged(last);
  const bool local = decision.verdict == Verdict::local;
  if (decision.verdict != Verdict::unicast && !(local && accept_local)) {
    return judged(Verdict::martian);
  }
  const bool by_this_link =
      std::ranges::any_of(decision.legs, [&](const NextHop& leg) { return leg.link == link; });
  if (by_this_link || (local && link == loopback_index)) return judged(Verdict::unicast);
  if (!addressed_.contains(link)) return judged(last);
  return judged(filter == 1 ? Verdict::rp_filter : Verdict::unicast);
}

Lookup Fib4::forward(const Flow& flow) const {
  Lookup lookup;
  lookup.flow = flow;
  const Decision decision = decide(rules_.seen(flow), &lookup.steps);
  finish(lookup, decision);
  if (decision.errnum == 0) select_path(lookup, decision);
  return lookup;
}

Lookup Fib4::input(const Flow& flow, bool arp) const { return input(flow, arp, nullptr); }

Lookup Fib4::input(const Flow& flow, bool arp, Heard& heard) const {
  return input(flow, arp, &heard);
}

Lookup Fib4::input(const Flow& flow, bool arp, Heard* heard) const {
  Lookup lookup;
  lookup.flow = flow;
  const IfIndex link = flow.iif.value_or(loopback_index);
  // Before 6.13 the reverse-path check had an errno of its own.
  const Release release = snapshot_.release();
  const int rp_filter_error = release.major != 0 && release < Release{6, 13} ? EXDEV : EINVAL;
  const auto drop = [&](Verdict verdict, int error = EINVAL) {
    if (verdict == Verdict::rp_filter) error = rp_filter_error;
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
    return validate_source(lookup, link, reply_from, oif, heard);
  };
  const Link* device = snapshot_.link(link);
  if (device == nullptr) return drop(Verdict::invalid, ENODEV);
  if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) return drop(Verdict::martian);
  if (flow.dst.is_multicast()) {
    // Where nobody told the groups, joined is assumed, and the source is judged.
    if (snapshot_.groups && std::ranges::find(*snapshot_.groups, Membership{link, flow.dst}) ==
                                snapshot_.groups->end()) {
      return drop(Verdict::martian);
    }
    if (arp || (flow.src.is_loopback() && !localnet(link))) return drop(Verdict::martian);
    if (flow.src.is_unspecified()) {
      const bool allowed = flow.dst.is_local_multicast() || flow.ip_proto == proto_igmp;
      return allowed ? deliver(Verdict::multicast) : drop(Verdict::martian);
    }
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
  if ((flow.src.is_loopback() || flow.dst.is_loopback()) && !localnet(link)) {
    return drop(Verdict::martian);
  }
  const Flow asked = rules_.seen(flow);
  const bool shared = heard != nullptr && rules_.blind_to_links();
  Decision decision;
  if (shared && heard->forward) {
    decision = *heard->forward;
  } else {
    decision = decide(asked, heard != nullptr ? nullptr : &lookup.steps);
    if (shared) heard->forward = decision;
  }
  const bool forwards = snapshot_.effective(link, Conf::forwarding).value != 0;
  finish(lookup, decision);
  if (decision.errnum != 0) {
    if (!forwards) lookup.errnum = EHOSTUNREACH;
    return lookup;
  }
  if (decision.verdict == Verdict::local) {
    const Verdict source = validated(flow.dst, IfIndex{});
    return source == Verdict::unicast ? deliver(Verdict::local) : drop(source);
  }
  if (decision.verdict == Verdict::broadcast) {
    // bc_forwarding sends it on whether or not anything else is forwarded.
    if (snapshot_.effective(link, Conf::bc_forwarding).value == 0) return broadcast();
  } else {
    if (!forwards) return drop(Verdict::no_forward, EHOSTUNREACH);
    if (decision.verdict != Verdict::unicast) return drop(Verdict::martian);
  }
  select_path(lookup, decision);
  // A multipath route is validated towards the leg taken: only the ways that pass are possible.
  std::vector<Way> passing;
  Verdict refused = Verdict::unicast;
  for (const Way& way : lookup.candidates) {
    const Verdict source = validated(flow.dst, way.link);
    // Whoever asked hears others on its own link without our help, unless they are kept apart.
    const bool pointless =
        arp && way.link == link && snapshot_.effective(link, Conf::proxy_arp_pvlan).value == 0;
    if (source == Verdict::unicast && !pointless) {
      passing.push_back(way);
    } else if (source == Verdict::unicast) {
      refused = Verdict::no_forward;
    } else {
      refused = source;
    }
  }
  if (passing.empty()) return drop(refused);
  if (passing.size() < lookup.candidates.size()) {
    lookup.or_errnum = refused == Verdict::rp_filter ? rp_filter_error : EINVAL;
  }
  lookup.candidates = std::move(passing);
  lookup.link = lookup.candidates.front().link;
  lookup.gateway = lookup.candidates.front().gateway;
  return lookup;
}

}  // namespace retour
