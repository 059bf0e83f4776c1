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

namespace {

/// Of one table, what is shown to the rule of that table while local and main are one.
std::vector<Considered> considered_in(const Fib& fib, TableId table, const Lookup& lookup) {
  auto all = fib.consider(table, lookup.flow, lookup.forgotten);
  std::erase_if(all, [&](const Considered& each) {
    return fib.snapshot().routes[each.route].table != table;
  });
  return all;
}

/// Every route of the table that holds the destination, once.
bool complete(const Snapshot& snapshot, TableId table, const Ip& dst,
              const std::vector<Considered>& considered) {
  std::vector<std::uint32_t> listed, there;
  for (const Considered& each : considered) listed.push_back(each.route);
  for (std::uint32_t i = 0; i < snapshot.routes.size(); ++i) {
    const Route& route = snapshot.routes[i];
    const bool holds = route.family() == dst.family() && route.dst.network().contains(dst);
    if (route.table == table && holds) there.push_back(i);
  }
  std::ranges::sort(listed);
  return listed == there;
}

std::string wrong_answer(const Snapshot& snapshot, const Step& step,
                         const std::vector<Considered>& considered) {
  const auto words = [&](std::optional<std::uint32_t> route) {
    return route ? snapshot.routes[*route].dst.str() : std::string("nothing");
  };
  if (std::ranges::count(considered, RouteOutcome::taken, &Considered::outcome) > 1) {
    return "more than one is taken";
  }
  const auto at = std::ranges::find(considered, RouteOutcome::taken, &Considered::outcome);
  const auto taken = at != considered.end() ? std::optional(at->route) : std::nullopt;
  if (step.outcome == RuleOutcome::no_entry) {
    const bool none = !taken || snapshot.routes[*taken].type == RouteType::throw_;
    return none ? "" : fmt::format("{} is taken, the lookup found no entry", words(taken));
  }
  if (taken == step.route) return {};
  return fmt::format("{} is taken, the lookup took {}", words(taken), words(step.route));
}

}  // namespace

std::string wrong_candidates(const Fib& fib, const Lookup& lookup) {
  const Snapshot& snapshot = fib.snapshot();
  const bool v6 = !lookup.flow.dst.is_v4();
  for (const Step& step : lookup.steps) {
    const Rule& rule = snapshot.rules[step.rule];
    if (rule.action != RuleAction::lookup || step.outcome == RuleOutcome::no_match) continue;
    const auto considered = considered_in(fib, rule.table, lookup);
    if (!complete(snapshot, rule.table, lookup.flow.dst, considered)) {
      return fmt::format("table {}: not every route is listed once", rule.table.value);
    }
    const std::string wrong = wrong_answer(snapshot, step, considered);
    if (!wrong.empty()) return fmt::format("table {}: {}", rule.table.value, wrong);
    for (const Way& way : lookup.candidates) {
      if (!v6 || !way.route) continue;
      // Those that share a nexthop object stand for one another.
      const Route& route = snapshot.routes[*way.route];
      if (route.table != rule.table || route.nexthop_id != 0) continue;
      const auto it = std::ranges::find(considered, *way.route, &Considered::route);
      const bool known = it != considered.end() && (it->outcome == RouteOutcome::taken ||
                                                    it->outcome == RouteOutcome::or_taken);
      if (!known) return fmt::format("{} is a candidate, but not taken", route.dst.str());
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
