// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "diagnose/diagnose.h"
#include "model/fib.h"
#include "plan/fingerprint.h"
#include "plan/numbers.h"
#include "plan/protection.h"

namespace retour {

namespace {

struct Wanted {
  std::vector<Change> routes;
  std::vector<Change> guards;
  std::vector<Change> rules;
};

constexpr std::uint16_t rta_metrics = 8;

/// The NIC's own view of the subnet: main's connected route through that NIC alone, with what the
/// owner tuned on it (MTU, congestion window, …).
Route door_route(const Snapshot& now, const SharedSubnet::Member& member, TableId table) {
  Route route;
  route.dst = member.subnet;
  route.table = table;
  route.scope = scope_link;
  route.protocol = protocol_retour;
  route.prefsrc = member.address;
  route.next_hops.push_back(NextHop{member.link, std::nullopt, 0, 1});
  for (const Route& main : now.routes) {
    if (main.table != table_main || main.dst != member.subnet || main.next_hops.size() != 1)
      continue;
    if (main.next_hops.front().link != member.link) continue;
    for (const RawAttribute& attribute : main.other) {
      if (attribute.type == rta_metrics) route.other.push_back(attribute);
    }
    break;
  }
  return route;
}

Rule door_rule(const Ip& address, TableId table, std::uint32_t priority) {
  Rule rule;
  rule.priority = priority;
  rule.from = Prefix::host(address);
  rule.table = table;
  rule.protocol = protocol_retour;
  return rule;
}

/// Whatever main knows better than the subnet itself (a pod's /32, a VPN), now or later, goes
/// before our tables: main is asked first, and only its more specific answers count. Where prefixes
/// overlap, those of the members are no better knowledge: that is what the tables are for.
Rule guard_rule(const SharedSubnet& subnet, std::uint32_t priority) {
  Rule rule;
  rule.priority = priority;
  rule.to = subnet.prefix;
  rule.table = table_main;
  std::uint8_t longest = subnet.prefix.length;
  for (const auto& member : subnet.members) longest = std::max(longest, member.subnet.length);
  rule.suppress_prefixlength = longest;
  rule.protocol = protocol_retour;
  return rule;
}

bool duplicated(const SharedSubnet& subnet, const Ip& address) {
  return std::ranges::count(subnet.members, address, &SharedSubnet::Member::address) > 1;
}

/// Someone else already sends this address through a table of its own.
bool foreign_rule_for(const Snapshot& now, const Ip& address) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return !rule.ours() && rule.family == Family::v4 && !rule.invert && rule.from &&
           *rule.from == Prefix::host(address) && rule.action == RuleAction::lookup;
  });
}

bool is_door_fine(const Diagnosis& found, const Ip& address) {
  return std::ranges::none_of(found.round_trips, [&](const RoundTrip& trip) {
    return trip.local == address && trip.verdict != DoorVerdict::same_door;
  });
}

/// Subnets to be cured: with a finding that policy routing mends, or already in our care.
std::vector<SharedSubnet> in_care(const Snapshot& now, const Diagnosis& found) {
  std::vector<SharedSubnet> chosen;
  for (const SharedSubnet& subnet : found.subnets) {
    const auto is_member = [&](const Ip& ip) {
      return std::ranges::find(subnet.members, ip, &SharedSubnet::Member::address) !=
             subnet.members.end();
    };
    const bool sick = std::ranges::any_of(found.findings, [&](const Finding& finding) {
      return finding.curable && finding.evidence && finding.address && is_member(*finding.address);
    });
    const bool kept = std::ranges::any_of(now.rules, [&](const Rule& rule) {
      return rule.ours() && rule.from && is_member(rule.from->address);
    });
    if (sick || kept) chosen.push_back(subnet);
  }
  return chosen;
}

bool keep_rule(const Snapshot& now, const Ip& address, Wanted& wanted) {
  const auto it = std::ranges::find_if(now.rules, [&](const Rule& rule) {
    return rule.ours() && rule.from == Prefix::host(address);
  });
  if (it == now.rules.end()) return false;
  wanted.rules.push_back({AddRule{*it}, "kept"});
  return true;
}

