// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "diagnose/diagnose.h"
#include "model/fib.h"
#include "plan/difference.h"
#include "plan/fingerprint.h"
#include "plan/protection.h"
#include "plan/wanted.h"

namespace retour {

namespace {

/// Links of the subnets that answer ARP for an address of another link.
std::set<IfIndex> loud_links(const Diagnosis& after, const std::vector<SharedSubnet>& subnets) {
  std::set<IfIndex> loud;
  for (const RoundTrip& trip : after.round_trips) {
    const bool cared = std::ranges::any_of(subnets, [&](const SharedSubnet& subnet) {
      return std::ranges::find(subnet.members, trip.local, &SharedSubnet::Member::address) !=
             subnet.members.end();
    });
    if (trip.cause != Cause::flux || !trip.gates_known || !cared) continue;
    for (const IfIndex link : trip.arp_answered_by) {
      if (link != trip.link) loud.insert(link);
    }
  }
  return loud;
}

/// Rules alone do not stop another NIC from answering ARP: those that still do are told to, per
/// device, never `all`. A gate that stands at 1 already would be no change.
std::vector<Change> quiet(const Snapshot& now, const std::set<IfIndex>& loud, Conf conf) {
  std::vector<Change> changes;
  for (const IfIndex index : loud) {
    const Link* link = now.link(index);
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
    if (subnet.routed() || subnet.prefix.family() != Family::v4) continue;
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
        // A NIC without carrier answers for nobody; that others did for it was no way to reach it.
        const Link* owner = before.link(address.link);
        if (owner != nullptr && !owner->carrier()) continue;
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
    if (!finding.evidence) return reason;
    const RoundTrip& trip = plan.after.round_trips[*finding.evidence];
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
  if (auto wanted = want(now, policy, found, subnets)) {
    plan.tables = std::move(wanted->tables);
    if (cause) plan.changes = difference(now, *wanted);
  } else if (cause) {
    plan.refused = wanted.error();
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
      if (std::ranges::find(policy.gates, conf) == policy.gates.end()) continue;
      const auto sysctls = quiet(now, loud, conf);
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
  for (const Rule* rule : rules_of_ours(now)) {
    changes.push_back({DeleteRule{*rule}, "made by retour"});
  }
  for (const Route& route : now.routes) {
    if (route.ours()) changes.push_back({DeleteRoute{route}, "made by retour"});
  }
  return changes;
}

}  // namespace retour
