// SPDX-License-Identifier: Apache-2.0
#include "plan/touched.h"

#include <algorithm>
#include <tuple>

#include "model/fib.h"

namespace retour {

namespace {

/// Links but for the sysctls that decide over ARP alone.
bool same_links(const Snapshot& a, const Snapshot& b) {
  const auto plain = [](Link link) {
    for (const Conf conf : {Conf::arp_ignore, Conf::arp_filter, Conf::arp_announce}) {
      link.conf.set(conf, 0);
    }
    return link;
  };
  return std::ranges::equal(a.links, b.links, [&](const Link& x, const Link& y) {
    return x == y || plain(x) == plain(y);
  });
}

/// Walks two lists that are equal but for elements of ours: `gone(i)`, `came(j)` and `kept(i, j)`
/// for each position; false when they differ in more.
template <class List, class Ours, class Gone, class Came, class Kept>
bool walk_both(const List& a, const List& b, const Ours& ours, const Gone& gone, const Came& came,
               const Kept& kept) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      kept(i++, j++);
    } else if (j < b.size() && ours(b[j])) {
      came(j++);
    } else if (i < a.size() && ours(a[i])) {
      gone(i++);
    } else {
      return false;
    }
  }
  return true;
}

std::vector<IfIndex> devices_of(const Route& route) {
  std::vector<IfIndex> devices;
  for (const NextHop& leg : route.next_hops) devices.push_back(leg.link);
  return devices;
}

/// One that only its table's lookup knows of.
bool plain(const Route& route) {
  return route.type == RouteType::unicast && route.nexthop_id == 0 && !route.src &&
         !route.next_hops.empty();
}

constexpr std::uint32_t bit(Selector selector) { return 1U << static_cast<unsigned>(selector); }

}  // namespace

bool Touched::Part::concerns(const std::optional<IfIndex>& oif) const {
  return any_device || !oif || std::ranges::find(devices, *oif) != devices.end();
}

Touched::Touched(const Snapshot& before, const Snapshot& after, Family family)
    : family_(family), was_(before, family), is_(after, family), before_(before), after_(after) {
  everything_ = !same_links(before, after) || before.addresses != after.addresses ||
                before.nexthops != after.nexthops || before.conf_all != after.conf_all ||
                before.conf6_all != after.conf6_all;
  for (const Route& route : before.routes) forgets_ = forgets_ || route.src.has_value();
  if (!everything_) compare_routes(before, after);
  if (!everything_) everything_ = starts_to_ask_rules(before);
  if (!everything_) compare_rules();
  if (!everything_ && family == Family::v4) compare_gateways(before, after);
}

void Touched::compare_routes(const Snapshot& before, const Snapshot& after) {
  const auto changed = [&](const Route& route) {
    if (route.family() != family_) return;
    changed_.push_back(&route);
    tables_.insert(route.table);
    everything_ = everything_ || !plain(route) || route.table == table_local;
  };
  const bool ours = walk_both(
      before.routes, after.routes, [](const Route& route) { return route.ours(); },
      [&](std::size_t i) { changed(before.routes[i]); },
      [&](std::size_t j) { changed(after.routes[j]); }, [](std::size_t, std::size_t) {});
  everything_ = everything_ || !ours;
}

/// With the first rule that is ever added the kernel begins to ask the rules. That shows where
/// those there were are not the ones of a fresh namespace, and, since IPv4 then splits local and
/// main, where main has a longer prefix inside one of local's.
bool Touched::starts_to_ask_rules(const Snapshot& before) const {
  const auto& known =
      family_ == Family::v4 ? before.hidden.custom_rules_v4 : before.hidden.custom_rules_v6;
  const auto& then =
      family_ == Family::v4 ? after_.hidden.custom_rules_v4 : after_.hidden.custom_rules_v6;
  const bool asked = known.value_or(was_.custom());
  if (asked == then.value_or(is_.custom())) return false;
  const std::size_t fresh = family_ == Family::v4 ? 3 : 2;
  if (was_.custom() || was_.entries().size() != fresh) return true;
  if (family_ == Family::v6) return false;
  std::set<Prefix> local;
  for (const Route& route : before.routes) {
    if (route.family() != family_ || route.table != table_local) continue;
    if (!(route.type == RouteType::local || route.type == RouteType::broadcast) ||
        route.nexthop_id != 0) {
      return true;
    }
    local.insert(route.dst.network());
  }
  for (const Route& route : before.routes) {
    if (route.family() != family_ || route.table != table_main) continue;
    for (std::uint8_t length = 0; length <= route.dst.length; ++length) {
      if (local.contains(Prefix{route.dst.address, length}.network())) return true;
    }
  }
  return false;
}

