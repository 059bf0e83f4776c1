// SPDX-License-Identifier: Apache-2.0
//
// The routes of one table, indexed for longest-prefix match with backtracking. Prefixes nest or are
// disjoint, so sorted by (first address, length) each one's enclosing prefix is known beforehand: a
// lookup is one binary search and then a walk up the parents.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/objects.h"

namespace retour {

/// `Key` holds an address as a number: std::uint32_t for IPv4, Bits for IPv6.
template <class Key>
class PrefixIndex {
 public:
  struct Node {
    Key first{};
    Key last{};
    std::int32_t parent{-1};  ///< the next shorter prefix around this one; -1 = none
    std::uint32_t entries_begin{};
    std::uint32_t entries_end{};
    std::uint8_t length{};
  };

  PrefixIndex() = default;
  /// `entries` index `routes`; within one prefix their order is the kernel's (table descending,
  /// where tables are merged; tos descending, metric ascending, then as given).
  PrefixIndex(std::span<const Route> routes, std::vector<std::uint32_t> entries);

  /// The longest prefix that contains `address`, or nullptr.
  [[nodiscard]] const Node* find(Key address) const;
  [[nodiscard]] const Node* parent(const Node& node) const {
    return node.parent < 0 ? nullptr : &nodes_[static_cast<std::size_t>(node.parent)];
  }
  [[nodiscard]] std::span<const std::uint32_t> entries(const Node& node) const {
    return std::span(entries_).subspan(node.entries_begin, node.entries_end - node.entries_begin);
  }
  [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
  [[nodiscard]] bool empty() const { return nodes_.empty(); }

 private:
  std::vector<Key> firsts_;  ///< nodes_[i].first, apart so that the search stays in cache
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> entries_;
};

extern template class PrefixIndex<std::uint32_t>;
extern template class PrefixIndex<Bits>;

}  // namespace retour
