// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/fib4.h"

namespace retour {

namespace {

bool local_multicast(const Ip& ip) { return (ip.v4_bits() & 0xffffff00U) == 0xe0000000U; }

constexpr std::uint8_t proto_igmp = 2;

}  // namespace

// inet_select_addr().
std::optional<Ip> Fib4::select_source(IfIndex link, std::optional<Ip> toward, Scope scope) const {
  // With route_localnet even host-scope addresses may serve as if they had scope link.
  const bool localnet = snapshot_.effective(link, Conf::route_localnet).value != 0;
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

// fib_result_prefsrc(): whom a packet without a source is from.
std::optional<Ip> Fib4::prefsrc(const Way& way, const Route& route, const Flow& flow) const {
  if (!flow.src.is_unspecified()) return flow.src;
  if (route.prefsrc) return route.prefsrc;
  return leg_source(way.link, way.gateway, route.scope);
}

// fib_info_update_nhc_saddr(). The kernel takes the first four bytes of the gateway's union for an
// IPv4 address, whatever family the gateway is of.
std::optional<Ip> Fib4::leg_source(IfIndex link, const std::optional<Ip>& gateway,
                                   Scope scope) const {
  std::optional<Ip> toward;
  if (gateway) {
    toward =
        gateway->is_v4() ? *gateway : Ip::v4(static_cast<std::uint32_t>(gateway->bits() >> 96));
    if (toward->is_unspecified()) toward.reset();
  }
  return select_source(link, toward, scope);
}

void Fib4::finish(Lookup& lookup, const Decision& decision) const {
  lookup.verdict = decision.verdict;
  lookup.errnum = decision.errnum;
  lookup.table = decision.table;
  if (decision.rule != nullptr) lookup.rule_priority = decision.rule->priority;
  if (decision.route != nullptr) {
    lookup.route = static_cast<std::uint32_t>(decision.route - snapshot_.routes.data());
  }
  if (decision.leg != nullptr) {
    lookup.link = decision.leg->link;
    lookup.gateway = gateway_in_use(*decision.leg, *decision.route);
  }
}

// fib_check_nh_v4_gw(): a gateway counts only when it is reached by a route of scope link. One that
// is an address of this host is kept in the route and not used. The kernel finds that out when the
// route is added; here it is taken to be as it would be found now.
std::optional<Ip> Fib4::gateway_in_use(const NextHop& leg, const Route& route) const {
  if (!leg.gateway || !leg.gateway->is_v4() || leg.onlink()) return leg.gateway;
  Flow flow;
  flow.dst = *leg.gateway;
  flow.oif = leg.link;
  flow.scope = std::max<Scope>(scope_link, static_cast<Scope>(route.scope + 1));
  if (route.table != table_main) {
    const Found found = find(table(route.table), flow);
    if (found.errnum == 0 && found.leg != nullptr) {
      return snapshot_.routes[found.route].scope == scope_link ? leg.gateway : std::nullopt;
    }
  }
  const Decision decision = decide(flow);
  const bool found = decision.errnum == 0 && decision.route != nullptr;
  return found && decision.route->scope != scope_link ? std::nullopt : leg.gateway;
}

// fib_select_multipath(), nexthop_select_path(). The hash seed is random, so the answer is a set;
// since 6.16 a leg whose own source is the flow's wins on output.
std::vector<Way> Fib4::multipath(const Lookup& lookup, const Decision& decision) const {
  const bool object = decision.route->nexthop_id != 0;
  const bool prefers_source = snapshot_.release() >= Release{6, 16} && !object &&
                              !lookup.flow.iif && !lookup.flow.src.is_unspecified();
  std::vector<const NextHop*> legs;
  for (const NextHop& leg : decision.legs) {
    // The share of a leg without carrier is as ignore_routes_with_linkdown had it at the last
    // event of a link, which is not known: it may be taken.
    Flow any = lookup.flow;
    any.oif.reset();
    if (usable(leg, any) == RouteOutcome::dead) continue;
    if (object && !good_neighbor(leg)) continue;
    legs.push_back(&leg);
  }
  if (prefers_source) {
    std::vector<const NextHop*> own;
    std::ranges::copy_if(legs, std::back_inserter(own), [&](const NextHop* leg) {
      return leg_source(leg->link, leg->gateway, decision.route->scope) == lookup.flow.src;
    });
    if (!own.empty()) legs = std::move(own);
  }
  if (legs.empty()) legs.push_back(decision.leg);
  std::vector<Way> ways;
  for (const NextHop* leg : legs) {
    const Way way{leg->link, gateway_in_use(*leg, *decision.route), std::nullopt, lookup.route};
    if (std::ranges::find(ways, way) == ways.end()) ways.push_back(way);
  }
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
  std::vector<Way> rated;
  std::vector<const NextHop*> legs;
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
      if (!gateway_in_use(leg, route)) continue;
      if (rated.empty() && &route != decision.route) break;
      rated.push_back({leg.link, leg.gateway, std::nullopt, i});
      legs.push_back(&leg);
    }
  }
  if (rated.size() < 2) return {};
  std::vector<Way> possible;
  for (std::size_t i = 0; i < rated.size(); ++i) {
    const Neighbor* known = snapshot_.neighbor(rated[i].link, *rated[i].gateway);
    const bool good = known == nullptr || known->reachable();
    // A gateway that answered once but not lately is taken unless it was the last one's turn; one
    // that failed only when no other is left.
    if (good || known->valid()) possible.push_back(rated[i]);
    if (good) return possible;
  }
  return possible.empty() ? rated : possible;
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
  if (ways.empty()) ways.push_back({lookup.link, lookup.gateway, std::nullopt, lookup.route});
  if (!lookup.flow.iif) {
    for (Way& way : ways) {
      way.source = prefsrc(way, snapshot_.routes[way.route.value()], lookup.flow);
    }
  }
  lookup.link = ways.front().link;
  lookup.gateway = ways.front().gateway;
  lookup.route = ways.front().route;
  if (!lookup.flow.iif) lookup.source = ways.front().source;
  lookup.candidates = std::move(ways);
}

