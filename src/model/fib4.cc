// SPDX-License-Identifier: Apache-2.0
#include "model/fib4.h"

#include <algorithm>
#include <cstring>

namespace retour {

namespace {

constexpr std::uint16_t attribute_multipath = 9;  // RTA_MULTIPATH
constexpr std::uint16_t attribute_flow = 11;      // RTA_FLOW, FRA_FLOW: realms

/// A leg of RTA_MULTIPATH with realms. Each begins with its length and flags (struct rtnexthop),
/// each attribute of it with its length and type; all are padded to four bytes.
bool leg_has_realms(std::span<const std::uint8_t> legs) {
  const auto number = [](std::span<const std::uint8_t> data, std::size_t at) {
    std::uint16_t value = 0;
    std::memcpy(&value, &data[at], sizeof value);
    return value;
  };
  const auto rest = [](std::span<const std::uint8_t> data, std::size_t length) {
    return data.subspan(std::min((length + 3U) & ~std::size_t{3}, data.size()));
  };
  constexpr std::size_t leg_header = 8;
  constexpr std::size_t header = 4;
  while (legs.size() >= leg_header) {
    const std::size_t length = number(legs, 0);
    if (length < leg_header || length > legs.size()) return false;
    for (auto attributes = legs.subspan(leg_header, length - leg_header);
         attributes.size() >= header && number(attributes, 0) >= header;
         attributes = rest(attributes, number(attributes, 0))) {
      if (number(attributes, 2) == attribute_flow) return true;
    }
    legs = rest(legs, length);
  }
  return false;
}

bool has_realms(const std::vector<RawAttribute>& attributes) {
  return std::ranges::any_of(attributes, [](const RawAttribute& attribute) {
    return attribute.type == attribute_flow ||
           (attribute.type == attribute_multipath && leg_has_realms(attribute.data));
  });
}

}  // namespace

Fib4::Fib4(const Snapshot& snapshot)
    : snapshot_(snapshot), nexthops_(snapshot), rules_(snapshot, Family::v4) {
  merge_ = !snapshot.hidden.custom_rules_v4.value_or(rules_.custom());
  for (const Address& address : snapshot.addresses) {
    if (address.local.family() != Family::v4) continue;
    owners_[address.local.address.v4_bits()].push_back(address.link);
    addressed_.insert(address.link);
  }
  compile_tables();
  for (const TableId id : rules_.tables()) slots_.push_back(table(id));
  for (const RuleList::Entry& entry : rules_.entries()) {
    realms_ = realms_ || has_realms(entry.rule->other);
  }
}

void Fib4::compile_tables() {
  std::unordered_map<TableId, std::vector<std::uint32_t>> members;
  std::vector<std::uint32_t>* list = nullptr;
  TableId last{};
  entries_.resize(snapshot_.routes.size());
  bool custom_local = false;
  for (std::uint32_t i = 0; i < snapshot_.routes.size(); ++i) {
    const Route& route = snapshot_.routes[i];
    if (route.family() != Family::v4) continue;
    if (list == nullptr || last != route.table) list = &members[route.table];
    last = route.table;
    list->push_back(i);
    const Nexthops::Legs legs = nexthops_.of(route);
    const int error = error_of(route.type) != 0 ? error_of(route.type)
                      : legs.blackhole          ? EINVAL
                                                : 0;
    entries_[i] = {legs.legs,     static_cast<std::int16_t>(error),
                   route.tos,     route.scope,
                   legs.object,   (route.flags & 1U) != 0 && legs.legs.empty(),
                   legs.resilient};
    custom_local =
        custom_local || (route.type == RouteType::local && route.protocol != protocol_kernel);
    realms_ = realms_ || (!route.other.empty() && has_realms(route.other));
  }
  custom_local_routes_ = snapshot_.hidden.custom_local_routes_v4.value_or(custom_local);
  if (merge_) {
    // Until the first rule is touched the local table is an alias of main: one longest-prefix
    // match over both, entries of local first within a prefix.
    std::vector<std::uint32_t> both = members[table_local];
    const auto& main = members[table_main];
    both.insert(both.end(), main.begin(), main.end());
    merged_ = Index(snapshot_.routes, std::move(both));
  }
  for (auto& [id, routes] : members) {
    const bool ending =
        std::ranges::any_of(routes, [this](std::uint32_t route) { return ends_here(route); });
    const Index& made =
        tables_.emplace(id, Index(snapshot_.routes, std::move(routes))).first->second;
    if (!ending) continue;
    const bool asked = id == table_local || id == table_main ||
                       std::ranges::find(rules_.tables(), id) != rules_.tables().end();
    ending_.push_back({&made, asked});
  }
}

const Fib4::Index* Fib4::table(TableId id) const {
  const auto it = tables_.find(id);
  return it != tables_.end() ? &it->second : nullptr;
}

bool Fib4::owns(const Ip& ip, IfIndex link) const {
  const auto it = owners_.find(ip.v4_bits());
  return it != owners_.end() && std::ranges::find(it->second, link) != it->second.end();
}

bool Fib4::has_address(IfIndex link) const {
  return std::ranges::any_of(snapshot_.addresses, [link](const Address& address) {
    return address.link == link && address.local.family() == Family::v4;
  });
}

// fib_lookup_good_nhc().
RouteOutcome Fib4::usable(const NextHop& leg, const Flow& flow) const {
  if (flow.oif && *flow.oif != leg.link) return RouteOutcome::other_device;
  if (!leg.dead() && !leg.linkdown()) return RouteOutcome::taken;
  const bool ignored = snapshot_.effective(leg.link, Conf::ignore_routes_with_linkdown).value != 0;
  const bool counts = ignored && !flow.ignore_linkstate;
  if (leg.dead()) {
    // While the sysctl says to ignore them, a dump shows `dead` also for what is merely linkdown.
    // So it is, too, where the sysctl was changed in a copy of that dump: a link that is up and has
    // an address has woken all its legs (fib_sync_up()).
    const Link* link = snapshot_.link(leg.link);
    const bool merely = leg.linkdown() && link != nullptr && link->up() && !link->carrier() &&
                        (ignored || has_address(leg.link));
    if (!merely) return RouteOutcome::dead;
  }
  return counts ? RouteOutcome::linkdown : RouteOutcome::taken;
}

// fib_table_lookup(): longest prefix first, backtracking to shorter ones. `note` hears of every
// route on the way and says whether to go on after the answer, for those who want to see the rest.
template <class Note>
Found Fib4::find(const Index& table, const Flow& flow, const Note& note) const {
  const std::uint8_t tos = flow.tos & 0x1c;
  std::optional<std::uint32_t> abandoned;  // network key whose leaf a nexthop object gave up
  for (const auto* node = table.find(flow.dst.v4_bits()); node != nullptr;
       node = table.parent(*node)) {
    const auto routes = table.entries(*node);
    if (abandoned == node->first) {
      for (const std::uint32_t index : routes) note(index, RouteOutcome::left_out);
      continue;
    }
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const std::uint32_t index = routes[i];
      const Entry& entry = entries_[index];
      if (entry.tos != 0 && entry.tos != tos) {
        note(index, RouteOutcome::other_tos);
        continue;
      }
      if (entry.scope < flow.scope) {
        note(index, RouteOutcome::other_scope);
        continue;
      }
      if (entry.error != 0) {
        note(index, RouteOutcome::taken);
        return {entry.error, index, nullptr, {}};
      }
      if (entry.dead) {
        note(index, RouteOutcome::dead);
        continue;
      }
      RouteOutcome why = RouteOutcome::dead;
      for (const NextHop& leg : entry.legs) {
        why = usable(leg, flow);
        if (why != RouteOutcome::taken) continue;
        note(index, RouteOutcome::taken);
        return {0, index, &leg, entry.legs};
      }
      note(index, why);
      if (entry.object) {
        // An unusable nexthop object makes the kernel leave the whole leaf, shorter prefixes with
        // the same network key included.
        abandoned = node->first;
        for (++i; i < routes.size(); ++i) note(routes[i], RouteOutcome::left_out);
      }
    }
  }
  return {};
}

