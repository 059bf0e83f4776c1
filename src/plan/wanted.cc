// SPDX-License-Identifier: Apache-2.0
#include "plan/wanted.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "plan/numbers.h"
#include "plan/raw_attributes.h"

namespace retour {

namespace {

using Member = SharedSubnet::Member;

/// What iproute2 writes where nobody names a metric; the kernel would make it so.
constexpr std::uint32_t metric6 = 1024;

Route route_of(const Prefix& dst, IfIndex link, TableId table) {
  Route route;
  route.dst = dst;
  route.table = table;
  route.protocol = protocol_retour;
  if (dst.family() == Family::v6) route.metric = metric6;
  route.next_hops.push_back(NextHop{link, std::nullopt, 0, 1});
  return route;
}

/// What the owner tuned on main's route of the same prefix through that NIC (MTU, congestion
/// window, …) goes along.
void tune_alike(const Snapshot& now, Route& route) {
  for (const Route& main : now.routes) {
    if (main.table != table_main || main.dst.network() != route.dst) continue;
    if (main.next_hops.size() != 1) continue;
    if (main.next_hops.front().link != route.next_hops.front().link) continue;
    for (const RawAttribute& attribute : main.other) {
      if (attribute.type == attribute_metrics) route.other.push_back(attribute);
    }
    return;
  }
}

/// fib_valid_prefsrc(): an address that is another subnet's broadcast address as well is refused as
/// a source. The rule selects by it all the same.
std::optional<Ip> prefsrc_of(const Snapshot& now, const Ip& address) {
  const bool broadcast = std::ranges::any_of(now.routes, [&](const Route& route) {
    return route.type == RouteType::broadcast && route.dst == Prefix::host(address);
  });
  return broadcast ? std::nullopt : std::optional(address);
}

/// The NIC's own view of its subnet: main's connected route through that NIC alone.
Route connected_route(const Snapshot& now, const Member& member, TableId table) {
  Route route = route_of(member.subnet, member.link, table);
  if (member.subnet.family() == Family::v4) {
    route.scope = scope_link;
    route.prefsrc = prefsrc_of(now, member.address);
  }
  tune_alike(now, route);
  return route;
}

/// What lies behind the NIC's own gateway.
Route gateway_route(const Snapshot& now, const Prefix& prefix, const Member& member,
                    TableId table) {
  constexpr std::uint8_t rtnh_onlink = 4;
  Route route = route_of(prefix, member.link, table);
  if (prefix.family() == Family::v4) route.prefsrc = prefsrc_of(now, member.address);
  route.next_hops.front().gateway = member.gateway;
  if (member.onlink) route.next_hops.front().flags |= rtnh_onlink;
  tune_alike(now, route);
  return route;
}

Rule rule_of(Family family, RuleAction action) {
  Rule rule;
  rule.family = family;
  rule.action = action;
  rule.protocol = protocol_retour;
  return rule;
}

Rule door_rule(const Ip& address, TableId table, std::uint32_t priority) {
  Rule rule = rule_of(address.family(), RuleAction::lookup);
  rule.priority = priority;
  rule.from = Prefix::host(address);
  rule.table = table;
  return rule;
}

bool duplicated(const SharedSubnet& subnet, const Ip& address) {
  return !subnet.routed() && std::ranges::count(subnet.members, address, &Member::address) > 1;
}

/// Someone else already sends this address through a table of its own.
bool foreign_rule_for(const Snapshot& now, const Ip& address) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return !rule.ours() && !rule.invert && rule.from && *rule.from == Prefix::host(address) &&
           rule.action == RuleAction::lookup;
  });
}

bool is_door_fine(const Diagnosis& found, const Ip& address) {
  return std::ranges::none_of(found.round_trips, [&](const RoundTrip& trip) {
    return trip.local == address && trip.verdict != DoorVerdict::same_door;
  });
}

/// The rule of ours for an address; nullptr = there is none.
const Rule* our_rule(const Snapshot& now, const Ip& address) {
  const auto it = std::ranges::find_if(now.rules, [&](const Rule& rule) {
    return rule.ours() && rule.from == Prefix::host(address);
  });
  return it != now.rules.end() ? &*it : nullptr;
}

bool has_our_gateway_route(const Snapshot& now, const Prefix& prefix) {
  return std::ranges::any_of(now.routes, [&](const Route& route) {
    return route.ours() && route.dst.network() == prefix && !route.next_hops.empty() &&
           route.next_hops.front().gateway;
  });
}

/// The prefixes that our tables hold, each with the longest prefix of main that is no better
/// knowledge than theirs: where subnets overlap, those of other members are not.
using Guarded = std::map<Prefix, std::uint8_t>;

void guard(Guarded& guarded, const Prefix& prefix, std::uint8_t longest) {
  std::uint8_t& length = guarded[prefix.network()];
  length = std::max(length, longest);
}

bool is_inside_another(const Guarded& guarded, const Prefix& prefix) {
  return std::ranges::any_of(guarded, [&](const auto& other) {
    return other.first.length < prefix.length && other.first.contains(prefix);
  });
}

