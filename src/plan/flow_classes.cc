// SPDX-License-Identifier: Apache-2.0
#include "plan/flow_classes.h"

#include <algorithm>
#include <map>

#include "model/decision.h"
#include "model/rules.h"
#include "model/scope6.h"

namespace retour {

namespace {

bool same_selectors(const Flow& a, const Flow& b) {
  return a.mark == b.mark && a.tos == b.tos && a.ip_proto == b.ip_proto && a.sport == b.sport &&
         a.dport == b.dport && a.uid == b.uid && a.flowlabel == b.flowlabel && a.iif == b.iif;
}

void add(std::vector<Flow>& flows, const Flow& flow) {
  if (std::ranges::none_of(flows, [&](const Flow& f) { return same_selectors(f, flow); })) {
    flows.push_back(flow);
  }
}

/// `flow` changed to meet the selectors of `rule` other than its addresses and oif.
Flow meeting(const Rule& rule, Flow flow, const Snapshot& host) {
  if (rule.fwmask != 0) flow.mark = (flow.mark & ~rule.fwmask) | (rule.fwmark & rule.fwmask);
  if (rule.dscp) flow.tos = static_cast<std::uint8_t>(*rule.dscp << 2U);
  if (rule.tos != 0) flow.tos = rule.tos;
  if (rule.ip_proto != 0) flow.ip_proto = rule.ip_proto;
  if (rule.sport) flow.sport = rule.sport->first;
  if (rule.dport) flow.dport = rule.dport->first;
  if (rule.uid) flow.uid = rule.uid->first;
  if (rule.flowlabel_mask != 0) flow.flowlabel = rule.flowlabel & rule.flowlabel_mask;
  const Link* link = host.link(rule.iif);
  if (link != nullptr && !link->loopback()) flow.iif = link->index;
  return flow;
}

/// The smallest value that is in none of the ranges; 0 when they hold every value.
template <class Value, class RangeOf>
Value outside(const std::vector<const Rule*>& rules, const RangeOf& range_of) {
  Value value{};
  while (true) {
    const auto in = std::ranges::find_if(rules, [&](const Rule* rule) {
      const auto& range = range_of(*rule);
      return range && range->contains(value);
    });
    if (in == rules.end()) return value;
    value = static_cast<Value>(range_of(**in)->last + 1);
    if (value == 0) return value;
  }
}

/// A mark that no rule asks for: small, or of few bits.
std::uint32_t unmarked(const std::vector<const Rule*>& rules) {
  constexpr std::uint32_t small = 4096;
  const auto free = [&](std::uint32_t mark) {
    return std::ranges::none_of(rules, [mark](const Rule* rule) {
      return rule->fwmask != 0 && ((rule->fwmark ^ mark) & rule->fwmask) == 0;
    });
  };
  for (std::uint32_t mark = 0; mark < small; ++mark) {
    if (free(mark)) return mark;
  }
  for (unsigned high = 0; high < 32; ++high) {
    for (unsigned low = 0; low <= high; ++low) {
      const std::uint32_t mark = (1U << high) | (1U << low);
      if (free(mark)) return mark;
    }
  }
  return 0;
}

/// A flow that meets no rule's other selectors: neither user 0 nor mark 0 need be such.
Flow outsider(const std::vector<const Rule*>& rules) {
  Flow flow;
  flow.mark = unmarked(rules);
  flow.uid = outside<std::uint32_t>(rules, [](const Rule& rule) { return rule.uid; });
  flow.sport = outside<std::uint16_t>(rules, [](const Rule& rule) { return rule.sport; });
  flow.dport = outside<std::uint16_t>(rules, [](const Rule& rule) { return rule.dport; });
  return flow;
}

/// Addresses that the kernel treats as none other, whatever the tables say.
std::set<Prefix> special(Family family) {
  const auto prefixes =
      family == Family::v4
          ? std::vector<const char*>{"0.0.0.0/0", "0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32"}
          : std::vector<const char*>{"::/0", "::/128", "::1/128", "fe80::/10", "ff00::/8"};
  std::set<Prefix> all;
  for (const char* text : prefixes) all.insert(Prefix::parse(text).value());
  return all;
}

bool forwards(const Snapshot& host, const Link& link, Family family) {
  if (link.loopback()) return false;
  if (family == Family::v4) return link.conf.get(Conf::forwarding).value_or(0) != 0;
  return host.conf6_all.get(Conf6::forwarding).value_or(0) != 0 ||
         host.effective(link.index, Conf6::force_forwarding).value != 0;
}

}  // namespace

std::optional<Ip> representative(const Prefix& outer, const std::set<Prefix>& all) {
  const Bits last = outer.last().bits();
  Bits candidate = outer.address.bits();
  // Inner prefixes in order of address; at one address the shorter (which holds the others) first.
  for (auto it = all.upper_bound(outer); it != all.end() && outer.contains(*it); ++it) {
    if (it->address.bits() > candidate) break;
    const Bits end = it->last().bits();
    if (end < candidate) continue;  // within one that was passed already
    if (end == last) return std::nullopt;
    candidate = end + 1;
  }
  return Ip(outer.family(), candidate);
}

FlowClasses::FlowClasses(const Snapshot& before, const Snapshot& after, Family family,
                         std::span<const Prefix> apart)
    : family_(family) {
  std::set<Prefix> prefixes = special(family);
  std::set<Prefix> sources = prefixes;
  std::set<Prefix> for_all = prefixes;  // whatever device a socket is bound to
  std::map<Prefix, std::vector<IfIndex>> devices;
  std::vector<const Rule*> foreign;
  for (const Prefix& prefix : apart) {
    if (prefix.family() == family) for_all.insert(prefix.network());
  }
  for (const Snapshot* host : {&before, &after}) {
    for (const Route& route : host->routes) {
      if (route.family() != family) continue;
      const Prefix dst = route.dst.network();
      prefixes.insert(dst);
      auto& links = devices[dst];
      for (const NextHop& leg : route.next_hops) {
        if (std::ranges::find(links, leg.link) == links.end()) links.push_back(leg.link);
      }
      if (error_of(route.type) != 0 || route.nexthop_id != 0) for_all.insert(dst);
      if (route.src) sources.insert(route.src->network());
    }
    for (const Rule& rule : host->rules) {
      if (rule.family != family) continue;
      if (rule.to) for_all.insert(rule.to->network());
      if (rule.ours()) continue;
      if (rule.from) sources.insert(rule.from->network());
      if (host == &before) foreign.push_back(&rule);
    }
  }
  prefixes.insert(for_all.begin(), for_all.end());
  std::vector<std::pair<Prefix, std::optional<std::size_t>>> open;  // prefixes around the next one
  for (const Prefix& prefix : prefixes) {
    while (!open.empty() && !open.back().first.contains(prefix)) open.pop_back();
    const auto around = open.empty() ? std::nullopt : open.back().second;
    open.emplace_back(prefix, std::nullopt);
    const auto address = representative(prefix, prefixes);
    if (!address || address->is_multicast() || address->is_unspecified()) continue;
    if (address->is_limited_broadcast()) continue;
    open.back().second = destinations_.size();
    destinations_.push_back({prefix, *address, family == Family::v6 && needs_link6(*address),
                             around, for_all.contains(prefix), devices[prefix]});
  }
  for (const Prefix& prefix : sources) {
    const auto address = representative(prefix, sources);
    // What no router forwards.
    if (!address || address->is_multicast() || address->is_unspecified()) continue;
    if (address->is_loopback() || (family == Family::v6 && is_link_local6(*address))) continue;
    const auto own = [&](const Address& a) { return a.local.address == *address; };
    if (address->is_limited_broadcast() || std::ranges::any_of(before.addresses, own)) continue;
    origins_.push_back({prefix, *address});
  }
  collect_senders(before);
  collect_devices(before, after);
  make_flows(before, foreign);
}

bool FlowClasses::Destination::as_around(IfIndex device) const {
  return around && !any_device && std::ranges::find(devices, device) == devices.end();
}

std::pair<std::size_t, std::size_t> FlowClasses::within(const Prefix& prefix) const {
  const auto first = std::ranges::lower_bound(destinations_, prefix, {}, &Destination::prefix);
  const auto last = std::partition_point(
      first, destinations_.end(), [&](const Destination& d) { return prefix.contains(d.prefix); });
  return {static_cast<std::size_t>(first - destinations_.begin()),
          static_cast<std::size_t>(last - destinations_.begin())};
}

void FlowClasses::collect_senders(const Snapshot& host) {
  senders_.push_back({});
  for (const Address& address : host.addresses) {
    const Ip& ip = address.local.address;
    if (ip.family() != family_) continue;
    const bool of_link = family_ == Family::v6 && is_link_local6(ip);
    senders_.push_back({ip, of_link ? std::optional(address.link) : std::nullopt});
  }
}

void FlowClasses::collect_devices(const Snapshot& before, const Snapshot& after) {
  std::set<IfIndex> named;
  const auto name = [&](IfIndex index) {
    const Link* link = before.link(index);
    if (link != nullptr && link->up() && !link->loopback()) named.insert(index);
  };
  for (const Snapshot* host : {&before, &after}) {
    for (const Route& route : host->routes) {
      if (route.family() != family_) continue;
      for (const NextHop& leg : route.next_hops) name(leg.link);
    }
    for (const Rule& rule : host->rules) {
      const Link* link = rule.family == family_ ? before.link(rule.oif) : nullptr;
      if (link != nullptr) name(link->index);
    }
  }
  for (const NextHopObject& object : before.nexthops) name(object.leg.link);
  devices_.assign(named.begin(), named.end());
  const auto other = std::ranges::find_if(before.links, [&](const Link& link) {
    return link.up() && !link.loopback() && !named.contains(link.index);
  });
  if (other != before.links.end()) devices_.push_back(other->index);
}

void FlowClasses::make_flows(const Snapshot& host, const std::vector<const Rule*>& foreign) {
  for (const Flow& base : {Flow{}, outsider(foreign)}) {
    add(sent_, base);
    for (const Rule* rule : foreign) {
      const Flow flow = meeting(*rule, base, host);
      add(flow.iif ? forwarded_ : sent_, flow);
    }
    for (const Link& link : host.links) {
      if (!forwards(host, link, family_)) continue;
      const bool named =
          std::ranges::any_of(foreign, [&](const Rule* rule) { return rule->iif == link.name; });
      // To the tables of IPv4 links that no rule names are alike, and one that forwards stands for
      // them; IPv6 prefers the link that a packet came by.
      if (named && family_ == Family::v4) continue;
      Flow flow = base;
      flow.iif = link.index;
      for (const Rule* rule : foreign) {
        if (rule->iif.empty()) add(forwarded_, meeting(*rule, flow, host));
      }
      add(forwarded_, flow);
      if (family_ == Family::v4) break;
    }
  }
  const RuleList rules(host, family_);
  std::vector<Flow> seen;
  for (const Flow& flow : forwarded_) {
    const Link* link = host.link(*flow.iif);
    if (link != nullptr && forwards(host, *link, family_)) add(seen, rules.seen(flow));
  }
  forwarded_ = std::move(seen);
}

std::size_t FlowClasses::count() const {
  const auto of_link =
      static_cast<std::size_t>(std::ranges::count(destinations_, true, &Destination::of_link));
  const std::size_t plain = destinations_.size() - of_link;
  const auto bound_only = static_cast<std::size_t>(
      std::ranges::count_if(senders_, [](const Sender& s) { return s.only_bound.has_value(); }));
  const std::size_t free = senders_.size() - bound_only;
  const std::size_t sent =
      free * (plain + devices_.size() * destinations_.size()) + bound_only * destinations_.size();
  return sent_.size() * sent + forwarded_.size() * origins_.size() * plain;
}

}  // namespace retour
