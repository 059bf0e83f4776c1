// SPDX-License-Identifier: Apache-2.0
#include "differential/self_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/snapshot_json.h"

namespace retour::differential {

std::string lost_in_json(const Snapshot& snapshot) {
  if (const auto sound = contradiction_in(snapshot, "the kernel"); !sound) {
    return "a real host is refused: " + sound.error().message();
  }
  const std::string text = to_json(snapshot);
  const auto read = snapshot_from_json(text, "its JSON");
  if (!read) return "its JSON is refused: " + read.error().message();
  if (*read != snapshot) {
    const auto part = [&] {
      if (read->links != snapshot.links) return "links";
      if (read->addresses != snapshot.addresses) return "addresses";
      if (read->neighbors != snapshot.neighbors) return "neighbours";
      if (read->routes != snapshot.routes) return "routes";
      if (read->rules != snapshot.rules) return "rules";
      if (read->nexthops != snapshot.nexthops) return "nexthops";
      return "something else";
    };
    return fmt::format("its JSON reads as other {}", part());
  }
  return to_json(*read) == text ? "" : "its JSON does not read as it was written";
}

std::string wrong_interval(const Fib& fib, const Flow& flow) {
  const Decision walked = fib.decide(flow);
  const Destinations destinations = fib.destinations(flow);
  const Decision& found = destinations.decide(flow.dst);
  if (found == walked) return {};
  return fmt::format("by intervals {} table {}, by walking {} table {}", name(found.verdict),
                     found.table.value, name(walked.verdict), walked.table.value);
}

std::string wrong_candidates(const Fib& fib, const Lookup& lookup) {
  const Snapshot& snapshot = fib.snapshot();
  for (const Step& step : lookup.steps) {
    if (step.outcome != RuleOutcome::decided && step.outcome != RuleOutcome::suppressed) continue;
    if (!step.route) continue;
    const Rule& rule = snapshot.rules[step.rule];
    const auto considered = fib.consider(rule.table, lookup.flow);
    const auto taken = std::ranges::find(considered, RouteOutcome::taken, &Considered::outcome);
    if (taken == considered.end()) {
      return fmt::format("table {}: nothing is taken of {} candidates, the lookup took {}",
                         rule.table.value, considered.size(),
                         snapshot.routes[*step.route].dst.str());
    }
    // Where the kernel may also take a route that refuses, either may stand first.
    const RouteType type = snapshot.routes[taken->route].type;
    if (lookup.or_errnum != 0 && error_of(type) != 0) continue;
    if (taken->route != *step.route) {
      return fmt::format("table {}: {} is taken, the lookup took {}", rule.table.value,
                         snapshot.routes[taken->route].dst.str(),
                         snapshot.routes[*step.route].dst.str());
    }
  }
  return {};
}

// Impact asks where a packet is sent whose source nobody judges: the ways of one that is judged
// are among those.
std::string wrong_forward(const Fib& fib, const Lookup& lookup) {
  const Flow& flow = lookup.flow;
  if (!flow.iif || !flow.dst.is_v4() || lookup.verdict != Verdict::unicast) return {};
  const Lookup sent = fib.forward(flow);
  for (const Way& way : lookup.candidates) {
    if (std::ranges::find(sent.candidates, way) != sent.candidates.end()) continue;
    return fmt::format("dev {} is taken, but not when the source is not judged",
                       fib.snapshot().link_name(way.link));
  }
  return {};
}

}  // namespace retour::differential