std::uint32_t count_guards(const Guarded& guarded, Family family) {
  std::uint32_t count = 0;
  for (const auto& each : guarded) {
    if (each.first.family() != family) continue;
    count += is_inside_another(guarded, each.first) ? 2U : 1U;
  }
  return count;
}

class Builder {
 public:
  Builder(const Snapshot& now, const Policy& policy, const Diagnosis& found,
          const std::vector<SharedSubnet>& care)
      : now_(now), policy_(policy), found_(found), care_(care) {}

  tl::expected<Wanted, std::string> build() {
    for (const SharedSubnet& group : care_) sort_out(group);
    std::array<RuleNeed, 2> need;
    for (const Family family : {Family::v4, Family::v6}) {
      need[static_cast<std::size_t>(family)].guards = count_guards(guarded_, family);
    }
    for (const Member& member : with_rule_) {
      need[static_cast<std::size_t>(member.address.family())].addresses[member.address] =
          member.link;
    }
    auto numbers = Numbers::choose(now_, policy_, links_, need);
    if (!numbers) return tl::unexpected(numbers.error());
    for (const IfIndex link : links_) {
      wanted_.tables.push_back({numbers->table(link), table_name(now_.link_name(link)), link});
    }
    for (const Member& member : connected_) add_connected(member, numbers->table(member.link));
    for (const auto& [prefix, member] : behind_) {
      add_gateway(prefix, member, numbers->table(member.link));
    }
    keep_without_carrier();
    for (const Family family : {Family::v4, Family::v6}) add_guards(*numbers, family);
    for (const Member& member : with_rule_) add_rule(member, *numbers);
    // Highest priority number first: the kernel walks the list to insert, and this walk is short.
    std::ranges::stable_sort(wanted_.rules, std::greater{}, [](const Change& change) {
      return std::get<AddRule>(change.operation).rule.priority;
    });
    return std::move(wanted_);
  }

 private:
  /// Which members get routes and rules, and which keep what they have.
  void sort_out(const SharedSubnet& group) {
    bool any = false;
    for (const Member& member : group.members) {
      const Link* link = now_.link(member.link);
      if (link == nullptr || duplicated(group, member.address)) continue;
      if (!link->up()) {
        // The kernel takes no route through it now; a rule that it has waits for it.
        any = keep_rule(member.address) || any;
        continue;
      }
      if (foreign_rule_for(now_, member.address) && is_door_fine(found_, member.address)) continue;
      if (std::ranges::find(links_, member.link) == links_.end()) links_.push_back(member.link);
      if (reached_.emplace(member.link, member.subnet).second) {
        connected_.push_back(member);
      }
      if (group.routed() && routed_.emplace(member.link, group.prefix).second) {
        behind_.emplace_back(group.prefix, member);
      }
      if (ruled_.insert(member.address).second) with_rule_.push_back(member);
      if (group.routed()) guard(guarded_, member.subnet, member.subnet.length);
      any = true;
    }
    if (!any) return;
    std::uint8_t longest = group.prefix.length;
    if (!group.routed()) {
      for (const Member& member : group.members) longest = std::max(longest, member.subnet.length);
    }
    guard(guarded_, group.prefix, longest);
  }

  bool keep_rule(const Ip& address) {
    const Rule* rule = our_rule(now_, address);
    if (rule == nullptr) return false;
    if (ruled_.insert(address).second) wanted_.rules.push_back({AddRule{*rule}, "kept"});
    return true;
  }

  /// Nobody can measure what such a link is beside: what it has stays as it is until it is back.
  void keep_without_carrier() {
    for (const Route& route : now_.routes) {
      if (!route.ours() || route.next_hops.size() != 1) continue;
      const Link* link = now_.link(route.next_hops.front().link);
      const bool waits = link != nullptr && link->up() && !link->carrier() &&
                         std::ranges::find(links_, link->index) != links_.end();
      const bool wanted = std::ranges::any_of(wanted_.routes, [&](const Change& change) {
        const Route& other = std::get<AddRoute>(change.operation).route;
        return other.dst == route.dst && other.table == route.table;
      });
      if (waits && !wanted) wanted_.routes.push_back({AddRoute{route}, "kept"});
    }
  }

  void add_connected(const Member& member, TableId table) {
    wanted_.routes.push_back(
        {AddRoute{connected_route(now_, member, table)},
         fmt::format("{} reaches {} by itself", now_.link_name(member.link), member.subnet.str())});
  }

  void add_gateway(const Prefix& prefix, const Member& member, TableId table) {
    wanted_.routes.push_back({AddRoute{gateway_route(now_, prefix, member, table)},
                              fmt::format("{} reaches {} by its own gateway",
                                          now_.link_name(member.link), words(prefix))});
  }

  void add_rule(const Member& member, Numbers& numbers) {
    wanted_.rules.push_back({AddRule{door_rule(member.address, numbers.table(member.link),
                                               numbers.rule(member.address))},
                             fmt::format("what {} sends leaves by {}", member.address.str(),
                                         now_.link_name(member.link))});
  }

