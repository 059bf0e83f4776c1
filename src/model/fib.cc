// SPDX-License-Identifier: Apache-2.0
#include "model/fib.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace retour {

std::string_view name(Verdict verdict) {
  static constexpr std::array<std::string_view, 12> names{
      "unicast",   "local",    "broadcast", "multicast", "unreachable", "prohibit",
      "blackhole", "no-route", "martian",   "rp_filter", "no-forward",  "invalid"};
  static_assert(names.size() == static_cast<std::size_t>(Verdict::invalid) + 1);
  return names[static_cast<std::size_t>(verdict)];
}

namespace {

/// The rules of a fresh namespace; while no other was ever added the kernel does not consult them.
bool only_default_rules(const std::vector<Rule>& rules) {
  std::vector<std::pair<std::uint32_t, TableId>> seen;
  for (const Rule& rule : rules) {
    if (rule.family != Family::v4) continue;
    Rule plain;
    plain.priority = rule.priority;
    plain.table = rule.table;
    plain.protocol = rule.protocol;
    if (rule != plain) return false;
    seen.emplace_back(rule.priority, rule.table);
  }
  return seen == std::vector<std::pair<std::uint32_t, TableId>>{
                     {0, table_local}, {32766, table_main}, {32767, table_default}};
}

/// Rules on protocol or ports make the kernel dissect received packets, unless they are for `lo`.
bool needs_dissection(const Rule& rule) {
  return (rule.ip_proto != 0 || rule.sport || rule.dport) && rule.iif != "lo";
}

Verdict verdict_of(RouteType type) {
  switch (type) {
    case RouteType::local:
      return Verdict::local;
    case RouteType::broadcast:
      return Verdict::broadcast;
    case RouteType::multicast:
      return Verdict::multicast;
    default:
      return Verdict::unicast;
  }
}

/// fib_props[]: what a route of a type that forwards nothing returns; 0 for the others.
int error_of(RouteType type) {
  switch (type) {
    case RouteType::unspec:
    case RouteType::blackhole:
    case RouteType::nat:
    case RouteType::xresolve:
      return EINVAL;
    case RouteType::unreachable:
      return EHOSTUNREACH;
    case RouteType::prohibit:
      return EACCES;
    case RouteType::throw_:
      return EAGAIN;
    default:
      return 0;
  }
}

Verdict verdict_of_error(int errnum) {
  switch (errnum) {
    case EACCES:
      return Verdict::prohibit;
    case EINVAL:
      return Verdict::blackhole;
    default:
      return Verdict::unreachable;
  }
}

bool port_matches(const std::optional<Range<std::uint16_t>>& range, std::uint16_t mask,
                  std::uint16_t port) {
  if (!range) return true;
  if (mask != 0xffff) return ((range->first ^ port) & mask) == 0;
  return range->contains(port);
}

}  // namespace

Fib::Fib(const Snapshot& snapshot) : snapshot_(snapshot) {
  custom_rules_ = snapshot.hidden.custom_rules_v4.value_or(!only_default_rules(snapshot.rules));
  for (const Address& address : snapshot.addresses) {
    if (address.local.family() != Family::v4) continue;
    owners_[address.local.address.v4_bits()].push_back(address.link);
    addressed_.insert(address.link);
  }
  compile_tables();
  compile_rules();
}