// The end of __ip_dev_find(): an address that no link has, but that a local route covers.
std::optional<IfIndex> Fib4::local_by_table(const Ip& ip) const {
  Flow self;
  self.dst = ip;
  const Found found = find(merge_ ? &merged_ : table(table_local), self);
  if (found.errnum != 0 || snapshot_.routes[found.route].type != RouteType::local) return {};
  return found.leg->link;
}

// inet_addr_type_dev_table().
RouteType Fib4::address_type(const Ip& ip) const {
  if (ip.is_unspecified() || ip.is_limited_broadcast()) return RouteType::broadcast;
  if (ip.is_multicast()) return RouteType::multicast;
  Flow self;
  self.dst = ip;
  const Found found = find(merge_ ? &merged_ : table(table_local), self);
  return found.errnum == 0 ? snapshot_.routes[found.route].type : RouteType::unicast;
}

// __mkroute_output(): what a chosen link still refuses.
Lookup Fib4::make_output(Lookup lookup) const {
  const auto refused = [&](const Way& way) {
    if (!way.source || !way.source->is_loopback()) return false;
    const Link* link = snapshot_.link(way.link);
    return (link == nullptr || !link->loopback()) &&
           snapshot_.effective(way.link, Conf::route_localnet).value == 0;
  };
  if (lookup.candidates.empty() || std::erase_if(lookup.candidates, refused) == 0) return lookup;
  if (lookup.candidates.empty()) {
    lookup.verdict = Verdict::invalid;
    lookup.errnum = EINVAL;
    lookup.link = {};
    lookup.gateway.reset();
    lookup.source.reset();
    return lookup;
  }
  lookup.link = lookup.candidates.front().link;
  lookup.gateway = lookup.candidates.front().gateway;
  lookup.source = lookup.candidates.front().source;
  return lookup;
}

