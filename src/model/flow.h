// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/id.h"
#include "base/ip.h"
#include "model/scope.h"

namespace retour {

inline constexpr std::uint8_t proto_icmp = 1;  // IPPROTO_*
inline constexpr std::uint8_t proto_igmp = 2;
inline constexpr std::uint8_t proto_tcp = 6;
inline constexpr std::uint8_t proto_udp = 17;
inline constexpr std::uint8_t proto_icmp6 = 58;

/// One packet, as the FIB sees it (the kernel's flowi4 and flowi6). The family is the
/// destination's.
struct Flow {
  Ip src{};  ///< unspecified (of either family): an unbound socket
  Ip dst{};
  std::optional<IfIndex> iif{};  ///< unset: sent by this host
  std::optional<IfIndex> oif{};  ///< set only for device-bound sockets
  std::uint32_t mark{};
  std::uint8_t tos{};       ///< the whole DS field, ECN bits ignored
  std::uint8_t ip_proto{};  ///< IPPROTO_*; 0 = not known to the lookup
  std::uint16_t sport{};
  std::uint16_t dport{};
  std::uint32_t uid{};
  std::uint32_t flowlabel{};  ///< IPv6: 20 bits
  std::uint64_t tun_id{};     ///< of a packet out of a lightweight tunnel; 0 = none
  Scope scope{};              ///< IPv4: routes of a wider scope do not count (SO_DONTROUTE: link)
  bool ignore_linkstate{};    ///< IPv4: as if no link ignored routes without carrier
  friend bool operator==(const Flow&, const Flow&) = default;
};

}  // namespace retour
