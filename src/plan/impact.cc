// SPDX-License-Identifier: Apache-2.0
//
// Which flows a plan moves. Prefixes nest or are disjoint, so all destinations whose innermost
// prefix in play (of any route or rule, before or after) is the same are decided alike: one
// representative of each stands for all of them. Per source and mark that is the whole address
// space, exactly, in as many lookups as there are prefixes.
#include <algorithm>
#include <map>
#include <set>

#include "model/fib.h"
#include "plan/plan.h"

namespace retour {

namespace {

void collect(const Snapshot& host, std::set<Prefix>& prefixes, std::set<std::uint32_t>& marks) {
  for (const Route& route : host.routes) {
    if (route.family() == Family::v4) prefixes.insert(route.dst.network());
  }
  for (const Rule& rule : host.rules) {
    if (rule.family != Family::v4) continue;
    if (rule.to) prefixes.insert(rule.to->network());
    if (rule.fwmask != 0) marks.insert(rule.fwmark & rule.fwmask);
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
  std::set<Prefix> prefixes{Prefix::all(Family::v4)};
  std::set<std::uint32_t> marks{0};
  collect(before, prefixes, marks);
  collect(after, prefixes, marks);
  std::vector<std::optional<Ip>> sources{std::nullopt};
  for (const Address& address : before.addresses) {
    if (address.local.family() == Family::v4) sources.emplace_back(address.local.address);
  }
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
  for (const Prefix& destinations : prefixes) {
    const auto destination = representative(destinations, prefixes);
    if (!destination || destination->is_multicast()) continue;
    for (const auto& source : sources) {
      for (const std::uint32_t mark : marks) {
        Flow flow;
        flow.src = source.value_or(Ip{});
        flow.dst = *destination;
        flow.mark = mark;
        ++impact.classes;
        Lookup old_way = was.output(flow);
        Lookup new_way = is.output(flow);
        if (same_way(old_way, new_way)) continue;
        const bool cure = expected(source, destinations, old_way);
        impact.changed.push_back(
            {source, destinations, mark, std::move(old_way), std::move(new_way), cure});
      }
    }
  }
  std::ranges::stable_sort(impact.changed, {}, &PathChange::expected);
  return impact;
}

}  // namespace retour
