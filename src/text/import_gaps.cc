// SPDX-License-Identifier: Apache-2.0
//
// What a pasted host lacks: nothing here is an error, for a kernel can have it so, or another text
// would have told.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/describe.h"
#include "text/import_parts.h"
#include "text/printable.h"

namespace retour {
namespace {

void note_sources(const Snapshot& host, const std::vector<ImportedRoute>& routes, Notes& notes) {
  for (const ImportedRoute& route : routes) {
    const auto& source = route.route.prefsrc;
    if (!source || source->is_loopback()) continue;
    const bool owned = std::ranges::any_of(
        host.addresses, [&](const Address& address) { return address.local.address == *source; });
    if (!owned) {
      notes.add(fmt::format("{}: source {} is on no link", route.where.str(), source->str()));
    }
  }
}

// `ip route` shows table main; a rule to another table then finds it empty.
void note_tables(const Snapshot& host, const std::vector<ImportedRoute>& routes, Notes& notes) {
  if (std::ranges::any_of(routes, &ImportedRoute::table_given)) return;  // `show table all`
  std::set<TableId> filled{table_default};
  for (const Route& route : host.routes) filled.insert(route.table);
  std::vector<std::string> empty;
  for (const Rule& rule : host.rules) {
    const bool looks = rule.action == RuleAction::lookup && !rule.l3mdev;
    if (!looks || !filled.insert(rule.table).second) continue;
    if (rule.table == table_main || rule.table == table_local) continue;
    empty.push_back(printable(table_word(rule.table, &host)));
  }
  if (empty.empty()) return;
  constexpr std::size_t most = 10;
  const std::size_t more = empty.size() > most ? empty.size() - most : 0;
  const std::string_view word = empty.size() == 1 ? "table" : "tables";
  empty.resize(empty.size() - more);
  notes.add(fmt::format(
      "rules look up {} {}{}, of which no routes were given: `ip route show table "
      "all` has those of every table",
      word, fmt::join(empty, ", "), more == 0 ? "" : fmt::format(" and {} more", more)));
}

void note_devices(const Snapshot& host, Notes& notes) {
  std::set<std::string> missing;
  for (const Rule& rule : host.rules) {
    if (!rule.iif_detached && !rule.iif.empty()) missing.insert(rule.iif);
    if (!rule.oif_detached && !rule.oif.empty()) missing.insert(rule.oif);
  }
  for (const Link& link : host.links) missing.erase(link.name);
  for (const std::string& name : missing) {
    notes.add(
        fmt::format("rules name {}, which is not among the links (an altname?)", printable(name)));
  }
}

void note_nexthops(const Snapshot& host, Notes& notes) {
  const auto users =
      std::ranges::count_if(host.routes, [](const Route& route) { return route.nexthop_id != 0; });
  if (users == 0) return;
  notes.add(fmt::format("{} routes go by nexthop objects, which `ip nexthop` would show", users));
}

void note_kinds(const Snapshot& host, Notes& notes) {
  const bool told =
      std::ranges::any_of(host.links, [](const Link& link) { return !link.kind.empty(); });
  if (!told) notes.add("the kinds of the links (bond, vlan, …) are unknown: `ip -d` shows them");
}

}  // namespace

void note_gaps(const ImportTexts& texts, const Snapshot& host,
               const std::vector<ImportedRoute>& routes, Notes& notes) {
  if (texts.addr) note_sources(host, routes, notes);
  if (texts.route || !texts.route_tables.empty()) note_tables(host, routes, notes);
  if (!texts.nexthop) note_nexthops(host, notes);
  if (texts.addr || texts.link) {
    note_devices(host, notes);
    note_kinds(host, notes);
  }
}

}  // namespace retour