void Fib::compile_tables() {
  std::unordered_map<TableId, std::vector<std::uint32_t>> entries;
  for (std::uint32_t i = 0; i < snapshot_.routes.size(); ++i) {
    const Route& route = snapshot_.routes[i];
    if (route.family() == Family::v4) entries[route.table].push_back(i);
  }
  for (const NextHopObject& object : snapshot_.nexthops) {
    if (object.group.empty()) {
      groups_[object.id] = {object.leg};
      blackhole_objects_[object.id] = object.blackhole;
    }
  }
  for (const NextHopObject& object : snapshot_.nexthops) {
    if (object.group.empty()) continue;
    std::vector<NextHop> legs;
    for (const auto& [member, weight] : object.group) {
      const auto it = groups_.find(member);
      if (it == groups_.end()) continue;
      for (NextHop leg : it->second) {
        leg.weight = weight;
        legs.push_back(leg);
      }
      if (blackhole_objects_[member]) blackhole_objects_[object.id] = true;
    }
    groups_[object.id] = std::move(legs);
  }
  merge_ = !custom_rules_;
  if (merge_) {
    // Until the first rule is touched the local table is an alias of main: one longest-prefix
    // match over both, entries of local first within a prefix.
    std::vector<std::uint32_t> both = entries[table_local];
    both.insert(both.end(), entries[table_main].begin(), entries[table_main].end());
    merged_ = PrefixIndex(snapshot_.routes, std::move(both));
  }
  for (auto& [id, list] : entries) {
    tables_.emplace(id, PrefixIndex(snapshot_.routes, std::move(list)));
  }
}

void Fib::compile_rules() {
  for (std::uint32_t i = 0; i < snapshot_.rules.size(); ++i) {
    const Rule& rule = snapshot_.rules[i];
    if (rule.family != Family::v4) continue;
    CompiledRule compiled{&rule, i, {}, {}, nullptr, {}};
    const auto resolve = [&](const std::string& name) {
      const Link* link = snapshot_.link(name);
      return link != nullptr ? link->index : IfIndex{0xffffffffU};  // detached: equals no index
    };
    if (!rule.iif.empty()) compiled.iif = rule.iif_detached ? IfIndex{~0U} : resolve(rule.iif);
    if (!rule.oif.empty()) compiled.oif = rule.oif_detached ? IfIndex{~0U} : resolve(rule.oif);
    if (!rule.oif.empty() || (!rule.iif.empty() && rule.iif != "lo")) blind_to_links_ = false;
    if (const auto it = tables_.find(rule.table); it != tables_.end()) compiled.table = &it->second;
    dissects_ = dissects_ || needs_dissection(rule);
    rules_.push_back(compiled);
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].rule->action != RuleAction::goto_) continue;
    const auto target =
        std::ranges::find(rules_, rules_[i].rule->goto_target,
                          [](const CompiledRule& rule) { return rule.rule->priority; });
    if (target != rules_.end()) {
      rules_[i].jump = static_cast<std::size_t>(target - rules_.begin());
    }
  }
}

bool Fib::owns(const Ip& ip, IfIndex link) const {
  const auto it = owners_.find(ip.v4_bits());
  return it != owners_.end() && std::ranges::find(it->second, link) != it->second.end();
}

EffectiveConf Fib::conf(IfIndex link, Conf conf) const {
  const Link* found = snapshot_.link(link);
  static const ConfValues none;
  return effective(snapshot_.conf_all, found != nullptr ? found->conf : none, conf);
}

// fib_rule_match() and fib4_rule_match(): the first selector that fails, in their order.
Selector Fib::mismatch(const CompiledRule& compiled, const Flow& flow, IfIndex iif) const {
  const Rule& rule = *compiled.rule;
  if (!rule.iif.empty() && compiled.iif != iif) return Selector::iif;
  if (!rule.oif.empty() && compiled.oif != flow.oif.value_or(IfIndex{})) return Selector::oif;
  if (((rule.fwmark ^ flow.mark) & rule.fwmask) != 0) return Selector::fwmark;
  if (rule.tun_id != 0) return Selector::tun_id;  // ordinary packets carry none
  if (rule.l3mdev) return Selector::l3mdev;       // VRF members are not modelled
  if (rule.uid && !rule.uid->contains(flow.uid)) return Selector::uid;
  if (rule.from && !rule.from->contains(flow.src)) return Selector::from;
  if (rule.to && !rule.to->contains(flow.dst)) return Selector::to;
  if (rule.tos != 0 && rule.tos != (flow.tos & 0x1c)) return Selector::tos;
  if (rule.dscp && ((*rule.dscp ^ (flow.tos >> 2)) & rule.dscp_mask) != 0) return Selector::dscp;
  if (rule.ip_proto != 0 && rule.ip_proto != flow.ip_proto) return Selector::ip_proto;
  if (!port_matches(rule.sport, rule.sport_mask, flow.sport)) return Selector::sport;
  if (!port_matches(rule.dport, rule.dport_mask, flow.dport)) return Selector::dport;
  return Selector::none;
}

