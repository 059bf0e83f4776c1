// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explanation.h"

#include <utility>

#include "diagnose/remedies.h"
#include "model/fib.h"

namespace retour {

namespace {

std::vector<TableAsked> tables_asked(const Fib& fib, const Flow& seen,
                                     const std::vector<Step>& steps) {
  std::vector<TableAsked> tables;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    const Rule& rule = fib.snapshot().rules[steps[i].rule];
    if (rule.action != RuleAction::lookup || steps[i].outcome == RuleOutcome::no_match) continue;
    TableAsked asked{i, rule.table, fib.consider(rule.table, seen)};
    // While local and main are one, each rule is shown what is its own.
    std::erase_if(asked.routes, [&](const Considered& considered) {
      return fib.snapshot().routes[considered.route].table != rule.table;
    });
    tables.push_back(std::move(asked));
  }
  return tables;
}

}  // namespace

Explanation lay_open(const Fib& fib, Lookup lookup) {
  Explanation found;
  const bool v4 = lookup.flow.dst.is_v4();
  found.seen = (v4 ? fib.v4().rules() : fib.v6().rules()).seen(lookup.flow);
  found.tables = tables_asked(fib, found.seen, lookup.steps);
  if (lookup.source_check) {
    found.way_back = tables_asked(fib, lookup.source_check->flow, lookup.source_check->steps);
  }
  found.lookup = std::move(lookup);
  return found;
}

Explanation explain(const Fib& fib, const Flow& flow) {
  Explanation found = lay_open(fib, fib.look(flow));
  found.remedies = remedies(fib.snapshot(), found);
  found.if_set = if_set(fib.snapshot(), found);
  return found;
}

}  // namespace retour
