// SPDX-License-Identifier: Apache-2.0
#include "model/fib6.h"

#include <algorithm>

#include "model/scope6.h"

namespace retour {

namespace {

constexpr std::uint16_t nud_failed = 0x20;
constexpr std::uint8_t ntf_proxy = 0x08;

}  // namespace

Fib6::Fib6(const Snapshot& snapshot)
    : snapshot_(snapshot),
      nexthops_(snapshot),
      rules_(snapshot, Family::v6),
      sources_(snapshot),
      custom_(snapshot.hidden.custom_rules_v6.value_or(rules_.custom())),
      reachable_(snapshot.conf6_all.get(Conf6::forwarding).value_or(0) == 0) {
  for (const Neighbor& neighbor : snapshot.neighbors) {
    if (!neighbor.address.is_v4() && (neighbor.state & nud_failed) != 0 &&
        (neighbor.flags & ntf_proxy) == 0) {
      failed_.emplace(neighbor.link, neighbor.address);
    }
  }
  compile();
  fill_slots();
}

void Fib6::fill_slots() {
  for (const TableId id : rules_.tables()) slots_.push_back({table(id), false, false});
  for (const RuleList::Entry& entry : rules_.entries()) {
    if (entry.rule->action != RuleAction::lookup) continue;
    Slot& slot = slots_[entry.slot];
    slot.by_leg = slot.by_leg || entry.rule->suppress_ifgroup.has_value();
    slot.by_length = slot.by_length || entry.rule->suppress_prefixlength.has_value();
  }
}

const Fib6::Table* Fib6::table(TableId id) const {
  const auto it = tables_.find(id);
  return it != tables_.end() ? &it->second : nullptr;
}

// ip6_route_output_flags_noref(), ip6_route_input_lookup() and ip6_pol_route().
Fib6::Search Fib6::search_of(const Flow& flow) const {
  Search search;
  search.oif = flow.iif ? *flow.iif : flow.oif.value_or(IfIndex{});
  search.strict = needs_link6(flow.dst) || (!flow.iif && flow.oif && flow.src.is_unspecified());
  search.reachable = reachable_;
  return search;
}

// fib6_node_lookup() and fib6_backtrack(): the routes of one prefix after another, with `taken` for
// those to choose from, else why they are passed over; until `visit(routes, why)` returns true.
template <class Visit>
void Fib6::each_leaf(const Table& table, const Flow& flow, const Search& search,
                     const Visit& visit) const {
  const Ip src(Family::v6, flow.src.bits());
  bool entered = false;
  unsigned left = search.forgotten;
  for (const auto* node = table.index.find(flow.dst.bits()); node != nullptr;
       node = table.index.parent(*node)) {
    const auto at =
        table.subtrees.empty()
            ? table.subtrees.end()
            : table.subtrees.find(static_cast<std::size_t>(node - table.index.nodes().data()));
    if (at == table.subtrees.end()) {
      entered = true;
      if (visit(table.index.entries(*node), RouteOutcome::taken)) return;
      continue;
    }
    const auto fits = [&src](const Branch& branch) { return branch.from.contains(src); };
    const auto& branches = at->second.branches;
    const bool any = std::ranges::any_of(branches, fits);
    const bool forgotten = left > 0 && !entered && at->second.forgets && any;
    if (forgotten) --left;
    entered = entered || (any && !forgotten);
    for (const Branch& branch : branches) {
      const RouteOutcome held = forgotten ? RouteOutcome::left_out : RouteOutcome::taken;
      if (visit(branch.routes, fits(branch) ? held : RouteOutcome::other_source)) return;
    }
    // Where no branch is for this source the kernel leaves the prefix at once, its routes for every
    // source included, unless it comes back from a longer one or has nowhere to go.
    entered = entered || node->length == 0;
    if (at->second.plain.empty()) continue;
    if (visit(at->second.plain, entered ? RouteOutcome::taken : RouteOutcome::left_out)) return;
  }
}

RouteOutcome Fib6::usable(const NextHop& leg) const {
  if (!leg.dead() && !leg.linkdown()) return RouteOutcome::taken;
  const auto on = [&](Conf6 conf) { return snapshot_.effective(leg.link, conf).value != 0; };
  // A dump shows `dead` also for what is merely linkdown while the sysctl says to ignore such
  // routes. It is dead until its link has come up with a carrier.
  const bool ignored = on(Conf6::ignore_routes_with_linkdown);
  const Link* link = snapshot_.link(leg.link);
  const bool gone = link != nullptr && (!link->up() || on(Conf6::disable_ipv6));
  if (leg.dead() && (!leg.linkdown() || !ignored || gone)) return RouteOutcome::dead;
  return leg.linkdown() && ignored ? RouteOutcome::linkdown : RouteOutcome::taken;
}

// rt6_score_route(): negative = not this leg.
int Fib6::score(const Entry& entry, const NextHop& leg, const Search& search) const {
  const bool matches = search.oif.value == 0 || leg.link == search.oif;
  if (!matches && search.strict) return -1;
  if (search.reachable && entry.may_fail && leg.gateway &&
      failed_.contains({leg.link, *leg.gateway})) {
    return -1;
  }
  return (matches ? 2 : 0) + entry.preference * 4;
}

// find_rr_leaf(): the best of the lowest metric, else the best of all others together.
void Fib6::select(std::span<const std::uint32_t> routes, const Search& search,
                  Chosen& chosen) const {
  const std::uint32_t lowest = entry_at(routes.front()).metric;
  for (const std::uint32_t route : routes) {
    const Entry& entry = entry_at(route);
    if (chosen.found && entry.metric != lowest && entry_at(chosen.route).metric == lowest) {
      return;
    }
    if (entry.expired) continue;
    if (entry.blackhole) {
      chosen = {true, route, nullptr, 0};
      return;
    }
    for (const NextHop& leg : entry.legs) {
      if (usable(leg) != RouteOutcome::taken) continue;
      const int its = score(entry, leg, search);
      if (its > chosen.score) chosen = {true, route, &leg, its};
    }
  }
}

// fib6_table_lookup(): once past the gateways that do not answer, then with them. Leaves in
// `search` what found it.
Fib6::Chosen Fib6::choose(const Table& table, const Flow& flow, Search& search) const {
  Chosen chosen;
  const auto visit = [&](std::span<const std::uint32_t> routes, RouteOutcome why) {
    if (why == RouteOutcome::taken) select(routes, search, chosen);
    return chosen.found;
  };
  each_leaf(table, flow, search, visit);
  if (!chosen.found && search.reachable && !failed_.empty()) {
    search.reachable = false;
    each_leaf(table, flow, search, visit);
  }
  return chosen;
}

Found Fib6::find(const Table* table, const Flow& flow, const Search& search) const {
  if (table == nullptr) return {};
  Search pass = search;
  const Chosen chosen = choose(*table, flow, pass);
  if (!chosen.found) return {};
  const Entry& entry = entry_at(chosen.route);
  if (entry.error != 0) return {entry.error, chosen.route, nullptr, {}};
  return {0, chosen.route, chosen.leg, entry.legs};
}

// Why a route for the flow's addresses cannot carry it; `taken` when it could.
RouteOutcome Fib6::why_not(std::uint32_t route, const Search& search) const {
  const Entry& entry = entry_at(route);
  if (entry.expired) return RouteOutcome::expired;
  if (entry.blackhole) return RouteOutcome::taken;
  RouteOutcome why = RouteOutcome::dead;
  for (const NextHop& leg : entry.legs) {
    const RouteOutcome state = usable(leg);
    if (state != RouteOutcome::taken) {
      why = state;
    } else if (score(entry, leg, search) >= 0) {
      return RouteOutcome::taken;
    } else {
      const bool elsewhere = search.strict && search.oif.value != 0 && leg.link != search.oif;
      why = elsewhere ? RouteOutcome::other_device : RouteOutcome::no_answer;
    }
  }
  return why;
}

int Fib6::best_score(std::uint32_t route, const Search& search) const {
  int best = -1;
  for (const NextHop& leg : entry_at(route).legs) {
    if (usable(leg) == RouteOutcome::taken) {
      best = std::max(best, score(entry_at(route), leg, search));
    }
  }
  return best;
}

std::vector<Considered> Fib6::consider(TableId id, const Flow& flow, std::uint8_t forgotten) const {
  const Table* in = table(id);
  std::vector<Considered> all;
  if (in == nullptr) return all;
  std::vector<std::uint32_t> others;
  for (unsigned count = 0; count <= in->forgets; ++count) {
    if (count == forgotten) continue;
    Search search = search_of(flow);
    search.forgotten = static_cast<std::uint8_t>(count);
    const Chosen other = choose(*in, flow, search);
    if (other.found) others.push_back(other.route);
  }
  Search search = search_of(flow);
  search.forgotten = forgotten;
  const Chosen chosen = choose(*in, flow, search);
  bool settled = false;  // a longer prefix has the answer
  each_leaf(*in, flow, search, [&](std::span<const std::uint32_t> routes, RouteOutcome why) {
    const auto answer = std::ranges::find(routes, chosen.route);
    const bool here = chosen.found && answer != routes.end();
    for (auto it = routes.begin(); it != routes.end(); ++it) {
      RouteOutcome outcome = why;
      if (here && it == answer) {
        outcome = RouteOutcome::taken;
      } else if (outcome == RouteOutcome::taken) {
        outcome = settled ? RouteOutcome::not_reached : why_not(*it, search);
      }
      if (here && it != answer && outcome == RouteOutcome::taken) {
        const bool beaten = it < answer || best_score(*it, search) < chosen.score;
        outcome = beaten ? RouteOutcome::outranked : RouteOutcome::not_reached;
      }
      const bool other = std::ranges::find(others, *it) != others.end();
      if (other && outcome != RouteOutcome::taken) outcome = RouteOutcome::or_taken;
      all.push_back({*it, outcome});
    }
    settled = settled || here;
    return false;
  });
  return all;
}

Decision Fib6::decide(const Flow& flow, std::vector<Step>* steps) const {
  return decide(rules_, flow, search_of(flow), steps);
}

Decision Fib6::decide(const RuleList& rules, const Flow& flow, const Search& search,
                      std::vector<Step>* steps) const {
  if (!custom_) return decide_unruled(flow, search, steps);
  const auto look = [&](std::uint32_t number) {
    const Slot& slot = slots_[number];
    const Found found = find(slot.table, flow, search);
    return search.draws != nullptr ? drawn(found, slot, search) : found;
  };
  return rules.walk(flow, look, steps, search.received);
}

// fib6_rule_lookup() before any rule was ever added: local, then main. The rules are named all the
// same, by the table they look into, so that the explanation has one form.
Decision Fib6::decide_unruled(const Flow& flow, const Search& search,
                              std::vector<Step>* steps) const {
  for (const TableId id : {table_local, table_main}) {
    const Found found = find(table(id), flow, search);
    const bool here = found.errnum != EAGAIN;
    const Rule* rule = nullptr;
    for (const RuleList::Entry& entry : rules_.entries()) {
      if (entry.rule->table != id) continue;
      rule = entry.rule;
      if (steps != nullptr) {
        steps->push_back({entry.index,
                          here ? RuleOutcome::decided : RuleOutcome::no_entry,
                          {},
                          here ? std::optional(found.route) : std::nullopt});
      }
      break;
    }
    if (!here) continue;
    const Route& route = snapshot_.routes[found.route];
    if (found.errnum != 0) {
      return {verdict_of_error(found.errnum), found.errnum, rule, &route, nullptr, {}, id};
    }
    return {verdict_of(route.type), 0, rule, &route, found.leg, found.legs, id};
  }
  return {Verdict::no_route, ENETUNREACH, nullptr, nullptr, nullptr, {}, {}};
}

Destinations::Decide Fib6::decider(const Flow& flow) const {
  return [this, rules = rules_.narrowed(flow), there = flow](const Ip& dst) mutable {
    there.dst = dst;
    Search search = search_of(there);
    search.strict = search.strict || (!there.iif && there.oif);
    return decide(rules, there, search, nullptr);
  };
}

Destinations Fib6::destinations(const Flow& flow) const {
  const RuleList rules = rules_.narrowed(flow);
  Flow there = flow;
  return {boundaries(rules), [&](const Ip& dst) {
            there.dst = dst;
            return decide(rules, there, search_of(there), nullptr);
          }};
}

std::vector<Bits> Fib6::boundaries(const RuleList& rules) const {
  std::vector<Bits> starts{0};
  const auto cut = [&starts](Bits first, Bits last) {
    starts.push_back(first);
    if (last != ~Bits{0}) starts.push_back(last + 1);
  };
  const auto cut_table = [&cut](const Table* table) {
    if (table == nullptr) return;
    for (const auto& node : table->index.nodes()) cut(node.first, node.last);
  };
  // Where one link is as good as another, and where it is not.
  for (const char* strict : {"::1", "fe80::/10", "ff00::/8"}) {
    const Prefix prefix = Prefix::parse(strict).value();
    cut(prefix.address.bits(), prefix.last().bits());
  }
  if (!custom_) {
    cut_table(table(table_local));
    cut_table(table(table_main));
    return starts;
  }
  for (const Slot& slot : slots_) cut_table(slot.table);
  for (const RuleList::Entry& entry : rules.entries()) {
    if (!entry.rule->to) continue;
    const Prefix to = entry.rule->to->network();
    cut(to.address.bits(), to.last().bits());
  }
  return starts;
}

}  // namespace retour
