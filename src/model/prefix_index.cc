// SPDX-License-Identifier: Apache-2.0
#include "model/prefix_index.h"

#include <algorithm>

namespace retour {

PrefixIndex::PrefixIndex(std::span<const Route> routes, std::vector<std::uint32_t> entries)
    : entries_(std::move(entries)) {
  const auto first = [&](std::uint32_t i) { return routes[i].dst.network().address.v4_bits(); };
  std::ranges::stable_sort(entries_, [&](std::uint32_t a, std::uint32_t b) {
    const Route& x = routes[a];
    const Route& y = routes[b];
    if (first(a) != first(b)) return first(a) < first(b);
    if (x.dst.length != y.dst.length) return x.dst.length < y.dst.length;
    if (x.tos != y.tos) return x.tos > y.tos;
    return x.metric < y.metric;
  });
  std::vector<std::int32_t> around;  // the prefixes that enclose the current one, outermost first
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const Prefix prefix = routes[entries_[i]].dst.network();
    const std::uint32_t start = prefix.address.v4_bits();
    if (!nodes_.empty() && nodes_.back().first == start && nodes_.back().length == prefix.length) {
      nodes_.back().entries_end = i + 1;
      continue;
    }
    while (!around.empty() && nodes_[static_cast<std::size_t>(around.back())].last < start) {
      around.pop_back();
    }
    const std::int32_t parent = around.empty() ? -1 : around.back();
    around.push_back(static_cast<std::int32_t>(nodes_.size()));
    nodes_.push_back({start, prefix.last().v4_bits(), parent, i, i + 1, prefix.length});
  }
  firsts_.reserve(nodes_.size());
  for (const Node& node : nodes_) firsts_.push_back(node.first);
}

const PrefixIndex::Node* PrefixIndex::find(std::uint32_t address) const {
  const auto after = std::ranges::upper_bound(firsts_, address);
  if (after == firsts_.begin()) return nullptr;
  const Node* node = &nodes_[static_cast<std::size_t>(after - firsts_.begin()) - 1];
  // The last prefix that starts at or before the address; if it ends before, one around it may
  // still hold the address.
  while (node != nullptr && node->last < address) node = parent(*node);
  return node;
}

}  // namespace retour
