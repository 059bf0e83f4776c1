// SPDX-License-Identifier: Apache-2.0
#include "plan/native.h"

#include <algorithm>
#include <set>

namespace retour {

namespace {

constexpr std::uint8_t protocol_boot = 3;
constexpr std::uint8_t protocol_static = 4;

bool leaves_by(const Route& route, IfIndex link) {
  return std::ranges::find(route.next_hops, link, &NextHop::link) != route.next_hops.end();
}

/// The NICs whose going and coming a rule belongs to: those its table leads to, else those whose
/// address it names, else those with an address where it goes; else all of ours.
std::set<IfIndex> links_of(const Rule& rule, const Native& all, const std::set<IfIndex>& ours) {
  std::set<IfIndex> links;
  const auto take_if = [&](const auto& meets) {
    for (const Address& address : all.host.addresses) {
      if (ours.contains(address.link) && meets(address)) links.insert(address.link);
    }
  };
  if (rule.table != table_main) {
    for (const PlannedTable& table : all.tables) {
      if (table.id == rule.table && table.link.value != 0) links.insert(table.link);
    }
    for (const Route& route : all.routes) {
      if (route.table != rule.table) continue;
      for (const NextHop& leg : route.next_hops) links.insert(leg.link);
    }
  }
  if (links.empty() && rule.from) {
    take_if([&](const Address& a) { return rule.from->contains(a.local.address); });
  }
  if (links.empty() && rule.to) {
    take_if([&](const Address& a) { return rule.to->contains(a.local.address); });
  }
  return links.empty() ? ours : links;
}

void add_confs(const Plan& plan, std::span<const ConfRecord> remembered, NativeLink& link) {
  for (const ConfRecord& record : remembered) {
    const bool same =
        record.mac.empty() ? record.link_name == link.link.name : record.mac == link.link.mac;
    // Someone else changed it since: theirs now.
    if (!same || link.link.conf.get(record.conf).value_or(record.ours) != record.ours) continue;
    link.confs.push_back({record.conf, record.ours});
  }
  for (const Change& change : plan.changes) {
    const auto* set = std::get_if<SetConf>(&change.operation);
    if (set == nullptr || set->link != link.link.index) continue;
    std::erase_if(link.confs, [&](const NativeConf& each) { return each.conf == set->conf; });
    link.confs.push_back({set->conf, set->after});
  }
}

bool configured_by_someone(const Route& route, IfIndex link) {
  return route.table == table_main && route.next_hops.size() == 1 && route.nexthop_id == 0 &&
         (route.protocol == protocol_boot || route.protocol == protocol_static) &&
         leaves_by(route, link);
}

}  // namespace

Native native(const Snapshot& now, const Plan& plan, std::span<const ConfRecord> remembered) {
  Native all;
  all.host = plan.rehearsed;
  all.present =
      std::ranges::any_of(now.rules, &Rule::ours) || std::ranges::any_of(now.routes, &Route::ours);
  std::ranges::copy_if(all.host.rules, std::back_inserter(all.rules), &Rule::ours);
  std::ranges::copy_if(all.host.routes, std::back_inserter(all.routes), &Route::ours);
  std::set<TableId> used;
  for (const Rule& rule : all.rules) used.insert(rule.table);
  for (const Route& route : all.routes) used.insert(route.table);
  for (const PlannedTable& table : plan.tables) {
    if (used.contains(table.id)) all.tables.push_back(table);
  }
  std::set<IfIndex> ours;
  for (const PlannedTable& table : all.tables) ours.insert(table.link);
  for (const Route& route : all.routes) {
    for (const NextHop& leg : route.next_hops) ours.insert(leg.link);
  }
  std::vector<std::set<IfIndex>> served;
  served.reserve(all.rules.size());
  for (const Rule& rule : all.rules) served.push_back(links_of(rule, all, ours));
  for (const Link& link : all.host.links) {
    NativeLink each;
    each.link = link;
    for (std::size_t i = 0; i < all.rules.size(); ++i) {
      if (served[i].contains(link.index)) each.rules.push_back(all.rules[i]);
    }
    for (const Route& route : all.routes) {
      const bool first = !ours.empty() && link.index == *ours.begin();
      if (leaves_by(route, link.index) || (route.next_hops.empty() && first)) {
        each.routes.push_back(route);
      }
    }
    add_confs(plan, remembered, each);
    if (each.rules.empty() && each.routes.empty() && each.confs.empty()) continue;
    for (const Address& address : all.host.addresses) {
      if (address.link == link.index && address.scope == scope_global) {
        each.addresses.push_back(address);
      }
    }
    for (const Route& route : all.host.routes) {
      if (configured_by_someone(route, link.index)) each.main.push_back(route);
    }
    all.links.push_back(std::move(each));
  }
  return all;
}

bool is_made_by_retour(std::string_view text) {
  if (text.starts_with("#!")) text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
  return text.starts_with(made_by_retour);
}

}  // namespace retour
