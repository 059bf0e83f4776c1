// SPDX-License-Identifier: Apache-2.0
//
// From a route to a way: which leg, by which gateway, from whom (fib_select_path()). What depends
// on a seed, on neighbours or on the order in which things were set up gives a set.
#include <algorithm>

#include "model/fib4.h"

namespace retour {

// inet_select_addr().
std::optional<Ip> Fib4::select_source(IfIndex link, std::optional<Ip> toward, Scope scope) const {
  return select_source(link, toward, scope, localnet(link));
}

// With route_localnet even addresses of scope host may serve, as if they had scope link.
std::optional<Ip> Fib4::select_source(IfIndex link, std::optional<Ip> toward, Scope scope,
                                      bool localnet) const {
  const Scope limit = localnet ? scope_link : scope_host;
  std::optional<Ip> first;
  for (const Address& address : snapshot_.addresses) {
    if (address.link != link || address.local.family() != Family::v4) continue;
    if (address.secondary() || std::min(address.scope, limit) > scope) continue;
    const Prefix subnet{address.peer.value_or(address.local.address), address.local.length};
    if (!toward || subnet.contains(*toward)) return address.local.address;
    if (!first) first = address.local.address;
  }
  if (first) return first;
  for (const Link& other : snapshot_.links) {
    for (const Address& address : snapshot_.addresses) {
      if (address.link != other.index || address.local.family() != Family::v4) continue;
      if (address.secondary() || address.scope == scope_link || address.scope > scope) continue;
      return address.local.address;
    }
  }
  return std::nullopt;
}

// fib_info_update_nhc_saddr(). The kernel takes the first four bytes of the gateway's union for an
// IPv4 address, whatever family the gateway is of.
std::optional<Ip> Fib4::leg_source(const NextHop& leg, Scope scope, bool localnet) const {
  std::optional<Ip> toward;
  if (leg.gateway) {
    toward = leg.gateway->is_v4() ? *leg.gateway
                                  : Ip::v4(static_cast<std::uint32_t>(leg.gateway->bits() >> 96));
    if (toward->is_unspecified()) toward.reset();
  }
  return select_source(leg.link, toward, scope, localnet);
}

// fib_result_prefsrc(): whom a packet without a source is from. The kernel keeps what it found with
// the leg until an address changes: found when the route was added, under another sysctl; or, for a
// nexthop object, when that was made, in a scope of its own.
std::vector<std::optional<Ip>> Fib4::sources(const NextHop& leg, const Route& route,
                                             const Flow& flow, bool sure) const {
  if (flow.iif) return {std::nullopt};
  if (!flow.src.is_unspecified()) return {flow.src};
  if (route.prefsrc) return {route.prefsrc};
  const bool by_sysctl = localnet(leg.link);
  std::vector<std::optional<Ip>> found{leg_source(leg, route.scope, by_sysctl)};
  const auto add = [&found](const std::optional<Ip>& source) {
    if (std::ranges::find(found, source) == found.end()) found.push_back(source);
  };
  if (by_sysctl) add(leg_source(leg, route.scope, false));
  if (route.nexthop_id == 0) return found;
  // nh_create_ipv4(): one wider than what the object itself reaches.
  const auto add_reached = [&](Scope reached) {
    add(leg_source(leg, reached - 1, by_sysctl));
    if (by_sysctl) add(leg_source(leg, reached - 1, false));
  };
  if (leg.gateway) add_reached(scope_link);
  if (!leg.gateway || !sure) add_reached(scope_host);
  return found;
}

// One leg as a way to go, or as several where it depends on when the route was added. The source
// goes by the leg's gateway even where that is not used.
void Fib4::add_ways(const NextHop& leg, const Route& route, const Flow& flow,
                    std::vector<Way>& ways) const {
  const bool sure = !leg.gateway || gateway_is_sure(leg, route);
  const auto index = static_cast<std::uint32_t>(&route - snapshot_.routes.data());
  for (const auto& source : sources(leg, route, flow, sure)) {
    for (const bool direct : {false, true}) {
      if (direct && sure) continue;
      Way way{leg.link, leg.gateway, source, index};
      if (direct) way.gateway.reset();
      if (std::ranges::find(ways, way) == ways.end()) ways.push_back(way);
    }
  }
}

// fib_check_nh_v4_gw(): a gateway counts only when it is reached by a route of scope link. The
// kernel finds that out once, when the route is added: in the route's own table, else by the rules.
// What leads there now may have come later, so nothing else may.
bool Fib4::gateway_is_sure(const NextHop& leg, const Route& route) const {
  if (!leg.gateway->is_v4() || leg.onlink()) return true;
  if (owns(*leg.gateway, leg.link) || address_type(*leg.gateway) == RouteType::local) return false;
  // A nexthop object is made before any route, and for all tables.
  const bool object = route.nexthop_id != 0;
  Flow flow;
  flow.dst = *leg.gateway;
  flow.oif = leg.link;
  flow.scope = object ? scope_link
                      : std::max(scope_link, static_cast<Scope>(std::min(route.scope + 1, 255)));
  flow.ignore_linkstate = true;
  const Index* own = object || route.table == table_main ? nullptr : table(route.table);
  // Nothing leads there any more; in a pasted text it may just have been left out.
  const bool led = find(own, flow).leg != nullptr || decide(flow).leg != nullptr;
  if (!led && snapshot_.source != "import") return false;
  return std::ranges::none_of(ending_, [&](const Ending& tables) {
    return (tables.asked || tables.index == own) && host_route_leads_to(*tables.index, flow);
  });
}

bool Fib4::host_route_leads_to(const Index& table, const Flow& flow) const {
  for (const auto* node = table.find(flow.dst.v4_bits()); node != nullptr;
       node = table.parent(*node)) {
    for (const std::uint32_t route : table.entries(*node)) {
      if (!ends_here(route)) continue;
      for (const NextHop& leg : entries_[route].legs) {
        if (usable(leg, flow) == RouteOutcome::taken) return true;
      }
    }
  }
  return false;
}

// fib_select_multipath(), nexthop_select_path(). The hash seed is random, so the answer is a set;
// since 6.16 a leg whose own source is the flow's wins on output.
std::vector<Way> Fib4::multipath(const Lookup& lookup, const Decision& decision) const {
  const bool object = decision.route->nexthop_id != 0;
  const auto index = static_cast<std::size_t>(decision.route - snapshot_.routes.data());
  const bool by_neighbor = object && !entries_[index].resilient;
  const bool prefers_source = snapshot_.release() >= Release{6, 16} && !object &&
                              !lookup.flow.iif && !lookup.flow.src.is_unspecified();
  std::vector<const NextHop*> legs;
  for (const NextHop& leg : decision.legs) {
    // The share of a leg without carrier is as ignore_routes_with_linkdown had it at the last
    // event of a link, which is not known: it may be taken.
    Flow any = lookup.flow;
    any.oif.reset();
    if (usable(leg, any) == RouteOutcome::dead) continue;
    if (by_neighbor && !good_neighbor(leg)) continue;
    legs.push_back(&leg);
  }
  if (prefers_source) {
    std::vector<const NextHop*> own;
    std::ranges::copy_if(legs, std::back_inserter(own), [&](const NextHop* leg) {
      return leg_source(*leg, decision.route->scope, localnet(leg->link)) == lookup.flow.src;
    });
    // One without carrier may be passed over, see above, and one whose gateway does not answer with
    // fib_multipath_use_neigh; then the others are as good as ever.
    const bool sure = std::ranges::any_of(
        own, [this](const NextHop* leg) { return !leg->linkdown() && good_neighbor(*leg); });
    if (sure) legs = std::move(own);
  }
  if (legs.empty()) legs.push_back(decision.leg);
  std::vector<Way> ways;
  for (const NextHop* leg : legs) add_ways(*leg, *decision.route, lookup.flow, ways);
  return ways;
}

// nexthop_is_good_nh(): a gateway whose neighbour is known to be bad is passed over.
bool Fib4::good_neighbor(const NextHop& leg) const {
  if (!leg.gateway) return true;
  const Neighbor* known = snapshot_.neighbor(leg.link, *leg.gateway);
  return known == nullptr || known->valid();
}

// fib_select_default(): several default routes of one metric take turns by what is known of their
// gateways' neighbours. Where it depends on whose turn it is: the set.
std::vector<Way> Fib4::default_routes(const Lookup& lookup, const Decision& decision) const {
  const Index* index = merge_ && decision.table == table_main ? &merged_ : table(decision.table);
  std::vector<std::pair<const NextHop*, const Route*>> rated;
  for (const auto* node = index->find(0); node != nullptr; node = index->parent(*node)) {
    if (node->length != 0) continue;
    std::uint32_t metric = decision.route->metric;
    std::uint8_t last_tos = 0;
    for (const std::uint32_t i : index->entries(*node)) {
      const Route& route = snapshot_.routes[i];
      const Entry& entry = entries_[i];
      if (entry.tos != 0 && entry.tos != (lookup.flow.tos & 0x1c)) continue;
      if (merge_ && route.table != decision.table) continue;
      if (route.metric > metric && route.tos == last_tos) {
        if (last_tos != 0) continue;
        break;
      }
      if (entry.dead || entry.legs.empty()) continue;
      if (std::ranges::all_of(entry.legs, [&](const NextHop& leg) {
            return usable(leg, Flow{}) == RouteOutcome::dead;
          })) {
        continue;
      }
      last_tos = route.tos;
      metric = route.metric;
      const NextHop& leg = entry.legs.front();
      if (route.scope != decision.route->scope || route.type != RouteType::unicast) continue;
      if (!leg.gateway) continue;
      if (rated.empty() && &route != decision.route) break;
      rated.emplace_back(&leg, &route);
    }
  }
  if (rated.size() < 2) return {};
  std::vector<Way> possible;
  std::vector<Way> all;
  for (const auto& [leg, route] : rated) {
    const Neighbor* known = snapshot_.neighbor(leg->link, *leg->gateway);
    const bool good = known == nullptr || known->reachable();
    // A gateway that answered once but not lately is taken unless it was the last one's turn; one
    // that failed only when no other is left. One that may be this host itself may be passed over,
    // and taken for want of another.
    const bool sure = gateway_is_sure(*leg, *route);
    if (good || known->valid() || !sure) add_ways(*leg, *route, lookup.flow, possible);
    if (good && sure) return possible;
    add_ways(*leg, *route, lookup.flow, all);
  }
  return possible.empty() ? all : possible;
}

// fib_select_path(): fills in what leaves by which leg, and from whom.
void Fib4::select_path(Lookup& lookup, const Decision& decision) const {
  std::vector<Way> ways;
  if (!lookup.flow.oif || lookup.flow.iif) {
    if (decision.legs.size() > 1) {
      ways = multipath(lookup, decision);
    } else if (!lookup.flow.iif && decision.route->dst.length == 0 &&
               decision.verdict == Verdict::unicast) {
      ways = default_routes(lookup, decision);
    }
  }
  if (ways.empty()) add_ways(*decision.leg, *decision.route, lookup.flow, ways);
  lookup.link = ways.front().link;
  lookup.gateway = ways.front().gateway;
  lookup.route = ways.front().route;
  if (!lookup.flow.iif) lookup.source = ways.front().source;
  lookup.candidates = std::move(ways);
}

}  // namespace retour