bool Fib::usable(const NextHop& leg, const Flow& flow) const {
  if (flow.oif && *flow.oif != leg.link) return false;
  if (!leg.dead() && !leg.linkdown()) return true;
  // A dump shows `dead` also for what is merely linkdown while the sysctl says to ignore such
  // routes: only a link that is down, or a leg dead without linkdown, is dead whatever it says.
  const Link* link = snapshot_.link(leg.link);
  if (leg.dead() && (!leg.linkdown() || (link != nullptr && !link->up()))) return false;
  return !leg.linkdown() || conf(leg.link, Conf::ignore_routes_with_linkdown).value == 0;
}

std::span<const NextHop> Fib::legs_of(const Route& route, bool& blackhole) const {
  blackhole = false;
  if (route.nexthop_id == 0) return route.next_hops;
  const auto it = groups_.find(route.nexthop_id);
  if (it == groups_.end()) return route.next_hops;
  const auto hole = blackhole_objects_.find(route.nexthop_id);
  blackhole = hole != blackhole_objects_.end() && hole->second;
  return it->second;
}

// fib_table_lookup(): longest prefix first, backtracking to shorter ones.
Fib::Found Fib::find(const PrefixIndex& table, const Flow& flow) const {
  std::optional<std::uint32_t> abandoned;  // network key whose leaf a nexthop object gave up
  for (const auto* node = table.find(flow.dst.v4_bits()); node != nullptr;
       node = table.parent(*node)) {
    if (abandoned == node->first) continue;
    for (const std::uint32_t index : table.entries(*node)) {
      const Route& route = snapshot_.routes[index];
      if (route.tos != 0 && route.tos != (flow.tos & 0x1c)) continue;
      if (const int error = error_of(route.type); error != 0) return {error, index, nullptr, {}};
      if ((route.flags & 1U) != 0 && route.next_hops.empty() && route.nexthop_id == 0) continue;
      bool blackhole = false;
      const auto legs = legs_of(route, blackhole);
      if (blackhole) return {EINVAL, index, nullptr, {}};
      const auto leg = std::ranges::find_if(legs, [&](const auto& l) { return usable(l, flow); });
      if (leg != legs.end()) return {0, index, &*leg, legs};
      if (route.nexthop_id != 0) {
        // An unusable nexthop object makes the kernel leave the whole leaf, shorter prefixes with
        // the same network key included.
        abandoned = node->first;
        break;
      }
    }
  }
  return {EAGAIN, 0, nullptr, {}};
}

// fib4_rule_suppress(): only successful results are looked at.
bool Fib::suppressed(const Rule& rule, const Found& found) const {
  const Route& route = snapshot_.routes[found.route];
  if (rule.suppress_prefixlength && route.dst.length <= *rule.suppress_prefixlength) return true;
  if (!rule.suppress_ifgroup) return false;
  const Link* link = found.leg != nullptr ? snapshot_.link(found.leg->link) : nullptr;
  return link != nullptr && link->group == *rule.suppress_ifgroup;
}