Wanted want(const Snapshot& now, const Diagnosis& found, const std::vector<SharedSubnet>& subnets,
            Numbers& numbers, std::vector<PlannedTable>& tables) {
  Wanted wanted;
  std::set<TableId> named;
  for (const SharedSubnet& subnet : subnets) {
    bool any = false;
    std::set<std::pair<IfIndex, Prefix>> routed;
    for (const auto& member : subnet.members) {
      const Link* link = now.link(member.link);
      if (link == nullptr || duplicated(subnet, member.address)) continue;
      if (!link->up()) {
        // The kernel takes no route through it now; a rule that it has waits for it.
        any = keep_rule(now, member.address, wanted) || any;
        continue;
      }
      if (foreign_rule_for(now, member.address) && is_door_fine(found, member.address)) continue;
      const TableId table = numbers.table(member.link);
      if (named.insert(table).second) {
        tables.push_back({table, table_name(link->name), member.link});
      }
      if (!member.secondary && routed.emplace(member.link, member.subnet).second) {
        wanted.routes.push_back(
            {AddRoute{door_route(now, member, table)},
             fmt::format("{} reaches {} by itself", link->name, member.subnet.str())});
      }
      wanted.rules.push_back(
          {AddRule{door_rule(member.address, table, numbers.rule(member.address))},
           fmt::format("what {} sends leaves by {}", member.address.str(), link->name)});
      any = true;
    }
    if (any) {
      wanted.guards.push_back(
          {AddRule{guard_rule(subnet, numbers.guard(subnet.prefix))},
           fmt::format("what main knows better than {} stays with main, now and later",
                       subnet.prefix.str())});
    }
  }
  // Highest priority number first: the kernel walks the list to insert, and this walk stays short.
  std::ranges::sort(wanted.rules, std::greater{}, [](const Change& change) {
    return std::get<AddRule>(change.operation).rule.priority;
  });
  return wanted;
}

bool equal_route(const Route& a, const Route& b) {
  return a.dst == b.dst && a.table == b.table && a.prefsrc == b.prefsrc && a.type == b.type &&
         a.metric == b.metric && a.tos == b.tos &&
         std::ranges::equal(a.next_hops, b.next_hops, [](const NextHop& x, const NextHop& y) {
           return x.link == y.link && x.gateway == y.gateway;
         });
}

bool same_key(const Route& a, const Route& b) {
  return a.dst == b.dst && a.table == b.table && a.tos == b.tos && a.metric == b.metric;
}

/// What is wanted and not there, then what is ours and not wanted: make before break.
std::vector<Change> difference(const Snapshot& now, const Wanted& wanted) {
  std::vector<Change> changes;
  std::set<const Route*> kept_routes;
  std::set<const Rule*> kept_rules;
  for (const Change& change : wanted.routes) {
    const Route& route = std::get<AddRoute>(change.operation).route;
    const auto it = std::ranges::find_if(
        now.routes, [&](const Route& r) { return r.ours() && equal_route(r, route); });
    if (it != now.routes.end()) {
      kept_routes.insert(&*it);
      continue;
    }
    // The kernel keeps one route of a key: ours with an old source must make room first.
    const auto old = std::ranges::find_if(
        now.routes, [&](const Route& r) { return r.ours() && same_key(r, route); });
    if (old != now.routes.end()) {
      changes.push_back({DeleteRoute{*old}, "makes room for the one that follows"});
      kept_routes.insert(&*old);
    }
    changes.push_back(change);
  }
  for (const auto* list : {&wanted.guards, &wanted.rules}) {
    for (const Change& change : *list) {
      const Rule& rule = std::get<AddRule>(change.operation).rule;
      const auto it = std::ranges::find_if(
          now.rules, [&](const Rule& r) { return r == rule && !kept_rules.contains(&r); });
      if (it == now.rules.end()) {
        changes.push_back(change);
      } else {
        kept_rules.insert(&*it);
      }
    }
  }
  for (const Rule& rule : now.rules) {
    if (rule.ours() && rule.family == Family::v4 && !kept_rules.contains(&rule)) {
      changes.push_back({DeleteRule{rule}, "ours, and no longer of use"});
    }
  }
  for (const Route& route : now.routes) {
    if (route.ours() && route.family() == Family::v4 && !kept_routes.contains(&route)) {
      changes.push_back({DeleteRoute{route}, "ours, and no longer of use"});
    }
  }
  return changes;
}

/// Links of the subnets that answer ARP for an address of another link.
std::set<IfIndex> loud_links(const Diagnosis& after, const std::vector<SharedSubnet>& subnets) {
  std::set<IfIndex> loud;
  for (const RoundTrip& trip : after.round_trips) {
    const bool cared = std::ranges::any_of(
        subnets, [&](const SharedSubnet& subnet) { return subnet.prefix.contains(trip.local); });
    if (trip.cause != Cause::flux || !trip.gates_known || !cared) continue;
    for (const IfIndex link : trip.arp_answered_by) {
      if (link != trip.link) loud.insert(link);
    }
  }
  return loud;
}

/// Rules alone do not stop another NIC from answering ARP: those that still do are told to, per
/// device, never `all`. A gate that stands at 1 already would be no change.
std::vector<Change> quiet(const Snapshot& rehearsed, const std::set<IfIndex>& loud, Conf conf) {
  std::vector<Change> changes;
  for (const IfIndex index : loud) {
    const Link* link = rehearsed.link(index);
    const std::int32_t before = link->conf.get(conf).value_or(0);
    if (before == 1) continue;
    changes.push_back({SetConf{index, link->name, conf, before, 1},
                       fmt::format("{} answers ARP for addresses of other NICs", link->name)});
  }
  return changes;
}

