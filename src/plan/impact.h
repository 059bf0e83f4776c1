// SPDX-License-Identifier: Apache-2.0
//
// Which flows take another way after a change of rules, routes or sysctls: exactly, over the whole
// address space of both families.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "diagnose/finding.h"
#include "model/connection.h"
#include "model/snapshot.h"

namespace retour {

/// One class of flows whose path differs before and after: a source and the destinations of a
/// prefix that are in no longer prefix in play (all of them go the same way).
struct PathChange {
  std::optional<Ip> source;  ///< absent: unbound sockets
  /// Of a forwarded packet: all of these that are in no longer prefix rules ask for are like
  /// `source`. Absent: sent by this host.
  std::optional<Prefix> senders;
  Prefix destinations;
  /// For `before.flow`, a representative: with the mark, user, ports … that some rule asks for, the
  /// `oif` of a socket bound to a device, and the `iif` of a packet to be forwarded.
  Lookup before, after;
  bool expected{};  ///< a flow that is being cured
};

/// An established connection whose packets take another way.
struct MovedConnection {
  Connection connection;
  Lookup before, after;
};

struct Impact {
  std::vector<PathChange> changed;  ///< unexpected ones first
  /// How many classes of flows are settled: those that no change can reach without a look.
  std::size_t classes{};
  /// The operator's own first, then by what they are from and to. Absent: nobody knows which
  /// connections there are.
  std::optional<std::vector<MovedConnection>> connections;
};

/// What goes by which way before and after. REQUIRES: both are snapshots of one host; apart from
/// routes, rules and sysctls they are equal. `apart` are prefixes whose flows are to be told apart
/// from all others, on top of those that routes and rules name.
[[nodiscard]] Impact impact(const Snapshot& before, const Snapshot& after,
                            std::span<const SharedSubnet> cured,
                            std::span<const Prefix> apart = {});

/// The same for single flows: all the same ways, in whatever order.
[[nodiscard]] bool same_way(const Lookup& a, const Lookup& b);

}  // namespace retour