Lookup Fib4::output(const Flow& asked) const {
  Lookup lookup;
  lookup.flow = asked;
  Flow flow = asked;
  const bool bound = !flow.src.is_unspecified();
  const bool everyone = flow.dst.is_multicast() || flow.dst.is_limited_broadcast();
  const auto refuse = [&](int error) {
    lookup.verdict = Verdict::invalid;
    lookup.errnum = error;
    return lookup;
  };
  // Decided without a table: on-link by one of these links.
  const auto direct = [&](const std::vector<IfIndex>& links, const Ip& source) {
    lookup.verdict = flow.dst.is_limited_broadcast() ? Verdict::broadcast
                     : flow.dst.is_multicast()       ? Verdict::multicast
                                                     : Verdict::unicast;
    lookup.candidates.clear();
    for (const IfIndex link : links) {
      const auto from = source.is_unspecified() ? std::nullopt : std::optional(source);
      lookup.candidates.push_back({link, std::nullopt, from, std::nullopt});
    }
    lookup.link = links.front();
    if (!source.is_unspecified()) lookup.source = source;
    return make_output(lookup);
  };
  const auto source_on = [&](IfIndex link, Scope scope) {
    return bound ? flow.src : select_source(link, std::nullopt, scope).value_or(Ip{});
  };
  if (bound) {
    if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) return refuse(EINVAL);
    std::vector<IfIndex> holders;
    if (const auto owner = owners_.find(flow.src.v4_bits()); owner != owners_.end()) {
      // Of several the one that was added last, which no dump tells.
      holders.assign(owner->second.rbegin(), owner->second.rend());
    } else if (const auto by_table = local_by_table(flow.src)) {
      holders.push_back(*by_table);
    }
    if (holders.empty()) return refuse(ENETUNREACH);
    if (!flow.oif && everyone) return direct(holders, flow.src);
  }
  if (flow.oif) {
    const Link* link = snapshot_.link(*flow.oif);
    if (link == nullptr) return refuse(ENODEV);
    if (!link->up()) return refuse(ENETUNREACH);
    if (local_multicast(flow.dst) || flow.dst.is_limited_broadcast() ||
        flow.ip_proto == proto_igmp) {
      return direct({*flow.oif}, source_on(*flow.oif, scope_link));
    }
    if (flow.dst.is_multicast()) flow.src = source_on(*flow.oif, scope_global);
    if (flow.dst.is_unspecified()) flow.src = source_on(*flow.oif, scope_host);
  }
  if (flow.dst.is_unspecified()) {
    lookup.verdict = Verdict::local;
    lookup.link = loopback_index;
    lookup.source = flow.src.is_unspecified() ? Ip::v4(0x7f000001) : flow.src;
    return lookup;
  }
  const Decision decision = decide(flow, &lookup.steps);
  if (decision.errnum != 0) {
    // A socket bound to a device is on-link there whatever the tables say.
    if (flow.oif) {
      const Ip source = flow.src.is_unspecified() ? source_on(*flow.oif, scope_link) : flow.src;
      return direct({*flow.oif}, source);
    }
    finish(lookup, decision);
    return lookup;
  }
  finish(lookup, decision);
  if (decision.verdict == Verdict::local) {
    const Ip own =
        flow.src.is_unspecified() ? decision.route->prefsrc.value_or(flow.dst) : flow.src;
    lookup.source = own;
    lookup.link = loopback_index;
    lookup.gateway.reset();
  } else {
    lookup.flow = flow;
    select_path(lookup, decision);
    lookup.flow = asked;
  }
  // __mkroute_output(): what is for everyone has no gateway, unless a route was made for multicast.
  if (flow.dst.is_limited_broadcast()) lookup.verdict = Verdict::broadcast;
  if (flow.dst.is_multicast()) lookup.verdict = Verdict::multicast;
  if (flow.dst.is_limited_broadcast() ||
      (flow.dst.is_multicast() && decision.route->dst.length < 4)) {
    lookup.gateway.reset();
    for (Way& way : lookup.candidates) way.gateway.reset();
  }
  return make_output(lookup);
}

}  // namespace retour