/// An address of this host (a service address on `lo`, say) that some NIC answered for before and
/// none does after.
std::optional<Ip> silenced(const Snapshot& before, const Snapshot& after,
                           const Diagnosis& diagnosis) {
  const Fib was(before);
  const Fib is(after);
  for (const SharedSubnet& subnet : diagnosis.subnets) {
    for (const Segment& segment : subnet.segments) {
      // One peer on the segment stands for all of them.
      const auto trip = std::ranges::find_if(diagnosis.round_trips, [&](const RoundTrip& t) {
        return subnet.prefix.contains(t.peer) &&
               std::ranges::find(segment, t.link) != segment.end();
      });
      if (trip == diagnosis.round_trips.end()) continue;
      for (const Address& address : before.addresses) {
        const Ip& ip = address.local.address;
        // What lies beyond the subnet nobody asks for here: it is routed to.
        if (!subnet.prefix.contains(ip)) continue;
        if (!arp_answerers(was, trip->peer, ip, segment).empty() &&
            arp_answerers(is, trip->peer, ip, segment).empty()) {
          return ip;
        }
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> refusal(const Plan& plan) {
  if (plan.changes.empty()) return std::nullopt;
  for (const PathChange& change : plan.impact.changed) {
    if (change.expected) continue;
    return fmt::format("it would move other traffic: {} to {}",
                       change.source ? "from " + change.source->str() : "of unbound sockets",
                       change.destinations.str());
  }
  for (const Finding& finding : plan.after.findings) {
    if (finding.severity != Severity::error || !finding.curable) continue;
    std::string reason = "the host would still not be healthy: " + finding.message;
    const RoundTrip& trip = plan.after.round_trips[finding.evidence.value_or(0)];
    const auto decided = std::ranges::find_if(plan.rehearsed.rules, [&](const Rule& rule) {
      return rule.priority == trip.reply.rule_priority && !rule.ours() &&
             rule.protocol != protocol_kernel;
    });
    if (decided != plan.rehearsed.rules.end()) {
      reason +=
          fmt::format("; rule {}, not retour's, decides it before ours can", decided->priority);
    }
    return reason;
  }
  return std::nullopt;
}

}  // namespace

Plan plan(const Snapshot& now, const Policy& policy, const Diagnosis& found,
          const Connections& connections) {
  Plan plan;
  plan.fingerprint = fingerprint(now);
  const bool cause = std::ranges::any_of(found.findings, &Finding::curable);
  const std::vector<SharedSubnet> subnets = in_care(now, found);
  auto numbers = Numbers::choose(now, subnets);
  if (numbers) {
    const Wanted wanted = want(now, found, subnets, *numbers, plan.tables);
    if (cause) plan.changes = difference(now, wanted);
  } else if (cause) {
    plan.refused = numbers.error();
  }
  plan.rehearsed = rehearse(now, plan.changes);
  plan.after = diagnose(plan.rehearsed, policy);
  if (cause && !plan.refused) {
    const std::vector<Change> rules_only = plan.changes;
    const std::set<IfIndex> loud = loud_links(plan.after, subnets);
    // arp_ignore does not depend on routes and is first choice. arp_filter serves where `all`
    // overrides it, or where an address lives on being answered for by a link it is not on.
    for (const Conf conf : {Conf::arp_ignore, Conf::arp_filter}) {
      if (loud.empty()) break;
      const auto sysctls = quiet(rehearse(now, rules_only), loud, conf);
      plan.changes = rules_only;
      // After the additions, before the removals of rules.
      const auto removals = std::ranges::find_if(plan.changes, [](const Change& change) {
        return std::holds_alternative<DeleteRule>(change.operation);
      });
      plan.changes.insert(removals, sysctls.begin(), sysctls.end());
      plan.rehearsed = rehearse(now, plan.changes);
      plan.after = diagnose(plan.rehearsed, policy);
      const auto lost = silenced(now, plan.rehearsed, plan.after);
      plan.refused = lost
                         ? std::optional("no NIC would answer ARP for " + lost->str() + " any more")
                         : std::nullopt;
      if (!lost && loud_links(plan.after, subnets).empty()) break;
    }
  }
  if (!plan.changes.empty()) plan.impact = impact(now, plan.rehearsed, subnets, policy.protect);
  if (connections) {
    const auto& open = *connections;
    plan.impact.connections = plan.pending() ? moved_connections(now, plan.rehearsed, open)
                                             : std::vector<MovedConnection>();
  }
  if (auto danger = plan.refused ? std::nullopt : endangered(now, policy, plan.impact)) {
    plan.refused = std::move(danger->reason);
    plan.hint = std::move(danger->hint);
  }
  if (!plan.refused) plan.refused = refusal(plan);
  return plan;
}

std::vector<Change> removal(const Snapshot& now) {
  std::vector<Change> changes;
  for (const Rule& rule : now.rules) {
    if (rule.ours()) changes.push_back({DeleteRule{rule}, "made by retour"});
  }
  for (const Route& route : now.routes) {
    if (route.ours()) changes.push_back({DeleteRoute{route}, "made by retour"});
  }
  return changes;
}

}  // namespace retour