  /// Whatever main knows better than our tables (a pod's /32, a VPN), now or later, goes before
  /// them: main is asked first, and only its more specific answers count. A prefix inside another
  /// is judged by its own guard alone, so it jumps over the wider ones: else main's view of that
  /// very subnet would be "better" than the gateway's.
  void add_guards(const Numbers& numbers, Family family) {
    std::vector<Rule> list;
    bool jumps = false;
    std::vector<std::pair<Prefix, std::uint8_t>> prefixes;
    for (const auto& each : guarded_) {
      if (each.first.family() == family) prefixes.emplace_back(each);
    }
    std::ranges::stable_sort(
        prefixes, std::greater{},
        [](const std::pair<Prefix, std::uint8_t>& each) { return each.first.length; });
    for (const auto& [prefix, longest] : prefixes) {
      Rule rule = rule_of(family, RuleAction::lookup);
      if (prefix.length > 0) rule.to = prefix;
      rule.table = table_main;
      rule.suppress_prefixlength = longest;
      list.push_back(rule);
      if (!is_inside_another(guarded_, prefix)) continue;
      Rule jump = rule_of(family, RuleAction::goto_);
      jump.to = prefix;
      jump.goto_target = numbers.landing(family);
      list.push_back(jump);
      jumps = true;
    }
    number(list, numbers.first_guard(family), numbers.landing(family));
    if (jumps) {
      Rule landing = rule_of(family, RuleAction::nop);
      landing.priority = numbers.landing(family);
      wanted_.guards.push_back({AddRule{landing}, "where the jumps land"});
    }
    for (const Rule& rule : list) wanted_.guards.push_back({AddRule{rule}, why(rule)});
  }

  /// In order, before the landing; a number that is there and leaves room for the rest stays.
  void number(std::vector<Rule>& list, std::uint32_t first, std::uint32_t landing) const {
    std::uint32_t next = first;
    std::uint32_t last = landing - static_cast<std::uint32_t>(list.size());
    for (Rule& rule : list) {
      rule.priority = next;
      ++last;
      for (const Rule& old : now_.rules) {
        Rule same = old;
        same.priority = rule.priority;
        same.goto_unresolved = false;
        if (!old.ours() || same != rule || old.priority < next || old.priority >= last) continue;
        rule.priority = old.priority;
        break;
      }
      while (jumps_elsewhere(rule)) ++rule.priority;
      next = rule.priority + 1;
    }
  }

  /// rule_exists() does not compare where a rule jumps to: while the old one is there, the kernel
  /// takes the new one for it.
  [[nodiscard]] bool jumps_elsewhere(const Rule& rule) const {
    return rule.action == RuleAction::goto_ &&
           std::ranges::any_of(now_.rules, [&](const Rule& old) {
             return old.family == rule.family && old.priority == rule.priority &&
                    old.action == RuleAction::goto_ && old.to == rule.to &&
                    old.goto_target != rule.goto_target;
           });
  }

  static std::string words(const Prefix& prefix) {
    return prefix.length == 0 ? "everything else" : prefix.str();
  }
  static std::string why(const Rule& rule) {
    const std::string what = rule.to ? words(*rule.to) : "the NICs' gateways";
    return rule.action == RuleAction::goto_
               ? fmt::format("{} is the NICs' own: wider guards do not judge it", what)
               : fmt::format("what main knows better than {} stays with main, now and later", what);
  }

  const Snapshot& now_;
  const Policy& policy_;
  const Diagnosis& found_;
  const std::vector<SharedSubnet>& care_;
  Wanted wanted_;
  Guarded guarded_;
  std::vector<IfIndex> links_;
  std::vector<Member> connected_;
  std::vector<std::pair<Prefix, Member>> behind_;
  std::vector<Member> with_rule_;
  std::set<Ip> ruled_;
  std::set<std::pair<IfIndex, Prefix>> reached_;  ///< on the wire
  std::set<std::pair<IfIndex, Prefix>> routed_;
};

}  // namespace

std::vector<SharedSubnet> in_care(const Snapshot& now, const Diagnosis& found) {
  std::set<const SharedSubnet*> sick;
  for (const Finding& finding : found.findings) {
    if (!finding.curable || !finding.evidence) continue;
    const RoundTrip& trip = found.round_trips[*finding.evidence];
    const auto it = std::ranges::find_if(found.subnets, [&](const SharedSubnet& subnet) {
      return subnet.joins(trip.local, trip.peer);
    });
    if (it != found.subnets.end()) sick.insert(&*it);
  }
  std::vector<SharedSubnet> chosen;
  for (const SharedSubnet& subnet : found.subnets) {
    const bool kept = subnet.routed() ? has_our_gateway_route(now, subnet.prefix)
                                      : std::ranges::any_of(subnet.members, [&](const Member& m) {
                                          return our_rule(now, m.address) != nullptr;
                                        });
    if (sick.contains(&subnet) || kept) chosen.push_back(subnet);
  }
  return chosen;
}

tl::expected<Wanted, std::string> want(const Snapshot& now, const Policy& policy,
                                       const Diagnosis& found,
                                       const std::vector<SharedSubnet>& care) {
  return Builder(now, policy, found, care).build();
}

}  // namespace retour
