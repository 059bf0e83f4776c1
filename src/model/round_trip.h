// SPDX-License-Identifier: Apache-2.0
//
// A request from a peer to one of our addresses and the reply to it, simulated door by door: who
// answers ARP (or, of IPv6, a neighbour solicitation), where the request arrives, whether a gate
// drops it, by which link the reply leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/arp.h"

namespace retour {

enum class DoorVerdict : std::uint8_t {
  same_door,   ///< arrives and leaves by the link that owns the address
  wrong_door,  ///< works, but arrives or leaves by another link, or arrival is a race
  lost,
};

[[nodiscard]] std::string_view name(DoorVerdict verdict);  ///< "same-door", …

/// One combination of gates and what it leads to; for hosts whose gates are unknown.
struct GateOutcome {
  int rp_filter{};
  int arp_ignore{};
  int arp_filter{};
  DoorVerdict verdict{};
  Cause cause{};
};

struct RoundTrip {
  Ip local{};
  IfIndex link{};  ///< owner of `local`
  Ip peer{};
  DoorVerdict verdict{};
  Cause cause{};
  /// Every link that hears the request, owner first. Empty: the owner is deaf, or nobody asks (a
  /// tunnel, or a peer beyond the subnet of which no snapshot tells by whom).
  std::vector<ArpReception> arp;
  std::vector<IfIndex> arp_answered_by;
  std::optional<IfIndex> arrives_on;  ///< absent: nothing arrives, or a race decides
  std::optional<IfIndex> leaves_on;   ///< absent: no reply
  Lookup arp_lookup;                  ///< what the owner's link looked up for the ARP request
  Lookup request;                     ///< input lookup where the request arrives (or would: owner)
  Lookup reply;                       ///< output lookup for the reply, also when lost before it
  bool gates_known{true};
  /// Only when gates are unknown: all combinations; the verdict above is for the assumed one
  /// (rp_filter 1, arp_ignore 1, arp_filter 0 where unknown: the one in which routing loses
  /// packets).
  std::vector<GateOutcome> outcomes;
};

/// Of an echo and its reply; of IPv6, where those are bound to a link, of TCP.
/// REQUIRES: `local` is an address of `snapshot` on `link`, `peer` of its family. `segments` are
/// the links of the address's subnet by broadcast domain, `link` in one of them; the peer is taken
/// to be on that one.
[[nodiscard]] RoundTrip round_trip(const Snapshot& snapshot, const Fib& fib, const Ip& local,
                                   IfIndex link, const Ip& peer,
                                   const std::vector<Segment>& segments);

}  // namespace retour
