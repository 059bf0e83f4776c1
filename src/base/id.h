// SPDX-License-Identifier: Apache-2.0
//
// Numbers that must not be mixed up: a table id is not an interface index.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace retour {

template <class Tag>
struct Id {
  std::uint32_t value{};
  friend constexpr auto operator<=>(Id, Id) = default;
};

using IfIndex = Id<struct IfIndexTag>;  ///< 0 = none
using TableId = Id<struct TableIdTag>;

inline constexpr TableId table_default{253};
inline constexpr TableId table_main{254};
inline constexpr TableId table_local{255};

inline constexpr IfIndex loopback_index{1};  ///< LOOPBACK_IFINDEX: `lo` of every namespace

}  // namespace retour

template <class Tag>
struct std::hash<retour::Id<Tag>> {
  std::size_t operator()(retour::Id<Tag> id) const noexcept {
    return std::hash<std::uint32_t>{}(id.value);
  }
};
