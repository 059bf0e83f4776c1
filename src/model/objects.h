// SPDX-License-Identifier: Apache-2.0
//
// The kernel's networking objects as plain values: link, address, neighbour, route, nexthop
// object. Words and numbers are the kernel's. Structs carry data; nothing here decides.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "model/conf.h"
#include "model/conf6.h"
#include "model/scope.h"

namespace retour {

/// Who made a rule or a route: the kernel's u8 protocol. This one is ours (registered nowhere in
/// rt_protos), on every rule and route that retour adds and on none other.
inline constexpr std::uint8_t protocol_retour = 213;
inline constexpr std::uint8_t protocol_kernel = 2;

struct Link {
  IfIndex index{};
  std::string name;  ///< as the kernel has it; may hold any byte: escape before printing
  std::string kind;    ///< IFLA_INFO_KIND ("veth", "bond", "vlan", …), empty for hardware
  std::string driver;  ///< as `ethtool -i` has it; empty if unknown
  std::string bus;     ///< its address on the bus ("0000:17:00.0"), empty for what is on none
  std::vector<std::uint8_t> mac;
  std::uint32_t flags{};  ///< IFF_* of <linux/if.h>
  std::uint32_t mtu{};
  std::uint32_t group{};
  IfIndex master{};            ///< bridge, bond or VRF above it; 0 = none
  std::uint32_t speed_mbps{};  ///< 0 = unknown
  ConfValues conf{};           ///< net.ipv4.conf.DEV.*
  Conf6Values conf6{};         ///< net.ipv6.conf.DEV.*

  [[nodiscard]] bool up() const { return (flags & 0x1U) != 0; }            // IFF_UP
  [[nodiscard]] bool loopback() const { return (flags & 0x8U) != 0; }      // IFF_LOOPBACK
  [[nodiscard]] bool noarp() const { return (flags & 0x80U) != 0; }        // IFF_NOARP
  [[nodiscard]] bool pointopoint() const { return (flags & 0x10U) != 0; }  // IFF_POINTOPOINT
  [[nodiscard]] bool carrier() const { return (flags & 0x10000U) != 0; }   // IFF_LOWER_UP
  friend bool operator==(const Link&, const Link&) = default;
};

struct Address {
  IfIndex link{};
  Prefix local;            ///< the address with the length of its subnet
  std::optional<Ip> peer;  ///< point-to-point
  std::optional<Ip> broadcast;
  Scope scope{};
  std::uint32_t flags{};  ///< IFA_F_*: 0x01 secondary, 0x40 tentative, 0x80 permanent, …
  std::string label;
  std::uint32_t metric{};   ///< IFA_RT_PRIORITY, of its connected route; 0 = default
  std::uint8_t protocol{};  ///< IFA_PROTO

  [[nodiscard]] bool secondary() const { return local.address.is_v4() && (flags & 0x01U) != 0; }
  /// RFC 8981: it comes and goes; IFA_F_TEMPORARY is the same bit.
  [[nodiscard]] bool temporary() const { return !local.address.is_v4() && (flags & 0x01U) != 0; }
  [[nodiscard]] bool dad_failed() const { return (flags & 0x08U) != 0; }
  /// The connected prefix: of the peer where there is one, as the kernel makes it.
  [[nodiscard]] Prefix subnet() const {
    return Prefix{peer.value_or(local.address), local.length}.network();
  }
  friend bool operator==(const Address&, const Address&) = default;
};

struct Neighbor {
  IfIndex link{};
  Ip address{};
  std::vector<std::uint8_t> mac;
  std::uint16_t state{};  ///< NUD_*
  std::uint8_t flags{};   ///< NTF_*; 0x08 = proxy

  [[nodiscard]] bool proxy() const { return (flags & 0x08U) != 0; }
  [[nodiscard]] bool reachable() const { return state == 0x02; }  // NUD_REACHABLE
  /// NUD_VALID: permanent, noarp, reachable, probe, stale or delay.
  [[nodiscard]] bool valid() const { return (state & 0xdeU) != 0; }
  friend bool operator==(const Neighbor&, const Neighbor&) = default;
};

/// A multicast group that a link listens to.
struct Membership {
  IfIndex link{};
  Ip group{};
  friend bool operator==(const Membership&, const Membership&) = default;
};

/// RTN_*, in the kernel's numbering.
enum class RouteType : std::uint8_t {
  unspec,
  unicast,
  local,
  broadcast,
  anycast,
  multicast,
  blackhole,
  unreachable,
  prohibit,
  throw_,
  nat,
  xresolve,
};

/// One leg of a route.
struct NextHop {
  IfIndex link{};
  std::optional<Ip> gateway;  ///< may be of the other family (RTA_VIA)
  std::uint8_t flags{};       ///< RTNH_F_*: 1 dead, 4 onlink, 16 linkdown
  std::uint16_t weight{1};    ///< 1 … 256

  [[nodiscard]] bool dead() const { return (flags & 1U) != 0; }
  [[nodiscard]] bool onlink() const { return (flags & 4U) != 0; }
  [[nodiscard]] bool linkdown() const { return (flags & 16U) != 0; }
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// An attribute kept as the kernel gave it, so that a snapshot loses nothing it does not model.
struct RawAttribute {
  std::uint16_t type{};
  std::vector<std::uint8_t> data;
  friend bool operator==(const RawAttribute&, const RawAttribute&) = default;
};

struct Route {
  Prefix dst;                 ///< also says the family
  std::optional<Prefix> src;  ///< IPv6 source-specific routes
  TableId table{table_main};
  RouteType type{RouteType::unicast};
  Scope scope{};
  std::uint8_t protocol{};
  std::uint8_t tos{};
  std::uint32_t metric{};  ///< RTA_PRIORITY
  std::optional<Ip> prefsrc;
  std::vector<NextHop> next_hops;  ///< empty for blackhole and its like
  std::uint32_t nexthop_id{};      ///< of a nexthop object; 0 = none
  std::uint32_t flags{};           ///< RTM_F_* and RTNH_F_* of the route as a whole
  std::uint8_t preference{};       ///< RTA_PREF (IPv6)
  bool expired{};                  ///< IPv6: its lifetime is over; the kernel is yet to remove it
  std::vector<RawAttribute>
      other;  ///< metrics (MTU, advmss, …), encap, realms, expiry: as they came

  [[nodiscard]] Family family() const { return dst.family(); }
  [[nodiscard]] bool ours() const { return protocol == protocol_retour; }
  friend bool operator==(const Route&, const Route&) = default;
};

/// One line of the policy table that IPv6 source selection matches addresses by (RFC 6724).
struct AddressLabel {
  Prefix prefix;
  IfIndex link{};  ///< 0 = of any device
  std::uint32_t label{};
  friend bool operator==(const AddressLabel&, const AddressLabel&) = default;
};

struct NextHopObject {
  std::uint32_t id{};
  Family family{Family::v4};
  NextHop leg{};
  bool blackhole{};
  std::vector<std::pair<std::uint32_t, std::uint16_t>> group;  ///< member id, weight
  std::uint8_t protocol{};
  std::vector<RawAttribute> other;
  friend bool operator==(const NextHopObject&, const NextHopObject&) = default;
};

}  // namespace retour
