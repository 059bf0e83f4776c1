// SPDX-License-Identifier: Apache-2.0
#include "plan/numbers.h"

#include <fmt/format.h>

#include <algorithm>

namespace retour {

namespace {

bool unconditional(const Rule& rule, TableId table) {
  Rule plain;
  plain.priority = rule.priority;
  plain.protocol = rule.protocol;
  plain.table = table;
  return rule == plain;
}

std::optional<std::uint32_t> priority_of(const Snapshot& now, TableId table) {
  const auto it =
      std::ranges::find_if(now.rules, [&](const Rule& rule) { return unconditional(rule, table); });
  return it == now.rules.end() ? std::nullopt : std::optional(it->priority);
}

bool foreign_between(const Snapshot& now, std::uint32_t first, std::uint32_t last) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return rule.family == Family::v4 && !rule.ours() && rule.priority >= first &&
           rule.priority <= last;
  });
}

}  // namespace

std::string table_name(const std::string& link) {
  std::string name = "retour-";
  for (const char c : link) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    name += plain ? c : '_';
  }
  return name;
}

tl::expected<Numbers, std::string> Numbers::choose(const Snapshot& now,
                                                   const std::vector<SharedSubnet>& subnets) {
  Numbers numbers;
  std::map<Ip, IfIndex> owner;
  std::uint32_t addresses = 0;
  for (const SharedSubnet& subnet : subnets) {
    for (const auto& member : subnet.members) {
      owner[member.address] = member.link;
      ++addresses;
    }
  }
  // One table serves one link: an address that moved must not drag its old table along.
  std::set<TableId> given;
  const auto give = [&](IfIndex link, TableId table) {
    if (!numbers.tables_.contains(link) && given.insert(table).second) {
      numbers.tables_[link] = table;
    }
  };
  // Tables: what a link of ours has stays; everything else that exists or has a name is taken.
  numbers.taken_tables_ = {TableId{0}, TableId{252}, table_default, table_main, table_local};
  for (const auto& [id, name] : now.table_names) {
    // Our own names may be of another namespace that shares /etc; they take nothing.
    if (!name.starts_with("retour-")) numbers.taken_tables_.insert(id);
  }
  for (const Route& route : now.routes) {
    numbers.taken_tables_.insert(route.table);
    const bool door = route.protocol == protocol_retour && route.next_hops.size() == 1;
    if (door) give(route.next_hops.front().link, route.table);
  }
  for (const Rule& rule : now.rules) {
    numbers.taken_tables_.insert(rule.table);
    if (!rule.ours() || !rule.from) continue;
    const auto it = owner.find(rule.from->address);
    if (it != owner.end()) give(it->second, rule.table);
  }

  const std::uint32_t local = priority_of(now, table_local).value_or(0);
  const std::uint32_t main = priority_of(now, table_main).value_or(32766);
  const std::uint32_t need = guards_in_band + addresses;
  const auto fits = [&](std::uint32_t band) {
    return band > local && band + need < main && !foreign_between(now, band, band + need - 1);
  };
  std::vector<std::uint32_t> bands;
  if (const auto mine = std::ranges::find_if(now.rules, &Rule::ours); mine != now.rules.end()) {
    bands.push_back(mine->priority / 1000 * 1000);  // where our rules are already
  }
  for (std::uint32_t band = usual_band; band >= 1000; band -= 1000) bands.push_back(band);
  if (main > need + 1) bands.push_back(main - need - 1);
  bands.push_back(local + 1);
  const auto band = std::ranges::find_if(bands, fits);
  if (band == bands.end()) {
    return tl::unexpected(fmt::format(
        "no {} free rule priorities in a row between the rule for local ({}) and the one for main "
        "({})",
        need, local, main));
  }
  numbers.band_ = *band;
  for (const Rule& rule : now.rules) {
    if (!rule.ours() || rule.priority < *band || rule.priority >= *band + need) continue;
    const bool guard = rule.priority < *band + guards_in_band;
    if (guard && rule.to) numbers.guards_.try_emplace(*rule.to, rule.priority);
    if (!guard && rule.from) numbers.rules_.try_emplace(rule.from->address, rule.priority);
    numbers.taken_priorities_.insert(rule.priority);
  }
  return numbers;
}

TableId Numbers::table(IfIndex link) {
  if (const auto it = tables_.find(link); it != tables_.end()) return it->second;
  TableId id{first_table};
  while (taken_tables_.contains(id)) ++id.value;
  taken_tables_.insert(id);
  tables_[link] = id;
  return id;
}

std::uint32_t Numbers::rule(const Ip& address) {
  if (const auto it = rules_.find(address); it != rules_.end()) return it->second;
  std::uint32_t priority = band_ + guards_in_band;
  while (taken_priorities_.contains(priority)) ++priority;
  taken_priorities_.insert(priority);
  rules_[address] = priority;
  return priority;
}

std::uint32_t Numbers::guard(const Prefix& subnet) {
  if (const auto it = guards_.find(subnet); it != guards_.end()) return it->second;
  std::uint32_t priority = band_;
  while (taken_priorities_.contains(priority)) ++priority;
  taken_priorities_.insert(priority);
  guards_[subnet] = priority;
  return priority;
}

}  // namespace retour
