// SPDX-License-Identifier: Apache-2.0
//
// A routing decision and how it was reached. The explanation is the result: whoever wants the
// answer alone reads `verdict` and `link`, whoever wants to know why reads `steps`. Rules and
// routes are named by their index in the Snapshot that was asked, so that a thousand round trips
// over a thousand rules stay small.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/conf.h"
#include "model/flow.h"
#include "model/objects.h"
#include "model/rule.h"

namespace retour {

enum class Verdict : std::uint8_t {
  unicast,  ///< leaves, or is forwarded, by `link`
  local,    ///< delivered to this host
  broadcast,
  multicast,
  anycast,
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
  flowlabel,
  inverted,
};

struct Step {
  std::uint32_t rule{};  ///< index in Snapshot::rules
  RuleOutcome outcome{};
  Selector selector{};                 ///< for no_match
  std::optional<std::uint32_t> route;  ///< index in Snapshot::routes, also when suppressed
};

/// What became of one route that holds the destination, in a table that was asked.
enum class RouteOutcome : std::uint8_t {
  taken,         ///< the table's answer; also a blackhole, unreachable, prohibit or throw route
  or_taken,      ///< IPv6: as possible an answer, by what the kernel may have lost sight of
  other_tos,     ///< its tos is not the packet's
  other_scope,   ///< its scope is wider than what was asked for (SO_DONTROUTE)
  dead,          ///< no leg on a link that is up
  linkdown,      ///< only legs without carrier, and ignore_routes_with_linkdown is set
  other_device,  ///< no leg by the link that the packet is bound to
  left_out,      ///< hidden: by a nexthop object without a usable leg, or (IPv6) by routes to the
                 ///< same prefix for other sources
  no_answer,     ///< IPv6: its gateways were asked and stayed silent, and something else is there
  outranked,     ///< IPv6: the one taken scores higher (the link asked for, router preference)
  expired,
  other_source,  ///< IPv6: its `from` prefix does not hold the source
  not_reached,   ///< something before it was taken: a longer prefix, a lower metric, or its elder
};

/// "taken", "other-tos", …
[[nodiscard]] std::string_view name(RouteOutcome outcome);

struct Considered {
  std::uint32_t route{};  ///< index in Snapshot::routes
  RouteOutcome outcome{};
  friend bool operator==(const Considered&, const Considered&) = default;
};

/// One way that a packet may take.
struct Way {
  IfIndex link{};
  std::optional<Ip> gateway;
  std::optional<Ip> source;
  std::optional<std::uint32_t> route;  ///< index in Snapshot::routes
  friend bool operator==(const Way&, const Way&) = default;
};

/// The reverse-path check of a received packet (fib_validate_source()): the lookup of the way back
/// to its source, and what the gate made of it.
struct SourceCheck {
  Flow flow;                ///< of the reverse lookup
  EffectiveConf rp_filter;  ///< of the receiving link
  EffectiveConf accept_local;
  bool looked_up{};  ///< false: settled without one (own sources are refused, all else passes)
  Verdict way_back{Verdict::no_route};
  int errnum{};
  std::vector<IfIndex> links;  ///< every leg's device on the way back
  std::optional<std::uint32_t> rule_priority;
  std::optional<std::uint32_t> route;
  TableId table{};
  bool passed{};
  std::vector<Step> steps;
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
  /// Where the kernel is not determined (multipath, equal default routes): the exact set of ways
  /// it may take, the one above first. Empty when it leaves by no link.
  std::vector<Way> candidates;
  int or_errnum{};  ///< some ways are refused with this, and the kernel may choose them; 0 = none
  /// IPv6: of how many prefixes with routes for some sources the steps take the kernel to have lost
  /// sight, see Fib::consider().
  std::uint8_t forgotten{};
  std::vector<Step> steps;
  std::optional<SourceCheck> source_check;  ///< input only, when it was reached

  [[nodiscard]] bool ok() const { return errnum == 0; }
  /// The links that it leaves or may leave by, each once, `link` first; none when by no link.
  [[nodiscard]] std::vector<IfIndex> links() const;
  /// Whatever the kernel chooses, it leaves by `link`.
  [[nodiscard]] bool one_link() const {
    return std::ranges::all_of(candidates, [this](const Way& way) { return way.link == link; });
  }
};

}  // namespace retour
