// SPDX-License-Identifier: Apache-2.0
#include "differential/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <type_traits>

#include "model/cause.h"

namespace retour::differential {
namespace {

static_assert(std::is_trivially_copyable_v<Tally>);
static_assert(sizeof(Tally) % sizeof(std::uint64_t) == 0);

template <std::size_t N>
std::string named(std::string_view title, const std::array<std::uint64_t, N>& counts,
                  const std::array<std::string_view, N>& names) {
  std::string text = fmt::format("  {:<11}", title);
  for (std::size_t i = 0; i < N; ++i) {
    if (!names[i].empty()) text += fmt::format(" {} {}", names[i], counts[i]);
  }
  return text + "\n";
}

std::string verdicts(std::string_view title, const std::array<std::uint64_t, 13>& counts) {
  static_assert(static_cast<std::size_t>(Verdict::invalid) == 12);
  std::array<std::string_view, 13> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = name(static_cast<Verdict>(i));
  return named(title, counts, names);
}

constexpr std::array<std::string_view, 6> outcomes{"no-match", "no-entry", "suppressed",
                                                   "jumped",   "passed",   "decided"};
constexpr std::array<std::string_view, 17> selectors{
    "",    "iif",  "oif",     "fwmark", "tun_id", "l3mdev",    "uid", "from", "to",
    "tos", "dscp", "ipproto", "sport",  "dport",  "flowlabel", "not", ""};
static_assert(static_cast<std::size_t>(Selector::inverted) == 15);
constexpr std::array<std::string_view, 12> actions{
    "", "lookup", "goto", "nop", "", "", "blackhole", "unreachable", "prohibit", "", "", ""};
constexpr std::array<std::string_view, 12> types{
    "",          "unicast",     "local",    "broadcast", "anycast", "multicast",
    "blackhole", "unreachable", "prohibit", "",          "",        ""};

}  // namespace

void Tally::add(const Tally& other) {
  const auto ours =
      std::span(reinterpret_cast<std::uint64_t*>(this), sizeof(Tally) / sizeof(std::uint64_t));
  const auto* theirs = reinterpret_cast<const std::uint64_t*>(&other);
  for (std::size_t i = 0; i < ours.size(); ++i) ours[i] += theirs[i];
}

void Tally::count(const Snapshot& snapshot, const Lookup& lookup) {
  ++queries;
  ++(lookup.flow.iif ? input : output)[static_cast<std::size_t>(lookup.verdict)];
  for (const Step& step : lookup.steps) {
    ++outcomes[static_cast<std::size_t>(step.outcome)];
    if (step.outcome == RuleOutcome::no_match) {
      ++selectors[static_cast<std::size_t>(step.selector) % selectors.size()];
    } else {
      ++actions[static_cast<std::size_t>(snapshot.rules[step.rule].action) % actions.size()];
    }
  }
  ++candidates[std::min(lookup.candidates.size(), candidates.size() - 1)];
  if (!lookup.route) return;
  const Route& route = snapshot.routes[*lookup.route];
  ++types[static_cast<std::size_t>(route.type) % types.size()];
  if (route.nexthop_id != 0) {
    ++via_objects;
  } else if (route.next_hops.size() > 1) {
    ++via_multipath;
  }
}

std::string Tally::never_met(Family family) const {
  std::string text;
  const auto want = [&](std::string_view what, std::string_view name, std::uint64_t count) {
    if (count == 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, name);
  };
  const bool v4 = family == Family::v4;
  for (const Verdict verdict :
       {Verdict::unicast, Verdict::local, Verdict::multicast, Verdict::anycast,
        Verdict::unreachable, Verdict::prohibit, Verdict::blackhole, Verdict::no_route}) {
    want("output", name(verdict), output[static_cast<std::size_t>(verdict)]);
    if (v4 && verdict == Verdict::anycast) continue;  // refused as a destination
    want("input", name(verdict), input[static_cast<std::size_t>(verdict)]);
  }
  for (const Verdict verdict : {Verdict::broadcast, Verdict::invalid}) {
    if (v4) want("output", name(verdict), output[static_cast<std::size_t>(verdict)]);
  }
  for (const Verdict verdict :
       {Verdict::broadcast, Verdict::martian, Verdict::rp_filter, Verdict::no_forward}) {
    if (v4) want("input", name(verdict), input[static_cast<std::size_t>(verdict)]);
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    want("rule", differential::outcomes[i], outcomes[i]);
  }
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    const auto name = differential::selectors[i];
    if (!name.empty() && (!v4 || name != "flowlabel")) want("selector", name, selectors[i]);
  }
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (!differential::actions[i].empty()) want("action", differential::actions[i], actions[i]);
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (differential::types[i].empty() || (!v4 && differential::types[i] == "broadcast")) continue;
    want("route", differential::types[i], types[i]);
  }
  want("next hops", "of multipath routes", via_multipath);
  want("next hops", "of objects", via_objects);
  want("answers", "that are one of several", not_first);
  // Some ways need a past that the host did not have; most must be met, or the sets are too wide.
  want("sets", "of which half was seen taken", set_members_seen * 2 >= set_members ? 1 : 0);
  return text;
}

std::string Tally::report() const {
  if (arp_requests > 0) {
    std::string text = fmt::format(
        "  hosts       {} ({} skipped)\n  lines       {} of the scripts, {} % accepted\n"
        "  requests    {}: {} answered ({} for others), {} not determined\n  silent     ",
        hosts, skipped_hosts, lines, lines == 0 ? 0 : accepted * 100 / lines, arp_requests,
        arp_answered, arp_proxied, arp_undetermined);
    for (std::size_t i = 1; i < arp_silent.size(); ++i) {
      if (arp_silent[i] > 0)
        text += fmt::format(" {} {}", name(static_cast<Cause>(i)), arp_silent[i]);
    }
    return text + "\n";
  }
  std::uint64_t sets = 0;
  for (std::size_t i = 2; i < candidates.size(); ++i) sets += candidates[i];
  std::string text = fmt::format(
      "  hosts       {} ({} never had a custom rule, {} moved while asked, {} "
      "skipped)\n  lines       {} of the scripts, {} % accepted\n",
      hosts, hosts_without_custom_rules, moved, skipped_hosts, lines,
      lines == 0 ? 0 : accepted * 100 / lines);
  text += verdicts("output", output);
  text += verdicts("input", input);
  text += named("rules", outcomes, differential::outcomes);
  text += named("no-match", selectors, differential::selectors);
  text += named("actions", actions, differential::actions);
  text += named("routes", types, differential::types);
  text +=
      fmt::format("  oracles     {} answers, {} matched entries, {} steps by NETLINK_FIB_LOOKUP\n",
                  queries, matches_asked, steps_asked);
  text += fmt::format("  next hops   {} by multipath routes, {} by nexthop objects\n",
                      via_multipath, via_objects);
  text += fmt::format(
      "  sets        {} answers ({:.2f} %) are one of several; the kernel took another than the "
      "first {} times; sizes",
      sets, queries == 0 ? 0.0 : 100.0 * static_cast<double>(sets) / static_cast<double>(queries),
      not_first);
  for (std::size_t i = 2; i < candidates.size(); ++i)
    text += fmt::format(" {}:{}", i, candidates[i]);
  return text +
         fmt::format("; {} of their {} members were seen taken; {} may be refused, {} were\n",
                     set_members_seen, set_members, may_be_refused, refused);
}

}  // namespace retour::differential
