// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "model/fib6.h"

namespace retour {

namespace {

/// fib6_prop[], for the types the kernel makes reject routes of; others lead somewhere even where
/// IPv4 has an error for them.
int error6_of(RouteType type) {
  switch (type) {
    case RouteType::blackhole:
    case RouteType::unreachable:
    case RouteType::prohibit:
    case RouteType::throw_:
      return error_of(type);
    default:
      return 0;
  }
}

/// IPV6_DECODE_PREF(): medium 0, high 1, reserved 2, low 3 in order of liking.
constexpr std::uint8_t liking(std::uint8_t preference) { return (preference & 3U) ^ 2U; }

/// Reject routes hang on `lo`, also where a reader was not told so.
const NextHop on_loopback{loopback_index, std::nullopt, 0, 1};

}  // namespace

void Fib6::compile() {
  std::unordered_map<TableId, std::vector<std::uint32_t>> members;
  std::vector<std::uint32_t>* list = nullptr;
  TableId last{};
  const auto& all = snapshot_.routes;
  const auto first = std::ranges::find(all, Family::v6, &Route::family);
  first_ = static_cast<std::uint32_t>(first - all.begin());
  entries_.resize(all.size() - first_);
  for (std::uint32_t i = first_; i < all.size(); ++i) {
    const Route& route = all[i];
    if (route.family() != Family::v6) continue;
    if (list == nullptr || last != route.table) list = &members[route.table];
    last = route.table;
    list->push_back(i);
    entries_[i - first_] = entry_of(route);
    if (entry_at(i).object) share(i);
  }
  for (auto& [id, routes] : members) {
    const Table& made = tables_.emplace(id, table_of(std::move(routes))).first->second;
    forgets_ = std::max(forgets_, made.forgets);
  }
}

Fib6::Entry Fib6::entry_of(const Route& route) const {
  const Nexthops::Legs legs = nexthops_.of(route);
  Entry entry;
  entry.legs = legs.legs;
  entry.ids = legs.ids;
  entry.metric = route.metric;
  entry.error = static_cast<std::int16_t>(legs.blackhole ? EINVAL : error6_of(route.type));
  entry.preference = liking(route.preference);
  entry.object = legs.object;
  entry.blackhole = legs.blackhole;
  entry.resilient = legs.resilient;
  entry.expired = route.expired;
  // An anycast route that someone added is sent by its device; only the kernel's own, which alone
  // have no metric, are delivered here.
  entry.own =
      route.type == RouteType::local || (route.type == RouteType::anycast && route.metric == 0);
  if (entry.error != 0 && entry.legs.empty()) entry.legs = std::span(&on_loopback, 1);
  entry.may_fail = std::ranges::any_of(entry.legs, [&](const NextHop& leg) {
    return leg.gateway && failed_.contains({leg.link, *leg.gateway});
  });
  return entry;
}

// rt6_get_pcpu_route(): a nexthop object keeps what was made of the first route that used it since
// the rules last changed, and gives it to the lookups of all others.
void Fib6::share(std::uint32_t route) {
  const auto alike = [&](std::uint32_t other) {
    const Entry& a = entry_at(route);
    const Entry& b = entry_at(other);
    return a.own == b.own && a.legs.front().link == b.legs.front().link &&
           snapshot_.routes[route].prefsrc == snapshot_.routes[other].prefsrc;
  };
  for (const std::uint32_t id : entry_at(route).ids) {
    std::vector<std::uint32_t>& kinds = sharers_[id];
    if (std::ranges::none_of(kinds, alike)) kinds.push_back(route);
    if (entry_at(route).error != 0) continue;
    const std::uint8_t length = snapshot_.routes[route].dst.length;
    std::vector<std::uint8_t>& lengths = lengths_[id];
    const auto same = [&](std::uint8_t other) { return told_apart(other) == told_apart(length); };
    if (std::ranges::none_of(lengths, same)) lengths.push_back(length);
  }
}

// Lengths of one number are suppressed by the same rules.
std::ptrdiff_t Fib6::told_apart(std::uint8_t length) const {
  return std::ranges::count_if(rules_.entries(), [length](const RuleList::Entry& entry) {
    return entry.rule->suppress_prefixlength && *entry.rule->suppress_prefixlength < length;
  });
}

Fib6::Table Fib6::table_of(std::vector<std::uint32_t> routes) const {
  const bool branched = std::ranges::any_of(
      routes, [&](std::uint32_t route) { return snapshot_.routes[route].src.has_value(); });
  Table table;
  table.index = Index(snapshot_.routes, std::move(routes));
  if (!branched) return table;
  const auto nodes = table.index.nodes();
  std::vector<std::uint8_t> depths(nodes.size());  // how many that forget, itself and around it
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::int32_t parent = nodes[i].parent;
    if (parent >= 0) depths[i] = depths[static_cast<std::size_t>(parent)];
    Subtree subtree;
    for (const std::uint32_t route : table.index.entries(nodes[i])) {
      const auto& from = snapshot_.routes[route].src;
      if (!from || from->length == 0) {
        subtree.plain.push_back(route);
        continue;
      }
      const Prefix network = from->network();
      auto branch = std::ranges::find(subtree.branches, network, &Branch::from);
      if (branch == subtree.branches.end()) {
        branch = subtree.branches.insert(branch, Branch{network, {}});
      }
      branch->routes.push_back(route);
    }
    if (subtree.branches.empty()) continue;
    const bool has_longer = i + 1 < nodes.size() && nodes[i + 1].first <= nodes[i].last;
    subtree.forgets = subtree.plain.empty() && has_longer && nodes[i].length != 0;
    if (subtree.forgets) ++depths[i];
    table.forgets = std::max(table.forgets, depths[i]);
    std::ranges::sort(subtree.branches, std::greater<>{},
                      [](const Branch& branch) { return branch.from.length; });
    table.subtrees.emplace(i, std::move(subtree));
  }
  return table;
}

}  // namespace retour