Decision Fib::decide(const Flow& flow, std::vector<Step>* steps) const {
  if (merge_) return decide_merged(flow, steps);
  const IfIndex iif = flow.iif.value_or(loopback_index);
  const auto note = [&](const CompiledRule& rule, RuleOutcome outcome, Selector selector,
                        std::optional<std::uint32_t> route) {
    if (steps != nullptr) steps->push_back({rule.index, outcome, selector, route});
  };
  const auto failed = [](const Rule& rule, int error) {
    return Decision{verdict_of_error(error), error, &rule, nullptr, nullptr, {}, {}};
  };
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const CompiledRule& compiled = rules_[i];
    const Rule& rule = *compiled.rule;
    const Selector missed = mismatch(compiled, flow, iif);
    if ((missed == Selector::none) == rule.invert) {
      note(compiled, RuleOutcome::no_match, rule.invert ? Selector::inverted : missed, {});
      continue;
    }
    switch (rule.action) {
      case RuleAction::goto_:
        note(compiled, compiled.jump ? RuleOutcome::jumped : RuleOutcome::passed, {}, {});
        // A target lies further down (the kernel refuses others), so this always ends.
        if (compiled.jump && *compiled.jump > i) i = *compiled.jump - 1;
        continue;
      case RuleAction::nop:
        note(compiled, RuleOutcome::passed, {}, {});
        continue;
      case RuleAction::lookup:
        break;
      case RuleAction::unreachable:
        note(compiled, RuleOutcome::decided, {}, {});
        return failed(rule, ENETUNREACH);
      case RuleAction::prohibit:
        note(compiled, RuleOutcome::decided, {}, {});
        return failed(rule, EACCES);
      default:
        note(compiled, RuleOutcome::decided, {}, {});
        return failed(rule, EINVAL);
    }
    const Found found =
        compiled.table != nullptr ? find(*compiled.table, flow) : Found{EAGAIN, 0, nullptr, {}};
    if (found.errnum == EAGAIN) {
      note(compiled, RuleOutcome::no_entry, {}, {});
      continue;
    }
    if (found.errnum == 0 && suppressed(rule, found)) {
      note(compiled, RuleOutcome::suppressed, {}, found.route);
      continue;
    }
    note(compiled, RuleOutcome::decided, {}, found.route);
    const Route& route = snapshot_.routes[found.route];
    if (found.errnum != 0) {
      return {verdict_of_error(found.errnum), found.errnum, &rule, &route, nullptr, {}, rule.table};
    }
    return {verdict_of(route.type), 0, &rule, &route, found.leg, found.legs, rule.table};
  }
  return {Verdict::no_route, ENETUNREACH, nullptr, nullptr, nullptr, {}, {}};
}

// fib_lookup() before any rule was ever touched: the merged trie, then default. The rules are
// named all the same, by the table that the route came from, so that the explanation has one form.
Decision Fib::decide_merged(const Flow& flow, std::vector<Step>* steps) const {
  Found found = find(merged_, flow);
  TableId table = table_main;
  if (found.errnum == EAGAIN) {
    const auto it = tables_.find(table_default);
    if (it != tables_.end()) found = find(it->second, flow);
    table = table_default;
  }
  const bool none = found.errnum == EAGAIN;
  const Route* route = none ? nullptr : &snapshot_.routes[found.route];
  const Rule* decided = nullptr;
  for (const CompiledRule& compiled : rules_) {
    const bool here = !none && compiled.rule->table == route->table;
    if (steps != nullptr) {
      const auto outcome = here ? RuleOutcome::decided : RuleOutcome::no_entry;
      steps->push_back(
          {compiled.index, outcome, {}, here ? std::optional(found.route) : std::nullopt});
    }
    if (here) {
      decided = compiled.rule;
      break;
    }
  }
  if (none) return {Verdict::no_route, ENETUNREACH, nullptr, nullptr, nullptr, {}, {}};
  if (found.errnum != 0) {
    return {verdict_of_error(found.errnum), found.errnum, decided, route, nullptr, {}, table};
  }
  return {verdict_of(route->type), 0, decided, route, found.leg, found.legs, table};
}

}  // namespace retour
