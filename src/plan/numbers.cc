// SPDX-License-Identifier: Apache-2.0
#include "plan/numbers.h"

#include <fmt/format.h>

#include <algorithm>

namespace retour {

namespace {

bool unconditional(const Rule& rule, TableId table) {
  Rule plain;
  plain.family = rule.family;
  plain.priority = rule.priority;
  plain.protocol = rule.protocol;
  plain.table = table;
  return rule == plain;
}

std::optional<std::uint32_t> priority_of(const Snapshot& now, Family family, TableId table) {
  const auto it = std::ranges::find_if(now.rules, [&](const Rule& rule) {
    return rule.family == family && unconditional(rule, table);
  });
  return it == now.rules.end() ? std::nullopt : std::optional(it->priority);
}

bool foreign_between(const Snapshot& now, Family family, std::uint32_t first, std::uint32_t last) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return rule.family == family && !rule.ours() && rule.priority >= first && rule.priority <= last;
  });
}

std::uint32_t room(std::uint32_t guards) {
  const std::uint32_t hundreds = (guards + 1 + 99) / 100;  // one for the landing
  return std::max(Numbers::guards_in_band, hundreds * 100);
}

const char* family_word(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }

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

tl::expected<Numbers, std::string> Numbers::choose(const Snapshot& now, const Policy& policy,
                                                   const std::vector<IfIndex>& links,
                                                   const std::array<RuleNeed, 2>& need) {
  Numbers numbers;
  numbers.keep_tables(now, policy, links, need);
  if (auto why = numbers.find_tables(policy, links)) return tl::unexpected(std::move(*why));
  for (const Family family : {Family::v4, Family::v6}) {
    const RuleNeed& wanted = need[static_cast<std::size_t>(family)];
    if (wanted.addresses.empty()) continue;
    if (auto why = numbers.find_band(now, policy, family, wanted)) {
      return tl::unexpected(std::move(*why));
    }
  }
  return numbers;
}

/// What a link of ours has stays; everything else that exists or has a name is taken.
void Numbers::keep_tables(const Snapshot& now, const Policy& policy,
                          const std::vector<IfIndex>& links, const std::array<RuleNeed, 2>& need) {
  // One table serves one link: an address that moved must not drag its old table along.
  std::set<TableId> given;
  const auto give = [&](IfIndex link, TableId table) {
    const bool wanted = std::ranges::find(links, link) != links.end();
    if (!wanted || tables_.contains(link)) return;
    if (policy.tables && !policy.tables->contains(table.value)) return;
    if (!given.insert(table).second) return;
    tables_[link] = table;
    taken_tables_.insert(table);
  };
  taken_tables_ = {TableId{0}, TableId{252}, table_default, table_main, table_local};
  std::set<TableId> foreign;
  for (const auto& [id, name] : now.table_names) {
    // Our own names may be of another namespace that shares /etc; they take nothing.
    if (!name.starts_with("retour-")) taken_tables_.insert(id);
  }
  for (const Route& route : now.routes) {
    taken_tables_.insert(route.table);
    if (!route.ours()) foreign.insert(route.table);
    const bool door = route.ours() && route.next_hops.size() == 1;
    if (door) give(route.next_hops.front().link, route.table);
  }
  for (const Rule& rule : now.rules) {
    taken_tables_.insert(rule.table);
    if (!rule.ours()) foreign.insert(rule.table);
    if (!rule.ours() || !rule.from) continue;
    const auto& owners = need[static_cast<std::size_t>(rule.family)].addresses;
    const auto it = owners.find(rule.from->address);
    if (it != owners.end()) give(it->second, rule.table);
  }
  // A NIC whose only address was changed has lost its routes; the name of the table remembers.
  for (const IfIndex link : links) {
    const std::string wanted = table_name(now.link_name(link));
    for (const auto& [id, name] : now.table_names) {
      if (name == wanted && !foreign.contains(id)) give(link, id);
    }
  }
}

std::optional<std::string> Numbers::find_tables(const Policy& policy,
                                                const std::vector<IfIndex>& links) {
  std::uint32_t id = policy.tables ? policy.tables->first : first_table;
  const std::uint32_t last = policy.tables ? policy.tables->last : 0xfffffffe;
  for (const IfIndex link : links) {
    if (tables_.contains(link)) continue;
    while (id <= last && taken_tables_.contains(TableId{id})) ++id;
    if (id > last) {
      return fmt::format("the policy's tables {} to {} do not do for {} NICs: some are taken",
                         policy.tables->first, policy.tables->last, links.size());
    }
    tables_[link] = TableId{id};
    taken_tables_.insert(TableId{id});
  }
  return std::nullopt;
}

std::optional<std::string> Numbers::find_band(const Snapshot& now, const Policy& policy,
                                              Family family, const RuleNeed& wanted) {
  Band& mine = bands_[static_cast<std::size_t>(family)];
  mine.guards = room(wanted.guards);
  const std::uint32_t local = priority_of(now, family, table_local).value_or(0);
  const std::uint32_t main = priority_of(now, family, table_main).value_or(32766);
  const std::uint32_t need = mine.guards + static_cast<std::uint32_t>(wanted.addresses.size());
  const auto fits = [&](std::uint32_t band) {
    if (policy.priorities &&
        (band < policy.priorities->first || band + need - 1 > policy.priorities->last)) {
      return false;
    }
    return band > local && band + need < main &&
           !foreign_between(now, family, band, band + need - 1);
  };
  std::vector<std::uint32_t> bands;
  const auto ours = std::ranges::find_if(
      now.rules, [&](const Rule& rule) { return rule.ours() && rule.family == family; });
  if (ours != now.rules.end()) {
    bands.push_back(ours->priority / 1000 * 1000);  // where our rules are already
    bands.push_back(ours->priority);
  }
  if (policy.priorities) {
    for (std::uint32_t band = policy.priorities->first;
         band <= policy.priorities->last && bands.size() < 64; band += 100) {
      bands.push_back(band);
    }
  }
  for (std::uint32_t band = usual_band; band >= 1000; band -= 1000) bands.push_back(band);
  if (main > need + 1) bands.push_back(main - need - 1);
  bands.push_back(local + 1);
  const auto band = std::ranges::find_if(bands, fits);
  if (band == bands.end()) {
    const std::string where = policy.priorities
                                  ? fmt::format(" and in the policy's {} to {}",
                                                policy.priorities->first, policy.priorities->last)
                                  : std::string();
    return fmt::format(
        "no {} free {} rule priorities in a row between the rule for local ({}) and the one for "
        "main ({}){}",
        need, family_word(family), local, main, where);
  }
  mine.first = *band;
  const std::uint32_t first_rule = mine.first + mine.guards;
  for (const Rule& rule : now.rules) {
    if (!rule.ours() || rule.family != family || !rule.from) continue;
    if (rule.priority < first_rule || rule.priority >= *band + need) continue;
    mine.rules.try_emplace(rule.from->address, rule.priority);
    mine.taken.insert(rule.priority);
  }
  return std::nullopt;
}

TableId Numbers::table(IfIndex link) { return tables_.at(link); }

std::uint32_t Numbers::rule(const Ip& address) {
  Band& mine = bands_[static_cast<std::size_t>(address.family())];
  if (const auto it = mine.rules.find(address); it != mine.rules.end()) return it->second;
  std::uint32_t priority = mine.first + mine.guards;
  while (mine.taken.contains(priority)) ++priority;
  mine.taken.insert(priority);
  mine.rules[address] = priority;
  return priority;
}

}  // namespace retour
