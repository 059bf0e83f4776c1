// SPDX-License-Identifier: Apache-2.0
//
// A routing decision and how it was reached. The explanation is the result: whoever wants the
// answer alone reads `verdict`, whoever wants to know why reads `steps`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/flow.h"
#include "model/objects.h"
#include "model/rule.h"

namespace retour {

enum class Verdict : std::uint8_t {
  unicast,  ///< leaves, or is forwarded, by `link`
  local,    ///< delivered to this host
  broadcast,
  multicast,
  unreachable,  ///< EHOSTUNREACH, or ENETUNREACH from a rule
  prohibit,     ///< EACCES
  blackhole,    ///< EINVAL
  no_route,     ///< no rule led to a route
  martian,      ///< input only: the addresses themselves are impossible here
  rp_filter,    ///< input only: the way back to the source is not by this link
  invalid,      ///< the query itself is refused (source not ours, device down, …)
};

/// What became of one rule while the kernel walked the list.
enum class RuleOutcome : std::uint8_t {
  no_match,    ///< a selector did not match
  no_entry,    ///< matched; its table had no route (or a throw route)
  suppressed,  ///< matched; the route found was dropped by suppress_prefixlength or _ifgroup
  jumped,      ///< goto
  passed,      ///< nop, or a goto whose target is missing
  decided,     ///< this rule made the decision
};

struct Step {
  Rule rule;
  RuleOutcome outcome{};
  std::optional<Route> route;  ///< the route found, also when suppressed
  std::string why;             ///< one clause for people: "from 10.0.0.1 is not 10.0.0.2"
};

struct Lookup {
  Verdict verdict{Verdict::no_route};
  int errnum{};    ///< what the kernel would return; 0 on success
  IfIndex link{};  ///< device of the chosen leg; 0 = none
  std::optional<Ip> gateway;
  std::optional<Ip> source;  ///< output: the source address used
  TableId table{};           ///< 0 = decided without a table
  std::optional<std::uint32_t> rule_priority;
  std::optional<Route> route;
  /// Every leg the kernel may take where it is not determined (multipath); else just `link`.
  std::vector<NextHop> candidates;
  std::vector<Step> steps;
  std::string why;  ///< the deciding reason in a clause

  [[nodiscard]] bool ok() const {
    return verdict == Verdict::unicast || verdict == Verdict::local ||
           verdict == Verdict::broadcast || verdict == Verdict::multicast;
  }
};

}  // namespace retour
