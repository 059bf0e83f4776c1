// SPDX-License-Identifier: Apache-2.0
//
// A request from a peer to one of our addresses and the reply to it, simulated door by door: who
// answers ARP, where the request arrives, whether a gate drops it, by which link the reply leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/lookup.h"
#include "model/snapshot.h"

namespace retour {

class Fib;

enum class DoorVerdict : std::uint8_t {
  same_door,   ///< arrives and leaves by the link that owns the address
  wrong_door,  ///< works, but arrives or leaves by another link, or arrival is a race
  lost,
};

/// Why a round trip is not same_door. The names in JSON are these, with `_` as it stands.
enum class Cause : std::uint8_t {
  none,
  flux,         ///< another link answers ARP for the address
  wrong_route,  ///< the lookup for the reply picks another link
  rp_filter,
  arp_filter,
  arp_ignore,
  wrong_segment,  ///< the reply leaves on-link by a link whose segment the peer is not on
  enslaved,       ///< the link is a port of a bridge or bond: what arrives is the master's
  noarp,          ///< ARP is off on the link (IFF_NOARP)
  no_route,       ///< no usable route back (also unreachable, prohibit, blackhole)
  link_down,
  martian,
};

[[nodiscard]] std::string_view name(DoorVerdict verdict);  ///< "same-door", …
[[nodiscard]] std::string_view name(Cause cause);          ///< "rp_filter", "no-route", …

/// What one link does with the peer's ARP request (arp_process()).
struct ArpReception {
  IfIndex link{};
  bool answers{};
  Cause silent_because{Cause::none};  ///< the gate, when it stays silent
};

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
  std::vector<ArpReception> arp;  ///< every link that hears the request, owner first
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

/// Which of `links` answer when `sender` asks for `target` by ARP (arp_process()).
[[nodiscard]] std::vector<IfIndex> arp_answerers(const Fib& fib, const Ip& sender, const Ip& target,
                                                 const Segment& links);

/// REQUIRES: `local` is an IPv4 address of `snapshot` on `link`. `segments` are the links of the
/// address's subnet by broadcast domain, `link` in one of them; the peer is taken to be on that
/// one.
[[nodiscard]] RoundTrip round_trip(const Snapshot& snapshot, const Fib& fib, const Ip& local,
                                   IfIndex link, const Ip& peer,
                                   const std::vector<Segment>& segments);

}  // namespace retour