Found Fib4::find(const Index* table, const Flow& flow) const {
  if (table == nullptr) return {};
  return find(*table, flow, [](std::uint32_t, RouteOutcome) {});
}

std::vector<Considered> Fib4::consider(TableId id, const Flow& flow) const {
  const bool both = merge_ && (id == table_main || id == table_local);
  const Index* index = both ? &merged_ : table(id);
  std::vector<Considered> all;
  if (index == nullptr) return all;
  (void)find(*index, flow, [&](std::uint32_t route, RouteOutcome outcome) {
    all.push_back({route, outcome});
  });
  // What stands behind the answer was not looked at; it is what would come next without it.
  const std::size_t seen = all.size();
  for (const auto* node = index->find(flow.dst.v4_bits()); node != nullptr;
       node = index->parent(*node)) {
    for (const std::uint32_t route : index->entries(*node)) {
      const auto known = [route](const Considered& other) { return other.route == route; };
      if (std::none_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(seen), known)) {
        all.push_back({route, RouteOutcome::not_reached});
      }
    }
  }
  return all;
}

std::vector<std::uint32_t> Fib4::boundaries(const RuleList& rules) const {
  std::vector<std::uint32_t> starts;
  const auto cut = [&starts](std::uint32_t first, std::uint32_t last) {
    starts.push_back(first);
    if (last != 0xffffffffU) starts.push_back(last + 1);
  };
  const auto cut_table = [&cut](const Index* table) {
    if (table == nullptr) return;
    for (const auto& node : table->nodes()) cut(node.first, node.last);
  };
  if (merge_) {
    cut_table(&merged_);
    cut_table(table(table_default));
    return starts;
  }
  std::vector<bool> done(slots_.size());
  for (const RuleList::Entry& entry : rules.entries()) {
    if (entry.rule->to) {
      const Prefix to = entry.rule->to->network();
      cut(to.address.v4_bits(), to.last().v4_bits());
    }
    if (entry.rule->action != RuleAction::lookup || done[entry.slot]) continue;
    done[entry.slot] = true;
    cut_table(slots_[entry.slot]);
  }
  return starts;
}

