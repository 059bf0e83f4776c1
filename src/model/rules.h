// SPDX-License-Identifier: Apache-2.0
//
// The rules of one family in the order the kernel tries them, made ready for matching: names
// resolved to links, prefixes to masks, goto to positions. Mirrors net/core/fib_rules.c, which both
// families share; what differs between them (an unset source, tos) is asked for by family.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/decision.h"
#include "model/snapshot.h"

namespace retour {

class RuleList {
 public:
  /// REQUIRES: `snapshot` outlives the list and is not changed.
  RuleList(const Snapshot& snapshot, Family family);

  struct Entry {
    const Rule* rule{};
    std::uint32_t index{};      ///< in Snapshot::rules
    std::uint32_t slot{};       ///< number of its table in tables()
    std::uint32_t selectors{};  ///< bit per Selector that the rule has
    IfIndex iif{};              ///< resolved; a missing device equals no index
    IfIndex oif{};
    Bits from{};
    Bits from_mask{};
    Bits to{};
    Bits to_mask{};
    std::optional<std::size_t> jump{};  ///< position of the goto target in entries()
  };

  /// fib_rule_match() and fib4_ or fib6_rule_match(): the first selector that fails, in their
  /// order; none when all hold. `not` is not applied.
  /// For IPv6 a source of `::` is not known yet, but of a packet that was `received`
  /// (RT6_LOOKUP_F_HAS_SADDR).
  [[nodiscard]] Selector mismatch(const Entry& entry, const Flow& flow,
                                  bool received = false) const;

  /// fib_rules_lookup(): tries rule by rule until one decides. `look(slot)` answers for a table
  /// with a Found. Appends to `steps` when given.
  template <class Look>
  [[nodiscard]] Decision walk(const Flow& flow, const Look& look, std::vector<Step>* steps,
                              bool received = false) const;

  /// The rules that may match flows which differ from this one in the destination alone, decided
  /// but for the destination. Slots stay what they are.
  [[nodiscard]] RuleList narrowed(const Flow& flow) const;

  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  /// The tables that rules look into, each once; a rule's slot is its position here.
  [[nodiscard]] std::span<const TableId> tables() const { return tables_; }
  /// A rule other than those of a fresh namespace is there: rules were touched.
  [[nodiscard]] bool custom() const { return custom_; }
  /// Input lookups see protocol and ports (fib4_rules_early_flow_dissect()).
  [[nodiscard]] bool dissects() const { return dissects_; }
  /// What rules are shown of a packet. One that was received has no user here, and its protocol and
  /// ports are looked into only where some rule asks; of IPv6 the protocol is known always.
  [[nodiscard]] Flow seen(Flow flow) const;
  /// No rule asks for a link: all links decide alike.
  [[nodiscard]] bool blind_to_links() const { return blind_to_links_; }

 private:
  void resolve_gotos();
  /// fib4_rule_suppress(), fib6_rule_suppress(): only successful results are looked at.
  [[nodiscard]] bool suppressed(const Rule& rule, const Found& found) const;

  const Snapshot& snapshot_;
  Family family_;
  std::vector<Entry> entries_;
  std::vector<TableId> tables_;
  bool custom_{};
  bool dissects_{};
  bool blind_to_links_{true};
};

template <class Look>
Decision RuleList::walk(const Flow& flow, const Look& look, std::vector<Step>* steps,
                        bool received) const {
  const auto note = [steps](const Entry& entry, RuleOutcome outcome,
                            Selector selector = Selector::none,
                            std::optional<std::uint32_t> route = {}) {
    if (steps != nullptr) steps->push_back({entry.index, outcome, selector, route});
  };
  const auto failed = [&](const Entry& entry, int error) {
    note(entry, RuleOutcome::decided);
    return Decision{verdict_of_error(error), error, entry.rule, nullptr, nullptr, {}, {}};
  };
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Rule& rule = *entry.rule;
    const Selector missed = entry.selectors == 0 ? Selector::none : mismatch(entry, flow, received);
    if ((missed == Selector::none) == rule.invert) {
      note(entry, RuleOutcome::no_match, rule.invert ? Selector::inverted : missed);
      continue;
    }
    switch (rule.action) {
      case RuleAction::goto_:
        note(entry, entry.jump ? RuleOutcome::jumped : RuleOutcome::passed);
        // A target lies further down (the kernel refuses others), so this always ends.
        if (entry.jump && *entry.jump > i) i = *entry.jump - 1;
        continue;
      case RuleAction::nop:
        note(entry, RuleOutcome::passed);
        continue;
      case RuleAction::lookup:
        break;
      case RuleAction::unreachable:
        return failed(entry, ENETUNREACH);
      case RuleAction::prohibit:
        return failed(entry, EACCES);
      default:
        return failed(entry, EINVAL);
    }
    const Found found = look(entry.slot);
    if (found.errnum == EAGAIN) {
      note(entry, RuleOutcome::no_entry);
      continue;
    }
    if (found.errnum == 0 && suppressed(rule, found)) {
      note(entry, RuleOutcome::suppressed, {}, found.route);
      continue;
    }
    note(entry, RuleOutcome::decided, {}, found.route);
    const Route& route = snapshot_.routes[found.route];
    if (found.errnum != 0) {
      return {verdict_of_error(found.errnum), found.errnum, &rule, &route, nullptr, {}, rule.table};
    }
    return {verdict_of(route.type), 0, &rule, &route, found.leg, found.legs, rule.table};
  }
  return {Verdict::no_route, ENETUNREACH, nullptr, nullptr, nullptr, {}, {}};
}

}  // namespace retour