void Touched::compare_rules() {
  const auto was = was_.entries();
  const auto is = is_.entries();
  const auto list = [](std::span<const RuleList::Entry> entries) {
    std::vector<Rule> rules;
    for (const RuleList::Entry& entry : entries) rules.push_back(*entry.rule);
    return rules;
  };
  const bool jumps = std::ranges::any_of(
      was, [](const auto& entry) { return entry.rule->action == RuleAction::goto_; });
  const bool ours = walk_both(
      list(was), list(is), [](const Rule& rule) { return rule.ours(); },
      [&](std::size_t i) {
        // What jumps past a rule, or to it, goes elsewhere without it.
        everything_ = everything_ || jumps;
        add_rule(was_, was[i], true);
      },
      [&](std::size_t j) {
        everything_ = everything_ || jumps;
        add_rule(is_, is[j], true);
      },
      [&](std::size_t i, std::size_t) {
        const Rule& rule = *was[i].rule;
        if (rule.action == RuleAction::lookup && tables_.contains(rule.table)) {
          add_rule(was_, was[i], false);
        }
      });
  everything_ = everything_ || !ours;
}

void Touched::add_rule(const RuleList& list, const RuleList::Entry& entry, bool changed) {
  Asked asked;
  asked.entry = entry;
  asked.entry.to_mask = 0;
  asked.entry.selectors &= ~(bit(Selector::to) | bit(Selector::oif));
  asked.list = &list;
  const Rule& rule = *entry.rule;
  const Prefix everywhere = Prefix::all(family_);
  const Prefix to = rule.to && !rule.invert ? rule.to->network() : everywhere;
  if (rule.action == RuleAction::nop) return;
  if (rule.action != RuleAction::lookup) {
    asked.parts.push_back({to, true, {}});
    rules_.push_back(std::move(asked));
    return;
  }
  const auto add = [&](const Route& route) {
    if (route.family() != family_ || route.table != rule.table) return;
    const bool error = error_of(route.type) != 0;
    // An IPv6 nexthop object may pass for a route of another length that uses it, too.
    const bool by_length = !error && route.nexthop_id == 0;
    if (by_length && rule.suppress_prefixlength &&
        route.dst.length <= *rule.suppress_prefixlength) {
      return;
    }
    const Prefix dst = route.dst.network();
    if (!to.contains(dst) && !dst.contains(to)) return;
    const bool any = error || route.next_hops.empty() || route.nexthop_id != 0;
    asked.parts.push_back({to.contains(dst) ? dst : to, any, devices_of(route)});
  };
  if (changed) {
    const Snapshot& host = &list == &was_ ? before_ : after_;
    for (const Route& route : host.routes) add(route);
  }
  for (const Route* route : changed_) add(*route);
  if (!asked.parts.empty()) rules_.push_back(std::move(asked));
}

/// fib_check_nh_v4_gw(): whether a gateway counts depends on the way to it, by the rules.
void Touched::compare_gateways(const Snapshot& before, const Snapshot& after) {
  const Fib4 was(before);
  const Fib4 is(after);
  std::set<std::tuple<IfIndex, Ip, Scope>> known;
  std::set<std::tuple<IfIndex, Ip, Scope>> moved;
  const auto moves = [&](const NextHop& leg, Scope scope) {
    if (!leg.gateway || !leg.gateway->is_v4() || leg.onlink()) return false;
    Flow flow;
    flow.dst = *leg.gateway;
    flow.oif = leg.link;
    flow.scope = scope;
    flow.ignore_linkstate = true;
    const std::tuple key{leg.link, *leg.gateway, scope};
    if (known.insert(key).second &&
        (was.decide(flow).leg == nullptr) != (is.decide(flow).leg == nullptr)) {
      moved.insert(key);
    }
    return moved.contains(key);
  };
  for (const NextHopObject& object : before.nexthops) {
    everything_ = everything_ || moves(object.leg, scope_link);
  }
  for (const Snapshot* host : {&before, &after}) {
    for (const Route& route : host->routes) {
      if (route.family() != Family::v4) continue;
      const auto scope = std::max(scope_link, static_cast<Scope>(std::min(route.scope + 1, 255)));
      if (std::ranges::any_of(route.next_hops,
                              [&](const NextHop& leg) { return moves(leg, scope); })) {
        always_.push_back({route.dst.network(), true, {}});
      }
    }
  }
}

std::vector<const Touched::Part*> Touched::by(const Flow& flow) const {
  std::vector<const Part*> parts;
  for (const Part& part : always_) parts.push_back(&part);
  for (const Asked& asked : rules_) {
    if (asked.list->mismatch(asked.entry, asked.list->seen(flow)) != Selector::none &&
        !asked.entry.rule->invert) {
      continue;
    }
    for (const Part& part : asked.parts) parts.push_back(&part);
  }
  return parts;
}

}  // namespace retour
