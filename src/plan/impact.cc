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
  /// Flows that differ in what else rules select by, one that meets each rule. Pairs of rules need
  /// no flow of their own: the first that matches decides, and that rule's own flow shows it.
  std::vector<Flow> sent{Flow{}};
  std::vector<Flow> forwarded;
};

bool selects(const Flow& flow) {
  return flow.mark != 0 || flow.tos != 0 || flow.ip_proto != 0 || flow.sport != 0 ||
         flow.dport != 0 || flow.uid != 0;
}

/// A flow that meets the selectors of `rule` other than its addresses.
Flow meeting(const Rule& rule, const Snapshot& host) {
  Flow flow;
  if (rule.fwmask != 0) flow.mark = rule.fwmark & rule.fwmask;
  flow.tos = rule.dscp ? static_cast<std::uint8_t>(*rule.dscp << 2U) : rule.tos;
  flow.ip_proto = rule.ip_proto;
  if (rule.sport) flow.sport = rule.sport->first;
  if (rule.dport) flow.dport = rule.dport->first;
  if (rule.uid) flow.uid = rule.uid->first;
  const Link* link = host.link(rule.iif);
  if (link != nullptr && !link->loopback()) flow.iif = link->index;
  return flow;
}

void collect(const Snapshot& host, InPlay& play) {
  for (const Route& route : host.routes) {
    if (route.family() == Family::v4) play.destinations.insert(route.dst.network());
  }
  for (const Rule& rule : host.rules) {
    if (rule.family != Family::v4) continue;
    if (rule.to) play.destinations.insert(rule.to->network());
    if (rule.protocol == protocol_retour) continue;
    if (rule.from) play.sources.insert(rule.from->network());
    const Flow flow = meeting(rule, host);
    if (flow.iif) {
      play.forwarded.push_back(flow);
    } else if (selects(flow)) {
      play.sent.push_back(flow);
    }
  }
  // Links that no rule names are alike to the rules: one that forwards stands for them.
  for (const Link& link : host.links) {
    if (link.conf.get(Conf::forwarding).value_or(0) == 0 || link.loopback()) continue;
    Flow flow;
    flow.iif = link.index;
    play.forwarded.push_back(flow);
    break;
  }
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

bool same_way(const Lookup& a, const Lookup& b) {
  return a.verdict == b.verdict && a.errnum == b.errnum && a.link == b.link &&
         a.gateway == b.gateway && a.source == b.source && a.candidates == b.candidates;
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
  // Cured are flows of an address in our care to its subnet, as long as main decided them: a rule
  // that someone else made for them is policy, not the disease.
  const auto expected = [&](const std::optional<Ip>& source, const Prefix& destinations,
                            const Lookup& old_way) {
    const bool by_policy =
        old_way.table.value != 0 && old_way.table != table_main && old_way.table != table_default &&
        std::ranges::none_of(before.rules, [&](const Rule& rule) {
          return rule.protocol == protocol_retour && rule.priority == old_way.rule_priority;
        });
    return source && !by_policy && std::ranges::any_of(cured, [&](const SharedSubnet& subnet) {
             return subnet.prefix.contains(destinations) &&
                    std::ranges::find(subnet.members, *source, &SharedSubnet::Member::address) !=
                        subnet.members.end();
           });
  };
  const Fib was(before);
  const Fib is(after);
  Impact impact;
  const auto compare = [&](const std::optional<Ip>& source, const Prefix& destinations,
                           const Flow& flow) {
    ++impact.classes;
    Lookup old_way = flow.iif ? was.input(flow) : was.output(flow);
    Lookup new_way = flow.iif ? is.input(flow) : is.output(flow);
    // What is delivered here is for diagnose(); this is about where packets go.
    if (same_way(old_way, new_way) || (flow.iif && old_way.verdict == Verdict::local)) return;
    const bool cure = !flow.iif && expected(source, destinations, old_way);
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
