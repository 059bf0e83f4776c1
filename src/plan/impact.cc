// SPDX-License-Identifier: Apache-2.0
//
// Which flows a plan moves. Prefixes nest or are disjoint, so all destinations whose innermost
// prefix in play (of any route or rule, before or after) is the same are decided alike: one
// representative of each stands for all of them. Per source and selector that is the whole address
// space, exactly, in as many lookups as there are prefixes.
#include <algorithm>
#include <map>
#include <set>

#include "model/fib.h"
#include "plan/plan.h"

namespace retour {

namespace {

struct InPlay {
  std::set<Prefix> destinations{Prefix::all(Family::v4)};
  std::set<Prefix> sources{Prefix::all(Family::v4)};  ///< for forwarded packets
  std::vector<const Rule*> foreign;
  std::vector<Flow> sent;
  std::vector<Flow> forwarded;
};

bool same_selectors(const Flow& a, const Flow& b) {
  return a.mark == b.mark && a.tos == b.tos && a.ip_proto == b.ip_proto && a.sport == b.sport &&
         a.dport == b.dport && a.uid == b.uid && a.iif == b.iif;
}

void add(std::vector<Flow>& flows, const Flow& flow) {
  if (std::ranges::none_of(flows, [&](const Flow& f) { return same_selectors(f, flow); })) {
    flows.push_back(flow);
  }
}

/// `flow` changed to meet the selectors of `rule` other than its addresses.
Flow meeting(const Rule& rule, Flow flow, const Snapshot& host) {
  if (rule.fwmask != 0) flow.mark = (flow.mark & ~rule.fwmask) | (rule.fwmark & rule.fwmask);
  if (rule.dscp) flow.tos = static_cast<std::uint8_t>(*rule.dscp << 2U);
  if (rule.tos != 0) flow.tos = rule.tos;
  if (rule.ip_proto != 0) flow.ip_proto = rule.ip_proto;
  if (rule.sport) flow.sport = rule.sport->first;
  if (rule.dport) flow.dport = rule.dport->first;
  if (rule.uid) flow.uid = rule.uid->first;
  const Link* link = host.link(rule.iif);
  if (link != nullptr && !link->loopback()) flow.iif = link->index;
  return flow;
}

/// The smallest value of a selector that no rule asks for.
template <class Value, class Asks>
Value outside(const std::vector<const Rule*>& rules, Asks asks) {
  Value value{};
  while (std::ranges::any_of(rules, [&](const Rule* rule) { return asks(*rule, value); })) {
    if (++value == 0) break;  // every value is asked for
  }
  return value;
}

/// A flow that meets no rule's other selectors: neither user 0 nor mark 0 need be such.
Flow outsider(const std::vector<const Rule*>& rules) {
  Flow flow;
  flow.mark = outside<std::uint32_t>(rules, [](const Rule& rule, std::uint32_t v) {
    return rule.fwmask != 0 && ((rule.fwmark ^ v) & rule.fwmask) == 0;
  });
  flow.uid = outside<std::uint32_t>(
      rules, [](const Rule& rule, std::uint32_t v) { return rule.uid && rule.uid->contains(v); });
  flow.sport = outside<std::uint16_t>(rules, [](const Rule& rule, std::uint16_t v) {
    return rule.sport && rule.sport->contains(v);
  });
  flow.dport = outside<std::uint16_t>(rules, [](const Rule& rule, std::uint16_t v) {
    return rule.dport && rule.dport->contains(v);
  });
  return flow;
}

void collect(const Snapshot& host, InPlay& play) {
  for (const Route& route : host.routes) {
    if (route.family() == Family::v4) play.destinations.insert(route.dst.network());
  }
  for (const Rule& rule : host.rules) {
    if (rule.family != Family::v4) continue;
    if (rule.to) play.destinations.insert(rule.to->network());
    if (rule.ours()) continue;
    if (rule.from) play.sources.insert(rule.from->network());
    play.foreign.push_back(&rule);
  }
}

/// Flows that differ in what rules select by besides addresses: one that meets each rule and one
/// that meets none. Pairs of rules need none of their own: the first that matches decides, and that
/// rule's own flow shows it.
void make_flows(const Snapshot& host, InPlay& play) {
  for (const Flow& base : {Flow{}, outsider(play.foreign)}) {
    add(play.sent, base);
    for (const Rule* rule : play.foreign) {
      const Flow flow = meeting(*rule, base, host);
      add(flow.iif ? play.forwarded : play.sent, flow);
    }
    // Links that no rule names are alike to the tables: one that forwards stands for them.
    for (const Link& link : host.links) {
      const bool named = std::ranges::any_of(
          play.foreign, [&](const Rule* rule) { return rule->iif == link.name; });
      if (named || link.loopback()) continue;
      Flow flow = base;
      flow.iif = link.index;
      if (link.conf.get(Conf::forwarding).value_or(0) == 0) continue;
      for (const Rule* rule : play.foreign) {
        if (rule->iif.empty()) add(play.forwarded, meeting(*rule, flow, host));
      }
      add(play.forwarded, flow);
      break;
    }
  }
  std::erase_if(play.forwarded, [&](const Flow& flow) {
    const Link* link = host.link(*flow.iif);
    return link == nullptr || link->conf.get(Conf::forwarding).value_or(0) == 0;
  });
}

/// An address in `outer` and in no longer prefix of `all`; nothing when those fill it.
std::optional<Ip> representative(const Prefix& outer, const std::set<Prefix>& all) {
  std::uint64_t candidate = outer.address.v4_bits();
  const std::uint64_t last = outer.last().v4_bits();
  // Inner prefixes in order of address; at one address the shorter (which holds the others) first.
  for (auto it = all.upper_bound(outer); it != all.end() && outer.contains(*it); ++it) {
    if (it->address.v4_bits() > candidate) break;
    candidate = std::max(candidate, std::uint64_t{it->last().v4_bits()} + 1);
  }
  if (candidate > last) return std::nullopt;
  return Ip::v4(static_cast<std::uint32_t>(candidate));
}

/// Routes are not compared: their numbers are those of two snapshots.
bool same_way(const Lookup& a, const Lookup& b) {
  return a.verdict == b.verdict && a.errnum == b.errnum && a.link == b.link &&
         a.gateway == b.gateway && a.source == b.source &&
         std::equal(a.candidates.begin(), a.candidates.end(), b.candidates.begin(),
                    b.candidates.end(), [](const Way& x, const Way& y) {
                      return x.link == y.link && x.gateway == y.gateway && x.source == y.source;
                    });
}

}  // namespace

Impact impact(const Snapshot& before, const Snapshot& after, std::span<const SharedSubnet> cured) {
  InPlay play;
  collect(before, play);
  std::vector<std::optional<Ip>> senders{std::nullopt};
  for (const Address& address : before.addresses) {
    if (address.local.family() == Family::v4) senders.emplace_back(address.local.address);
  }
  collect(after, play);
  make_flows(before, play);
  // Cured are flows of an address in our care to a subnet in our care that now take the address's
  // own door, as long as main decided them: a rule that someone else made for them is policy.
  const auto expected = [&](const std::optional<Ip>& source, const Prefix& destinations,
                            const Lookup& old_way, const Lookup& new_way) {
    const bool by_policy = old_way.table.value != 0 && old_way.table != table_main &&
                           old_way.table != table_default &&
                           std::ranges::none_of(before.rules, [&](const Rule& rule) {
                             return rule.ours() && rule.priority == old_way.rule_priority;
                           });
    const bool to_cared = std::ranges::any_of(
        cured, [&](const SharedSubnet& subnet) { return subnet.prefix.contains(destinations); });
    return source && !by_policy && to_cared &&
           std::ranges::any_of(cured, [&](const SharedSubnet& subnet) {
             return std::ranges::any_of(subnet.members, [&](const SharedSubnet::Member& member) {
               return member.address == *source && member.link == new_way.link;
             });
           });
  };
  const Fib was(before);
  const Fib is(after);
  Impact impact;
  const auto compare = [&](const std::optional<Ip>& source, const Prefix& destinations,
                           const Flow& flow) {
    ++impact.classes;
    Lookup old_way = flow.iif ? was.forward(flow) : was.output(flow);
    Lookup new_way = flow.iif ? is.forward(flow) : is.output(flow);
    // What is delivered here is for diagnose(); this is about where packets go.
    if (same_way(old_way, new_way) || (flow.iif && old_way.verdict == Verdict::local)) return;
    const bool cure = !flow.iif && expected(source, destinations, old_way, new_way);
    impact.changed.push_back({source, destinations, std::move(old_way), std::move(new_way), cure});
  };
  for (const Prefix& destinations : play.destinations) {
    const auto destination = representative(destinations, play.destinations);
    if (!destination || destination->is_multicast()) continue;
    for (Flow flow : play.sent) {
      flow.dst = *destination;
      for (const auto& source : senders) {
        flow.src = source.value_or(Ip{});
        compare(source, destinations, flow);
      }
    }
    for (Flow flow : play.forwarded) {
      flow.dst = *destination;
      for (const Prefix& sources : play.sources) {
        const auto source = representative(sources, play.sources);
        if (!source || was.owns(*source)) continue;
        // 0.0.0.0/0 has 0.0.0.0 for its lowest address, which no router forwards.
        flow.src = source->is_unspecified() ? Ip::v4(0x01000001) : *source;
        compare(flow.src, destinations, flow);
      }
    }
  }
  std::ranges::stable_sort(impact.changed, {}, &PathChange::expected);
  return impact;
}

}  // namespace retour
