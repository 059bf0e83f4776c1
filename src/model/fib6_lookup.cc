// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/fib6.h"
#include "model/scope6.h"

namespace retour {

// fib6_select_path(), nexthop_select_path(): which legs a flow may be hashed to. The seed is
// random, so the answer is a set; its first is the one that the table lookup liked best, if it is
// one of them.
std::vector<const NextHop*> Fib6::legs_taken(std::uint32_t route, const NextHop* liked,
                                             const Search& search) const {
  const Entry& entry = entry_at(route);
  if (entry.legs.size() < 2) return {liked};
  std::vector<const NextHop*> legs;
  bool refused = false;
  for (const NextHop& leg : entry.legs) {
    if (entry.object) {
      // A group asks its members' neighbours, and not for the link.
      const Neighbor* known = leg.gateway ? snapshot_.neighbor(leg.link, *leg.gateway) : nullptr;
      if (known != nullptr && !known->valid() && !entry.resilient) continue;
    } else {
      // The share of a leg without carrier is as ignore_routes_with_linkdown had it at the last
      // event of a link, which is not known: it may be taken.
      if (usable(leg) == RouteOutcome::dead) continue;
      if (score(entry, leg, search) < 0) {
        refused = true;
        continue;
      }
    }
    legs.push_back(&leg);
  }
  // A hash that falls on a leg that will not do leaves the choice as it was.
  if (entry.object) liked = &entry.legs.front();
  const auto at = std::ranges::find(legs, liked);
  if (at != legs.end()) {
    std::rotate(legs.begin(), at, at + 1);
  } else if (refused || legs.empty()) {
    legs.insert(legs.begin(), liked);
  }
  return legs;
}

void Fib6::add_way(Lookup& lookup, std::uint32_t route, const NextHop& leg) const {
  const Entry& entry = entry_at(route);
  const Flow& flow = lookup.flow;
  // Delivered to this host it arrives by `lo`, whichever link has the address.
  Way way{entry.own ? loopback_index : leg.link, leg.gateway, std::nullopt, route};
  if (!flow.iif) {
    if (!flow.src.is_unspecified()) {
      way.source = flow.src;
    } else if (snapshot_.routes[route].prefsrc) {
      way.source = snapshot_.routes[route].prefsrc;
    } else {
      // ip6_route_get_saddr(): of a nexthop group, the first member's link.
      way.source = sources_.select(entry.object ? entry.legs.front().link : leg.link, flow.dst);
    }
  }
  const auto same = [&way](const Way& other) {
    return other.link == way.link && other.gateway == way.gateway && other.source == way.source;
  };
  if (std::ranges::none_of(lookup.candidates, same)) lookup.candidates.push_back(way);
}

void Fib6::select_path(Lookup& lookup, const Decision& decision, const Search& search) const {
  const std::uint32_t route = lookup.route.value();
  const Entry& entry = entry_at(route);
  const std::vector<const NextHop*> legs =
      search.hash ? std::vector{decision.leg} : legs_taken(route, decision.leg, search);
  for (const NextHop* leg : legs) add_way(lookup, route, *leg);
  for (const NextHop* leg : legs) {
    if (entry.ids.empty()) break;
    const auto id = entry.ids[static_cast<std::size_t>(leg - entry.legs.data())];
    for (const std::uint32_t other : sharers_.at(id)) add_way(lookup, other, *leg);
  }
  lookup.link = lookup.candidates.front().link;
  lookup.gateway = lookup.candidates.front().gateway;
  lookup.source = lookup.candidates.front().source;
}

namespace {

/// One answer and another that is as possible.
void join(Lookup& lookup, Lookup other) {
  if (lookup.ok() && other.ok()) {
    for (const Way& way : other.candidates) {
      const auto& known = lookup.candidates;
      if (std::ranges::find(known, way) == known.end()) lookup.candidates.push_back(way);
    }
  } else if (lookup.errnum != other.errnum) {
    if (!lookup.ok()) std::swap(lookup, other);
    lookup.or_errnum = other.errnum;
  }
}

}  // namespace

Lookup Fib6::look_up(const Flow& flow, const Search& search) const {
  Search one = search;
  if (hashes_ > 1) one.hash = 0;
  Lookup lookup = look_up_once(flow, one);
  for (const bool forgotten : {false, true}) {
    if (forgotten && !forgets_) continue;
    one.forgotten = forgotten;
    for (std::size_t hash = forgotten ? 0 : 1; hash < hashes_; ++hash) {
      if (hashes_ > 1) one.hash = hash;
      join(lookup, look_up_once(flow, one));
    }
  }
  return lookup;
}

Lookup Fib6::look_up_once(const Flow& flow, const Search& search) const {
  Lookup lookup;
  lookup.flow = flow;
  const Decision decision = decide(rules_, flow, search, &lookup.steps);
  lookup.verdict = decision.verdict;
  lookup.errnum = decision.errnum;
  lookup.table = decision.table;
  if (decision.rule != nullptr) lookup.rule_priority = decision.rule->priority;
  if (decision.route != nullptr) {
    lookup.route = static_cast<std::uint32_t>(decision.route - snapshot_.routes.data());
  }
  if (decision.errnum == 0) select_path(lookup, decision, search);
  return lookup;
}

Lookup Fib6::output(const Flow& flow) const { return look_up(flow, search_of(flow)); }

Lookup Fib6::forward(const Flow& flow) const {
  if (snapshot_.link(flow.iif.value_or(loopback_index)) != nullptr) {
    return look_up(flow, search_of(flow));
  }
  Lookup lookup;
  lookup.flow = flow;
  lookup.verdict = Verdict::invalid;
  lookup.errnum = ENODEV;
  return lookup;
}

Lookup Fib6::connect(const Flow& flow) const {
  Search search = search_of(flow);
  search.strict = search.strict || flow.oif.has_value();
  Lookup lookup = look_up(flow, search);
  if (!flow.src.is_unspecified()) return lookup;
  const auto without_source = [&] {
    lookup.verdict = Verdict::invalid;
    lookup.errnum = EADDRNOTAVAIL;
    lookup.link = {};
    lookup.gateway.reset();
    lookup.candidates.clear();
    return lookup;
  };
  if (lookup.ok()) return lookup.source ? lookup : without_source();
  const auto source = sources_.select(IfIndex{}, flow.dst);
  if (!source) return without_source();
  Flow again = flow;
  again.src = *source;
  lookup = look_up(again, search);
  lookup.flow = flow;
  return lookup;
}

Lookup Fib6::input(const Flow& flow) const {
  const IfIndex iif = flow.iif.value_or(loopback_index);
  const Link* link = snapshot_.link(iif);
  Lookup lookup;
  lookup.flow = flow;
  const auto drop = [&](Verdict verdict, int error = EINVAL) {
    lookup.verdict = verdict;
    lookup.errnum = error;
    lookup.link = {};  // it goes nowhere, whatever the tables said
    lookup.gateway.reset();
    lookup.candidates.clear();
    return lookup;
  };
  if (link == nullptr || !link->up()) return drop(Verdict::invalid, ENODEV);
  if (snapshot_.effective(iif, Conf6::disable_ipv6).value != 0) {
    return drop(Verdict::invalid, EACCES);
  }
  if (flow.src.is_multicast()) return drop(Verdict::martian);
  if (!link->loopback()) {
    if (flow.src.is_loopback() || flow.dst.is_loopback()) return drop(Verdict::martian);
    if (flow.dst.is_multicast() && scope6_of(flow.dst) == 1) return drop(Verdict::martian);
  }
  if (flow.dst.is_multicast() && scope6_of(flow.dst) == 0) return drop(Verdict::martian);
  const Flow asked = rules_.seen(flow);
  lookup = look_up(asked, search_of(asked));
  lookup.flow = flow;
  if (!lookup.ok()) return lookup;
  const Entry& entry = entry_at(lookup.route.value());
  const Route& route = snapshot_.routes[*lookup.route];
  if (entry.own || route.type == RouteType::anycast) {
    lookup.link = loopback_index;
    return lookup;
  }
  // ip6_mc_input(). Group membership is not in a snapshot: joined is assumed.
  if (route.dst.address.is_multicast()) {
    lookup.verdict = Verdict::multicast;
    lookup.link = loopback_index;
    lookup.candidates.clear();
    return lookup;
  }
  // A unicast route by `lo` is one that rejects, though the lookup does not say so.
  if (lookup.link == loopback_index) return drop(Verdict::unreachable, ENETUNREACH);
  const bool forwards = snapshot_.conf6_all.get(Conf6::forwarding).value_or(0) != 0 ||
                        snapshot_.effective(iif, Conf6::force_forwarding).value != 0;
  if (!forwards) return drop(Verdict::no_forward, EHOSTUNREACH);
  // What is of one link stays there: it is sent back where it came from, but no further.
  if (flow.src.is_unspecified() || flow.src.is_loopback() || is_link_local6(flow.src)) {
    const auto further = [iif](const Way& way) { return way.link != iif; };
    if (std::erase_if(lookup.candidates, further) != 0) {
      if (lookup.candidates.empty()) return drop(Verdict::martian);
      lookup.or_errnum = EINVAL;
    }
    lookup.link = lookup.candidates.front().link;
    lookup.gateway = lookup.candidates.front().gateway;
  }
  return lookup;
}

}  // namespace retour
