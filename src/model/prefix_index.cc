// SPDX-License-Identifier: Apache-2.0
#include "model/prefix_index.h"

#include <algorithm>
#include <tuple>

namespace retour {

template <class Key>
PrefixIndex<Key>::PrefixIndex(std::span<const Route> routes, std::vector<std::uint32_t> entries) {
  // What the order depends on, apart from the routes: sorting touches nothing else.
  struct Sortable {
    Key first;
    std::uint32_t metric;
    std::uint32_t position;
    std::uint32_t route;
    std::uint32_t table_rank;
    std::uint8_t length;
    std::uint8_t tos_rank;
    bool operator<(const Sortable& other) const {
      return std::tie(first, length, table_rank, tos_rank, metric, position) <
             std::tie(other.first, other.length, other.table_rank, other.tos_rank, other.metric,
                      other.position);
    }
  };
  std::vector<Sortable> order;
  order.reserve(entries.size());
  for (const std::uint32_t i : entries) {
    const Route& route = routes[i];
    order.push_back({static_cast<Key>(route.dst.network().address.bits()), route.metric,
                     static_cast<std::uint32_t>(order.size()), i, ~route.table.value,
                     route.dst.length, static_cast<std::uint8_t>(255 - route.tos)});
  }
  std::ranges::sort(order, std::less<>{});
  entries_ = std::move(entries);
  std::vector<std::int32_t> around;  // the prefixes that enclose the current one, outermost first
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    entries_[i] = order[i].route;
    const Key start = order[i].first;
    const std::uint8_t length = order[i].length;
    if (!nodes_.empty() && nodes_.back().first == start && nodes_.back().length == length) {
      nodes_.back().entries_end = i + 1;
      continue;
    }
    while (!around.empty() && nodes_[static_cast<std::size_t>(around.back())].last < start) {
      around.pop_back();
    }
    const std::int32_t parent = around.empty() ? -1 : around.back();
    around.push_back(static_cast<std::int32_t>(nodes_.size()));
    const auto last = static_cast<Key>(routes[order[i].route].dst.last().bits());
    nodes_.push_back({start, last, parent, i, i + 1, length});
  }
  firsts_.reserve(nodes_.size());
  for (const Node& node : nodes_) firsts_.push_back(node.first);
}

template <class Key>
const typename PrefixIndex<Key>::Node* PrefixIndex<Key>::find(Key address) const {
  const auto after = std::ranges::upper_bound(firsts_, address);
  if (after == firsts_.begin()) return nullptr;
  const Node* node = &nodes_[static_cast<std::size_t>(after - firsts_.begin()) - 1];
  // The last prefix that starts at or before the address; if it ends before, one around it may
  // still hold the address.
  while (node != nullptr && node->last < address) node = parent(*node);
  return node;
}

template class PrefixIndex<std::uint32_t>;
template class PrefixIndex<Bits>;

}  // namespace retour