Destinations::Decide Fib4::decider(const Flow& flow) const {
  return [this, rules = rules_.narrowed(flow), there = flow](const Ip& dst) mutable {
    there.dst = dst;
    return decide(rules, there, nullptr);
  };
}

Destinations Fib4::destinations(const Flow& flow) const {
  const RuleList rules = rules_.narrowed(flow);
  Flow there = flow;
  return {boundaries(rules), [&](const Ip& dst) {
            there.dst = dst;
            return decide(rules, there, nullptr);
          }};
}

Decision Fib4::decide(const RuleList& rules, const Flow& flow, std::vector<Step>* steps) const {
  if (merge_) return decide_merged(flow, steps);
  return rules.walk(
      flow, [&](std::uint32_t slot) { return find(slots_[slot], flow); }, steps);
}

Decision Fib4::decide(const Flow& flow, std::vector<Step>* steps) const {
  return decide(rules_, flow, steps);
}

// fib_lookup() before any rule was ever touched: the merged trie, then default. The rules are
// named all the same, by the table that the route came from, so that the explanation has one form.
Decision Fib4::decide_merged(const Flow& flow, std::vector<Step>* steps) const {
  Found found = find(&merged_, flow);
  TableId table_id = table_main;
  if (found.errnum == EAGAIN) {
    found = find(table(table_default), flow);
    table_id = table_default;
  }
  const bool none = found.errnum == EAGAIN;
  const Route* route = none ? nullptr : &snapshot_.routes[found.route];
  const Rule* decided = nullptr;
  for (const RuleList::Entry& entry : rules_.entries()) {
    const bool here = !none && entry.rule->table == route->table;
    if (steps != nullptr) {
      const auto outcome = here ? RuleOutcome::decided : RuleOutcome::no_entry;
      steps->push_back(
          {entry.index, outcome, {}, here ? std::optional(found.route) : std::nullopt});
    }
    if (here) {
      decided = entry.rule;
      break;
    }
  }
  if (none) return {Verdict::no_route, ENETUNREACH, nullptr, nullptr, nullptr, {}, {}};
  if (found.errnum != 0) {
    return {verdict_of_error(found.errnum), found.errnum, decided, route, nullptr, {}, table_id};
  }
  return {verdict_of(route->type), 0, decided, route, found.leg, found.legs, table_id};
}

}  // namespace retour
