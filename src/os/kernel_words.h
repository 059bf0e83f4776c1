// SPDX-License-Identifier: Apache-2.0
//
// Numbers of the rtnetlink interface that are newer than the headers this program builds with, and
// the byte order of the wire. Uapi: they never change.
#pragma once

#include <bit>
#include <cstdint>

namespace retour {

inline constexpr std::uint16_t fra_dscp = 25;
inline constexpr std::uint16_t fra_flowlabel = 26;
inline constexpr std::uint16_t fra_flowlabel_mask = 27;
inline constexpr std::uint16_t fra_sport_mask = 28;
inline constexpr std::uint16_t fra_dport_mask = 29;
inline constexpr std::uint16_t fra_dscp_mask = 30;
inline constexpr std::uint16_t nha_op_flags = 14;

inline constexpr std::uint16_t rta_flowlabel = 31;

/// Network to host order or back.
[[nodiscard]] constexpr std::uint64_t swap_network(std::uint64_t value) {
  return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}
[[nodiscard]] constexpr std::uint32_t swap_network(std::uint32_t value) {
  return std::endian::native == std::endian::big ? value : __builtin_bswap32(value);
}

}  // namespace retour
