// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/fib4.h"

namespace retour {

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
    lookup.gateway = decision.leg->gateway;
  }
}

Found Fib4::find_local(const Ip& ip) const {
  Flow self;
  self.dst = ip;
  return find(merge_ ? &merged_ : table(table_local), self);
}

// The end of __ip_dev_find(): an address that no link has, but that a local route covers.
std::optional<IfIndex> Fib4::local_by_table(const Ip& ip) const {
  const Found found = find_local(ip);
  if (found.errnum != 0 || snapshot_.routes[found.route].type != RouteType::local) return {};
  return found.leg->link;
}

// inet_addr_type_dev_table().
RouteType Fib4::address_type(const Ip& ip) const {
  if (ip.is_unspecified() || ip.is_limited_broadcast()) return RouteType::broadcast;
  if (ip.is_multicast()) return RouteType::multicast;
  const Found found = find_local(ip);
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
  lookup.or_errnum = EINVAL;
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
    if (flow.dst.is_local_multicast() || flow.dst.is_limited_broadcast() ||
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
    // It is sent to its own source, whatever that is.
    if (lookup.source->is_multicast()) lookup.verdict = Verdict::multicast;
    if (lookup.source->is_limited_broadcast()) lookup.verdict = Verdict::broadcast;
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
