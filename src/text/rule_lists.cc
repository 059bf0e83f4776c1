// SPDX-License-Identifier: Apache-2.0
//
// `ip rule` and `ip -6 rule`, one after the other. The text does not say its family; addresses do,
// and the rule for table default; where one list ends and the next begins the priorities fall.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "text/import_parts.h"

namespace retour {
namespace {

using RuleSpan = std::span<ImportedRule>;

/// The family the addresses of a list tell; a mixture is an error at the rule that differs.
Result<std::optional<Family>> family_of(RuleSpan list) {
  std::optional<Family> family;
  for (const ImportedRule& rule : list) {
    if (!rule.family_known) continue;
    if (family && *family != rule.rule.family) {
      return fail(input_error(rule.where, "this rule is of another family than those before it",
                              "give `ip rule` first and `ip -6 rule` after it"));
    }
    family = rule.rule.family;
  }
  return family;
}

bool holds(RuleSpan list, std::uint32_t priority, TableId table) {
  return std::ranges::any_of(list, [&](const ImportedRule& each) {
    return each.rule.priority == priority && each.rule.table == table;
  });
}

/// When no address tells: the kernel makes a rule for table default in IPv4 only.
Family likely_family(RuleSpan list, std::optional<Family> before, Notes& notes) {
  if (before) return *before == Family::v4 ? Family::v6 : Family::v4;
  if (holds(list, 32767, table_default)) return Family::v4;
  if (holds(list, 32766, table_main)) {
    notes.add("the rules hold no address and no rule for table default: taken as IPv6 rules");
    return Family::v6;
  }
  notes.add("the rules hold nothing that tells their family: taken as IPv4 rules");
  return Family::v4;
}

std::vector<ImportedRule> settle(RuleSpan list, Family family) {
  std::vector<ImportedRule> rules;
  for (ImportedRule& rule : list) {
    rule.rule.family = family;
    rules.push_back(std::move(rule));
  }
  return rules;
}

Rule default_rule(Family family, std::uint32_t priority, TableId table) {
  Rule rule;
  rule.family = family;
  rule.priority = priority;
  rule.table = table;
  rule.protocol = protocol_kernel;
  return rule;
}

}  // namespace

std::vector<Rule> default_rules(Family family) {
  std::vector<Rule> rules{default_rule(family, 0, table_local),
                          default_rule(family, 32766, table_main)};
  if (family == Family::v4) rules.push_back(default_rule(family, 32767, table_default));
  return rules;
}

Result<ImportedRules> read_rules(const NamedText& from, const TableIds& tables, Notes& notes) {
  auto rules = parse_rules(from, tables, notes);
  if (!rules) return fail(std::move(rules.error()));
  const auto falls = [](const ImportedRule& a, const ImportedRule& b) {
    return b.rule.priority < a.rule.priority;
  };
  ImportedRules out;
  std::optional<Family> before;
  for (auto begin = rules->begin(); begin != rules->end();) {
    const auto fall = std::adjacent_find(begin, rules->end(), falls);
    const auto end = fall == rules->end() ? fall : fall + 1;
    const RuleSpan list(begin, end);
    auto family = family_of(list);
    if (!family) return fail(std::move(family.error()));
    const Family settled = *family ? **family : likely_family(list, before, notes);
    auto& slot = settled == Family::v4 ? out.v4 : out.v6;
    if (slot) {
      Error error = input_error(list.front().where,
                                fmt::format("priority {} is lower than that of the rule before it, "
                                            "and rules of this family were given already",
                                            list.front().rule.priority),
                                "give the output of `ip rule` and of `ip -6 rule` once each");
      error.kind = ErrorKind::contradiction;
      return fail(std::move(error));
    }
    slot = settle(list, settled);
    before = settled;
    begin = end;
  }
  return out;
}

}  // namespace retour
