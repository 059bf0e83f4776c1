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

namespace {

constexpr std::uint64_t leg_of(std::uint32_t route) { return std::uint64_t{route} << 1U; }
constexpr std::uint64_t length_of(std::uint32_t object) { return std::uint64_t{object} << 1U | 1U; }

}  // namespace

// What fib6_rule_suppress() is shown: the leg that the hash took, and of a nexthop object what was
// made of whichever route used it first.
Found Fib6::drawn(Found found, const Slot& slot, const Search& search) const {
  if (found.errnum != 0 || (!slot.by_leg && !slot.by_length)) return found;
  const Entry& entry = entry_at(found.route);
  const bool lengths_differ = slot.by_length && std::ranges::any_of(entry.ids, [&](auto id) {
                                return lengths_.at(id).size() > 1;
                              });
  if (!slot.by_leg && !lengths_differ) return found;
  const auto legs = legs_taken(found.route, found.leg, search);
  found.leg = legs[search.draws->draw(leg_of(found.route), legs.size())];
  if (!lengths_differ) return found;
  const auto id = entry.ids[static_cast<std::size_t>(found.leg - entry.legs.data())];
  const auto& lengths = lengths_.at(id);
  const auto own = std::ranges::find_if(lengths, [&](std::uint8_t length) {
    return told_apart(length) == told_apart(snapshot_.routes[found.route].dst.length);
  });
  const auto first = static_cast<std::size_t>(own - lengths.begin());
  const std::size_t nth = search.draws->draw(length_of(id), lengths.size());
  found.length = lengths[(first + nth) % lengths.size()];
  return found;
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
      search.draws != nullptr && search.draws->drawn(leg_of(route))
          ? std::vector{decision.leg}
          : legs_taken(route, decision.leg, search);
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
    if (!lookup.ok() && other.ok()) std::swap(lookup, other);
    if (lookup.or_errnum == 0) lookup.or_errnum = other.errnum;
  }
}

}  // namespace

Lookup Fib6::look_up(const Flow& flow, const Search& search) const {
  constexpr int most_runs = 64;  // of legs and lengths; more are not worth the time
  std::optional<Lookup> lookup;
  Search one = search;
  for (unsigned forgotten = 0; forgotten <= forgets_; ++forgotten) {
    one.forgotten = static_cast<std::uint8_t>(forgotten);
    Draws draws;
    one.draws = &draws;
    int runs = 0;
    do {
      Lookup next = look_up_once(flow, one);
      if (lookup) {
        join(*lookup, std::move(next));
      } else {
        lookup = std::move(next);
      }
    } while (++runs < most_runs && draws.next());
  }
  return std::move(*lookup);
}

Lookup Fib6::look_up_once(const Flow& flow, const Search& search) const {
  Lookup lookup;
  lookup.flow = flow;
  lookup.forgotten = search.forgotten;
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
  Search search = search_of(asked);
  search.received = true;
  lookup = look_up(asked, search);
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
