// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "diagnose/checks/checks.h"

namespace retour {

namespace {

bool has_address(const Snapshot& now, const Ip& ip) {
  return std::ranges::any_of(now.addresses,
                             [&](const Address& address) { return address.local.address == ip; });
}

/// The rule's NIC is down: nothing can be put into its table before it is back.
bool waits_for_link(const Snapshot& now, const Rule& rule) {
  return rule.from && std::ranges::any_of(now.addresses, [&](const Address& address) {
           const Link* link = now.link(address.link);
           return address.local.address == rule.from->address && link != nullptr && !link->up();
         });
}

/// A guard keeps main's knowledge of a prefix before our tables that hold it.
bool guards_something(const CheckInput& input, const Rule& rule) {
  const Prefix guarded = rule.to.value_or(Prefix::all(rule.family)).network();
  const auto in_a_table = [&](const Route& route) {
    return route.ours() && route.dst.network() == guarded;
  };
  return std::ranges::any_of(input.now.routes, in_a_table) ||
         std::ranges::any_of(input.subnets, [&](const SharedSubnet& subnet) {
           return subnet.prefix == guarded ||
                  std::ranges::find(subnet.members, guarded, &SharedSubnet::Member::subnet) !=
                      subnet.members.end();
         });
}

Finding leftover(const char* code, std::string message, std::string cure) {
  Finding finding;
  finding.code = code;
  finding.severity = Severity::warning;
  finding.message = std::move(message);
  finding.cure = std::move(cure);
  finding.curable = true;
  return finding;
}

/// A gateway of ours that main, or the policy, does not name any more.
bool is_stale(const CheckInput& input, const Route& route) {
  const NextHop& leg = route.next_hops.front();
  const Link* link = input.now.link(leg.link);
  // One that is down, or that nobody can measure now, waits.
  if (!leg.gateway || link == nullptr || !link->up() || !link->carrier()) return false;
  return std::ranges::none_of(input.subnets, [&](const SharedSubnet& subnet) {
    return subnet.prefix == route.dst.network() &&
           std::ranges::any_of(subnet.members, [&](const SharedSubnet::Member& member) {
             return member.link == leg.link && member.gateway == leg.gateway;
           });
  });
}

/// A guard that someone deleted: our tables hold what main may know better.
void check_guards(const CheckInput& input, std::vector<Finding>& findings) {
  std::set<Prefix> missing;
  for (const Route& route : input.now.routes) {
    if (!route.ours()) continue;
    const Prefix dst = route.dst.network();
    bool asked = false;
    bool guarded = false;
    for (const Rule& rule : input.now.rules) {
      if (!rule.ours() || rule.family != route.family()) continue;
      asked = asked || (rule.from && rule.table == route.table);
      guarded = guarded || (!rule.from && rule.table == table_main && rule.suppress_prefixlength &&
                            *rule.suppress_prefixlength >= dst.length &&
                            rule.to.value_or(Prefix::all(rule.family)).contains(dst));
    }
    if (!asked || guarded || !missing.insert(dst).second) continue;
    findings.push_back(
        leftover("missing-guard",
                 fmt::format("no rule keeps with main what it knows better than {}: a pod's or a "
                             "VPN's route there is passed over",
                             dst.str()),
                 "retour apply puts it back"));
  }
}

}  // namespace

void check_leftovers(const CheckInput& input, std::vector<Finding>& findings) {
  const Snapshot& now = input.now;
  for (const Rule& rule : now.rules) {
    if (!rule.ours()) continue;
    if (rule.from && !has_address(now, rule.from->address)) {
      Finding finding =
          leftover("stale-rule",
                   fmt::format("rule {} from {} lookup {}: this host no longer has that address",
                               rule.priority, rule.from->str(), rule.table.value),
                   "retour apply removes it");
      finding.address = rule.from->address;
      findings.push_back(std::move(finding));
      continue;
    }
    if (!rule.from) {
      // The landing of jumps goes with the last of them.
      if (rule.action == RuleAction::nop || guards_something(input, rule)) continue;
      findings.push_back(leftover("stale-rule",
                                  fmt::format("rule {} to {}: no NICs share that any more",
                                              rule.priority, rule.to ? rule.to->str() : "all"),
                                  "retour apply removes it"));
      continue;
    }
    const bool served =
        rule.table == table_main || std::ranges::any_of(now.routes, [&](const Route& route) {
          return route.table == rule.table && route.family() == rule.family;
        });
    if (!served && !waits_for_link(now, rule)) {
      Finding finding =
          leftover("empty-table",
                   fmt::format("rule {} looks up table {}, which is empty: did its NIC flap?",
                               rule.priority, rule.table.value),
                   "retour apply puts the route back");
      if (rule.from) finding.address = rule.from->address;
      findings.push_back(std::move(finding));
    }
  }
  for (const Route& route : now.routes) {
    if (!route.ours()) continue;
    const bool looked_up = std::ranges::any_of(now.rules, [&](const Rule& rule) {
      return rule.action == RuleAction::lookup && rule.table == route.table &&
             rule.family == route.family();
    });
    if (looked_up && !route.next_hops.empty() && is_stale(input, route)) {
      Finding finding = leftover(
          "stale-gateway",
          fmt::format(
              "table {} has {} by {}, which is no gateway of {} any more", route.table.value,
              route.dst.length == 0 ? "the default route" : route.dst.str(),
              route.next_hops.front().gateway->str(), now.link_name(route.next_hops.front().link)),
          "retour apply takes the gateway that there is now, or none");
      finding.severity = Severity::error;
      finding.link = route.next_hops.front().link;
      findings.push_back(std::move(finding));
    }
    if (looked_up) continue;
    Finding finding = leftover("stale-route",
                               fmt::format("route {} in table {}: no rule looks that table up",
                                           route.dst.str(), route.table.value),
                               "retour apply removes it, or adds its rule");
    if (!route.next_hops.empty()) finding.link = route.next_hops.front().link;
    findings.push_back(std::move(finding));
  }
  check_guards(input, findings);
}

}  // namespace retour
