// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explanation.h"

#include <algorithm>
#include <utility>

#include "diagnose/remedies.h"
#include "model/fib.h"

namespace retour {

namespace {

std::vector<TableAsked> tables_asked(const Fib& fib, const Flow& seen,
                                     const std::vector<Step>& steps, std::uint8_t forgotten) {
  std::vector<TableAsked> tables;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    const Rule& rule = fib.snapshot().rules[steps[i].rule];
    if (rule.action != RuleAction::lookup || steps[i].outcome == RuleOutcome::no_match) continue;
    TableAsked asked{i, rule.table, fib.consider(rule.table, seen, forgotten)};
    // While local and main are one, each rule is shown what is its own.
    std::erase_if(asked.routes, [&](const Considered& considered) {
      return fib.snapshot().routes[considered.route].table != rule.table;
    });
    tables.push_back(std::move(asked));
  }
  return tables;
}

}  // namespace

Explanation lay_open(const Fib& fib, Lookup lookup) {
  Explanation found;
  const bool v4 = lookup.flow.dst.is_v4();
  found.seen = (v4 ? fib.v4().rules() : fib.v6().rules()).seen(lookup.flow);
  found.tables = tables_asked(fib, found.seen, lookup.steps, lookup.forgotten);
  if (lookup.source_check) {
    found.way_back = tables_asked(fib, lookup.source_check->flow, lookup.source_check->steps, 0);
  }
  found.merged = lookup.flow.dst.is_v4() && fib.v4().merged();
  found.lookup = std::move(lookup);
  return found;
}

Explanation explain(const Fib& fib, const Flow& flow) {
  Explanation found = lay_open(fib, fib.look(flow));
  if (!flow.iif && !flow.dst.is_v4()) {
    const Lookup& asked = found.lookup;
    Lookup got = fib.v6().connect(flow);
    if (got.errnum != asked.errnum || got.link != asked.link || got.gateway != asked.gateway ||
        (flow.src.is_unspecified() && got.source != asked.source)) {
      found.socket = std::move(got);
    }
  }
  found.remedies = remedies(fib.snapshot(), found);
  found.if_set = if_set(fib.snapshot(), found);
  return found;
}

std::vector<Gate> gates_of(const Snapshot& host, const Lookup& lookup) {
  std::vector<Gate> gates;
  if (!lookup.flow.iif || !lookup.flow.dst.is_v4()) return gates;
  const IfIndex in = *lookup.flow.iif;
  const auto look = [&](Conf conf, bool matters) {
    gates.push_back({in, conf, host.effective(in, conf), matters});
  };
  if (const auto& check = lookup.source_check) {
    gates.push_back({in, Conf::rp_filter, check->rp_filter, check->looked_up || check->passed});
    // It is asked for own addresses alone.
    const bool own = check->looked_up ? check->way_back == Verdict::local : !check->passed;
    look(Conf::accept_local, own);
    if (lookup.flow.mark != 0) look(Conf::src_valid_mark, true);
  }
  if (!lookup.steps.empty() &&
      (!lookup.route || host.routes[*lookup.route].type == RouteType::unicast)) {
    look(Conf::forwarding, true);
  }
  if (lookup.flow.src.is_loopback() || lookup.flow.dst.is_loopback()) {
    look(Conf::route_localnet, true);
  }
  return gates;
}

std::optional<Gate> silencer(const Snapshot& host, const ArpReception& heard) {
  Conf conf{};
  switch (heard.silent_because) {
    case Cause::rp_filter:
      conf = Conf::rp_filter;
      break;
    case Cause::arp_filter:
      conf = Conf::arp_filter;
      break;
    case Cause::arp_ignore:
      conf = Conf::arp_ignore;
      break;
    default:
      return std::nullopt;
  }
  EffectiveConf value = host.effective(heard.link, conf);
  if (!value.known) value.value = 1;  // as it was assumed, or it would not be silent
  return Gate{heard.link, conf, value, true};
}

std::vector<Gate> gates_of(const Snapshot& host, const TripExplanation& found) {
  std::vector<Gate> gates;
  const auto add = [&](const Gate& gate) {
    const auto same = [&](const Gate& other) {
      return other.link == gate.link && other.conf == gate.conf;
    };
    if (std::ranges::none_of(gates, same)) gates.push_back(gate);
  };
  for (const ArpReception& heard : found.trip.arp) {
    if (const auto gate = silencer(host, heard)) add(*gate);
  }
  const bool sent = found.trip.arp.empty() || !found.trip.arp_answered_by.empty();
  for (const Gate& gate : gates_of(host, (sent ? found.request : found.arp).lookup)) add(gate);
  return gates;
}

}  // namespace retour
