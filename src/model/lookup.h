// SPDX-License-Identifier: Apache-2.0
//
// A routing decision and how it was reached. The explanation is the result: whoever wants the
// answer alone reads `verdict` and `link`, whoever wants to know why reads `steps`. Rules and
// routes are named by their index in the Snapshot that was asked, so that a thousand round trips
// over a thousand rules stay small.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
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
  unreachable,  ///< EHOSTUNREACH from a route, ENETUNREACH from a rule
  prohibit,     ///< EACCES
  blackhole,    ///< EINVAL
  no_route,     ///< no rule led to a route (ENETUNREACH)
  martian,      ///< input: addresses that cannot be here (own source, loopback, …)
  rp_filter,    ///< input: the way back to the source is not by this link
  no_forward,   ///< input: not for this host, and forwarding is off on the link
  invalid,      ///< the query itself is refused: source not ours, device down, …
};

/// "unicast", "no-route", "rp_filter", …
[[nodiscard]] std::string_view name(Verdict verdict);

/// What became of one rule while the kernel walked the list.
enum class RuleOutcome : std::uint8_t {
  no_match,    ///< `selector` did not match
  no_entry,    ///< matched; its table had no route for this flow (or a throw route)
  suppressed,  ///< matched; the route found was dropped by suppress_prefixlength or _ifgroup
  jumped,      ///< goto
  passed,      ///< nop, or a goto whose target is missing
  decided,     ///< this rule made the decision
};

/// The selector of a rule that a flow failed.
enum class Selector : std::uint8_t {
  none,
  iif,
  oif,
  fwmark,
  tun_id,
  l3mdev,
  uid,
  from,
  to,
  tos,
  dscp,
  ip_proto,
  sport,
  dport,
  inverted,
};

struct Step {
  std::uint32_t rule{};  ///< index in Snapshot::rules
  RuleOutcome outcome{};
  Selector selector{};                 ///< for no_match
  std::optional<std::uint32_t> route;  ///< index in Snapshot::routes, also when suppressed
};

struct Lookup {
  Flow flow{};  ///< the question
  Verdict verdict{Verdict::no_route};
  int errnum{};    ///< what the kernel returns; 0 on success
  IfIndex link{};  ///< device of the chosen leg; 0 = none
  std::optional<Ip> gateway;
  std::optional<Ip> source;  ///< output: the source address used
  TableId table{};           ///< 0 = decided without a table
  std::optional<std::uint32_t> rule_priority;
  std::optional<std::uint32_t> route;  ///< index in Snapshot::routes
  /// Every device the kernel may choose where it is not determined (multipath), `link` first.
  std::vector<IfIndex> candidates;
  std::vector<Step> steps;

  [[nodiscard]] bool ok() const { return errnum == 0; }
};

}  // namespace retour
