// SPDX-License-Identifier: Apache-2.0
//
// What a change of rules and routes can reach. A flow that none of the changed rules matches, or
// that none of the routes behind them is for, is decided as before: whoever compares two hosts
// looks at the rest only. Of 256 NICs with a table each, a flow can meet one table of them.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "model/rules.h"
#include "model/snapshot.h"

namespace retour {

class Touched {
 public:
  /// REQUIRES: both outlive it; apart from routes, rules and sysctls they are equal.
  Touched(const Snapshot& before, const Snapshot& after, Family family);

  /// Destinations that may be decided otherwise.
  struct Part {
    Prefix prefix;
    bool any_device{};  ///< else only for what is unbound or bound to one of `devices`
    std::vector<IfIndex> devices;
    [[nodiscard]] bool concerns(const std::optional<IfIndex>& oif) const;
  };
  /// What may be decided otherwise for flows like this one: its destination and oif are not looked
  /// at. Empty: nothing.
  [[nodiscard]] std::vector<const Part*> by(const Flow& flow) const;

  /// A route of this table leads where it led, if it is there before and after.
  [[nodiscard]] bool same_table(TableId table) const {
    return always_.empty() && !tables_.contains(table);
  }
  /// IPv6 has routes for some sources only: a decision alone is not the whole answer
  /// (Lookup::forgotten).
  [[nodiscard]] bool forgets() const { return forgets_; }
  /// The difference is more than routes and rules of ours that came or went: then everything is
  /// taken to be reached.
  [[nodiscard]] bool everything() const { return everything_; }

 private:
  struct Asked {
    RuleList::Entry entry;  ///< without what it asks of destination and oif
    const RuleList* list{};
    std::vector<Part> parts;
  };
  void compare_routes(const Snapshot& before, const Snapshot& after);
  void compare_rules();
  void add_rule(const RuleList& list, const RuleList::Entry& entry, bool changed);
  void compare_gateways(const Snapshot& before, const Snapshot& after);
  [[nodiscard]] bool starts_to_ask_rules(const Snapshot& before) const;

  Family family_;
  RuleList was_;
  RuleList is_;
  const Snapshot& before_;
  const Snapshot& after_;
  bool everything_{};
  bool forgets_{};
  std::vector<const Route*> changed_;  ///< routes
  std::set<TableId> tables_;           ///< that they are in
  std::vector<Asked> rules_;           ///< changed, or looking into a changed table
  std::vector<Part> always_;  ///< for all flows: behind gateways that count no more, or only now
};

}  // namespace retour
