// SPDX-License-Identifier: Apache-2.0
//
// A TCP connection that this host has, as far as routing looks at it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "model/flow.h"

namespace retour {

struct Connection {
  Ip local{};  ///< an IPv4 address also where the socket is one of IPv6
  Ip peer{};
  std::uint16_t local_port{};
  std::uint16_t peer_port{};
  std::optional<IfIndex> bound{};  ///< to a device (SO_BINDTODEVICE, or by a link-local address)
  std::uint32_t uid{};
  std::uint32_t mark{};  ///< 0 also where it was not told (it takes CAP_NET_ADMIN)
  std::uint8_t tos{};
  bool of_operator{};  ///< the SSH session that retour was called from
  friend bool operator==(const Connection&, const Connection&) = default;

  /// What this host sends to the peer.
  [[nodiscard]] Flow flow() const {
    Flow flow;
    flow.src = local;
    flow.dst = peer;
    flow.oif = bound;
    flow.mark = mark;
    flow.tos = tos;
    flow.ip_proto = proto_tcp;
    flow.sport = local_port;
    flow.dport = peer_port;
    flow.uid = uid;
    return flow;
  }
};

/// Absent: nobody could know (a host from a file). Empty: there are none.
using Connections = std::optional<std::vector<Connection>>;

}  // namespace retour
