// SPDX-License-Identifier: Apache-2.0
#include "plan/difference.h"

#include <algorithm>
#include <set>

namespace retour {

namespace {

bool same_key(const Route& a, const Route& b) {
  return a.dst == b.dst && a.table == b.table && a.tos == b.tos && a.metric == b.metric;
}

}  // namespace

std::vector<const Rule*> rules_of_ours(const Snapshot& now) {
  std::vector<const Rule*> list;
  for (const Rule& rule : now.rules) {
    if (rule.ours()) list.push_back(&rule);
  }
  std::stable_partition(list.begin(), list.end(),
                        [](const Rule* rule) { return rule->from.has_value(); });
  return list;
}

std::vector<Change> difference(const Snapshot& now, const Wanted& wanted) {
  std::vector<Change> changes;
  std::set<const Route*> kept_routes;
  std::set<const Rule*> kept_rules;
  for (const Change& change : wanted.routes) {
    const Route& route = std::get<AddRoute>(change.operation).route;
    const auto it =
        std::ranges::find_if(now.routes, [&](const Route& r) { return same_route(r, route); });
    if (it != now.routes.end()) {
      kept_routes.insert(&*it);
      continue;
    }
    // The kernel keeps one route of a key: ours with an old source must make room first.
    const auto old = std::ranges::find_if(
        now.routes, [&](const Route& r) { return r.ours() && same_key(r, route); });
    if (old != now.routes.end()) {
      changes.push_back({DeleteRoute{*old}, "makes room for the one that follows"});
      kept_routes.insert(&*old);
    }
    changes.push_back(change);
  }
  for (const auto* list : {&wanted.guards, &wanted.rules}) {
    for (const Change& change : *list) {
      const Rule& rule = std::get<AddRule>(change.operation).rule;
      const auto it = std::ranges::find_if(
          now.rules, [&](const Rule& r) { return same_rule(r, rule) && !kept_rules.contains(&r); });
      if (it == now.rules.end()) {
        changes.push_back(change);
      } else {
        kept_rules.insert(&*it);
      }
    }
  }
  for (const Rule* rule : rules_of_ours(now)) {
    if (!kept_rules.contains(rule)) {
      changes.push_back({DeleteRule{*rule}, "ours, and no longer of use"});
    }
  }
  for (const Route& route : now.routes) {
    if (route.ours() && !kept_routes.contains(&route)) {
      changes.push_back({DeleteRoute{route}, "ours, and no longer of use"});
    }
  }
  return changes;
}

}  // namespace retour
