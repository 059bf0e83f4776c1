// SPDX-License-Identifier: Apache-2.0
//
// Rules that fib_nl2rule(), fib4_rule_configure() and fib6_rule_configure() refuse, and lists of
// them that no kernel keeps.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "text/contradiction.h"
#include "text/printable.h"

namespace retour {
namespace {

std::string flaw_of_ports(std::string_view word, const std::optional<Range<std::uint16_t>>& ports,
                          std::uint16_t mask) {
  if (!ports) return {};
  if (ports->first == 0 || ports->last == 0xffff || ports->first > ports->last) {
    return fmt::format("has {} {} to {}: ports of rules are 1 to 65534", word, ports->first,
                       ports->last);
  }
  if (mask == 0xffff) return {};
  if (ports->first != ports->last) return fmt::format("has a range and a mask of {}", word);
  if ((ports->first & ~mask) != 0) {
    return fmt::format("has {} {:#x} with bits outside its mask {:#x}", word, ports->first, mask);
  }
  return {};
}

std::string flaw_of_traffic_class(const Rule& rule) {
  constexpr unsigned legacy_tos = 0x1c;  // IPTOS_TOS_MASK
  constexpr std::uint32_t twenty_bits = 0xfffff;
  if (rule.family == Family::v4 && (rule.tos & ~legacy_tos) != 0) {
    return fmt::format("has tos {:#x}: of IPv4 rules only {:#x} is looked at", rule.tos,
                       legacy_tos);
  }
  if (rule.dscp && rule.tos != 0) return "has both tos and dscp";
  if (rule.dscp && (*rule.dscp & ~rule.dscp_mask) != 0) {
    return fmt::format("has dscp {:#x} with bits outside its mask {:#x}", *rule.dscp,
                       rule.dscp_mask);
  }
  if (rule.flowlabel == 0 && rule.flowlabel_mask == 0) return {};
  if (rule.family == Family::v4) return "has a flow label, which only IPv6 has";
  if (((rule.flowlabel | rule.flowlabel_mask) & ~twenty_bits) != 0 ||
      (rule.flowlabel & ~rule.flowlabel_mask) != 0) {
    return fmt::format("has flowlabel {:#x} with bits outside its mask {:#x}", rule.flowlabel,
                       rule.flowlabel_mask);
  }
  return {};
}

std::string flaw_of_selectors(const Rule& rule) {
  for (const auto& prefix : {rule.from, rule.to}) {
    if (prefix && prefix->family() != rule.family) {
      return fmt::format("has {}, which is of another family", prefix->str());
    }
  }
  if (rule.uid && rule.uid->first > rule.uid->last) {
    return fmt::format("has uidrange {}-{}", rule.uid->first, rule.uid->last);
  }
  for (std::string why : {flaw_of_ports("sport", rule.sport, rule.sport_mask),
                          flaw_of_ports("dport", rule.dport, rule.dport_mask)}) {
    if (!why.empty()) return why;
  }
  return flaw_of_traffic_class(rule);
}

std::string flaw_of_action(const Rule& rule) {
  if (rule.action == RuleAction::goto_ && rule.goto_target <= rule.priority) {
    return fmt::format("goes back to {}", rule.goto_target);
  }
  if (rule.action != RuleAction::goto_ && rule.goto_target != 0) {
    return fmt::format("has a goto to {}, and another action", rule.goto_target);
  }
  if (rule.l3mdev && rule.table.value != 0) return "has both l3mdev and a table";
  if (rule.action == RuleAction::lookup && rule.table.value == 0 && !rule.l3mdev) {
    return "looks up no table";
  }
  return {};
}

std::string flaw(const Rule& rule) {
  std::string why = flaw_of_selectors(rule);
  return why.empty() ? flaw_of_action(rule) : why;
}

/// What a rule says of others: of the device it names, of the rule it goes to.
std::string flaw_among(const Rule& rule, const Snapshot& snapshot,
                       const std::unordered_set<std::uint32_t>& priorities) {
  const std::pair<const std::string&, bool> devices[] = {{rule.iif, rule.iif_detached},
                                                         {rule.oif, rule.oif_detached}};
  for (const auto& [name, detached] : devices) {
    // The other way round is no contradiction: the name may be an altname.
    if (detached && snapshot.link(name) != nullptr) {
      return fmt::format("is detached from {}, and there is such a link", printable(name));
    }
  }
  if (rule.action != RuleAction::goto_) return {};
  const bool there = priorities.contains(rule.goto_target);
  if (there && rule.goto_unresolved) {
    return fmt::format("has an unresolved goto to {}, and there is such a rule", rule.goto_target);
  }
  if (!there && !rule.goto_unresolved) {
    return fmt::format("goes to {}, and there is no such rule: its goto would be unresolved",
                       rule.goto_target);
  }
  return {};
}

}  // namespace

void check_rules(const Snapshot& snapshot, const Contradict& contradict) {
  std::array<std::unordered_set<std::uint32_t>, 2> priorities;
  std::array<const Rule*, 2> before{};
  for (const Rule& rule : snapshot.rules) {
    priorities[static_cast<std::size_t>(rule.family)].insert(rule.priority);
  }
  for (std::size_t i = 0; i < snapshot.rules.size(); ++i) {
    const Rule& rule = snapshot.rules[i];
    const auto family = static_cast<std::size_t>(rule.family);
    std::string why = flaw(rule);
    if (why.empty()) why = flaw_among(rule, snapshot, priorities[family]);
    if (before[family] != nullptr && rule.priority < before[family]->priority) {
      why = fmt::format("stands behind the rule of priority {}", before[family]->priority);
    }
    before[family] = &rule;
    if (why.empty()) continue;
    return contradict(Part::rules, i,
                      fmt::format("the rule of priority {} {}", rule.priority, why));
  }
}

}  // namespace retour
