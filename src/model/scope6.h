// SPDX-License-Identifier: Apache-2.0
//
// What an IPv6 address is by its bits alone (__ipv6_addr_type(), net/ipv6/addrconf_core.c).
#pragma once

#include "base/ip.h"

namespace retour {

/// IPV6_ADDR_SCOPE_*: how far an address reaches. Wider is larger, the other way round than Scope.
inline constexpr int scope6_invalid = -1;  ///< of the unspecified address
inline constexpr int scope6_link = 0x02;
inline constexpr int scope6_site = 0x05;
inline constexpr int scope6_global = 0x0e;

[[nodiscard]] constexpr bool is_link_local6(const Ip& ip) { return (ip.bits() >> 118) == 0x3fa; }
[[nodiscard]] constexpr bool is_site_local6(const Ip& ip) { return (ip.bits() >> 118) == 0x3fb; }
/// ::ffff:0:0/96.
[[nodiscard]] constexpr bool is_mapped6(const Ip& ip) { return (ip.bits() >> 32) == 0xffff; }
/// ::/96 but for :: and ::1.
[[nodiscard]] constexpr bool is_compatible6(const Ip& ip) {
  return (ip.bits() >> 32) == 0 && ip.bits() > 1;
}
/// 2001:10::/28.
[[nodiscard]] constexpr bool is_orchid6(const Ip& ip) { return (ip.bits() >> 100) == 0x2001001; }

[[nodiscard]] constexpr int scope6_of(const Ip& ip) {
  if (ip.is_multicast()) return static_cast<int>((ip.bits() >> 112) & 0xfU);
  if (is_link_local6(ip) || ip.is_loopback()) return scope6_link;
  if (is_site_local6(ip)) return scope6_site;
  return ip.is_unspecified() ? scope6_invalid : scope6_global;
}

/// rt6_need_strict(): means another host on each link, so that the link asked for is a must.
[[nodiscard]] constexpr bool needs_link6(const Ip& ip) {
  return ip.is_multicast() || is_link_local6(ip) || ip.is_loopback();
}

}  // namespace retour
