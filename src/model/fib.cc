// SPDX-License-Identifier: Apache-2.0
#include "model/fib.h"

#include <algorithm>
#include <array>

namespace retour {

std::string_view name(Verdict verdict) {
  static constexpr std::array<std::string_view, 13> names{
      "unicast",   "local",    "broadcast", "multicast", "anycast",    "unreachable", "prohibit",
      "blackhole", "no-route", "martian",   "rp_filter", "no-forward", "invalid"};
  static_assert(names.size() == static_cast<std::size_t>(Verdict::invalid) + 1);
  return names[static_cast<std::size_t>(verdict)];
}

std::string_view name(RouteOutcome outcome) {
  static constexpr std::array<std::string_view, 13> names{
      "taken",    "or-taken",     "other-tos",  "other-scope", "dead",
      "linkdown", "other-device", "left-out",   "no-answer",   "outranked",
      "expired",  "other-source", "not-reached"};
  static_assert(names.size() == static_cast<std::size_t>(RouteOutcome::not_reached) + 1);
  return names[static_cast<std::size_t>(outcome)];
}

std::vector<IfIndex> Lookup::links() const {
  std::vector<IfIndex> all;
  if (link.value != 0) all.push_back(link);
  // What is delivered to this host has no way to choose, whatever its route named.
  if (candidates.empty() || candidates.front().link != link) return all;
  for (const Way& way : candidates) {
    if (std::ranges::find(all, way.link) == all.end()) all.push_back(way.link);
  }
  return all;
}

Lookup Fib::output(const Flow& flow) const {
  return flow.dst.is_v4() ? v4_.output(flow) : v6_.output(flow);
}

Lookup Fib::input(const Flow& flow) const {
  return flow.dst.is_v4() ? v4_.input(flow) : v6_.input(flow);
}

Lookup Fib::forward(const Flow& flow) const {
  return flow.dst.is_v4() ? v4_.forward(flow) : v6_.forward(flow);
}

Decision Fib::decide(const Flow& flow, std::vector<Step>* steps) const {
  return flow.dst.is_v4() ? v4_.decide(flow, steps) : v6_.decide(flow, steps);
}

Destinations::Decide Fib::decider(const Flow& flow) const {
  return flow.dst.is_v4() ? v4_.decider(flow) : v6_.decider(flow);
}

Destinations Fib::destinations(const Flow& flow) const {
  return flow.dst.is_v4() ? v4_.destinations(flow) : v6_.destinations(flow);
}

std::vector<Considered> Fib::consider(TableId table, const Flow& flow,
                                      std::uint8_t forgotten) const {
  return flow.dst.is_v4() ? v4_.consider(table, flow) : v6_.consider(table, flow, forgotten);
}

bool Fib::owns(const Ip& ip) const { return ip.is_v4() ? v4_.owns(ip) : v6_.owns(ip); }

bool Fib::owns(const Ip& ip, IfIndex link) const {
  return ip.is_v4() ? v4_.owns(ip, link) : v6_.owns(ip, link);
}

}  // namespace retour
