// SPDX-License-Identifier: Apache-2.0
//
// What was seen on the wire, and what it proves. An observation is evidence, not a decision: which
// links a probe's request and reply crossed, at our end and, where it can be watched, at the
// peer's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "model/round_trip.h"

namespace retour {

struct ProbePair {
  Ip local{};
  IfIndex link{};  ///< owner of `local`; ARP is asked from here
  Ip peer{};
  /// Owner of `peer` at the far end, where that end is watched too.
  std::optional<IfIndex> peer_link{};
};

/// What one end of the wire saw of one probe.
struct DoorsSeen {
  std::vector<IfIndex>
      request;                 ///< links the request crossed (left by, or at the peer: arrived on)
  std::vector<IfIndex> reply;  ///< links the reply crossed
  friend bool operator==(const DoorsSeen&, const DoorsSeen&) = default;
};

struct Observation {
  ProbePair pair;
  bool answered{};      ///< the kernel delivered the reply to the socket
  bool arp_answered{};  ///< ARP asked on `pair.link` was answered
  std::vector<std::vector<std::uint8_t>> arp_macs;  ///< distinct MACs that answered it
  std::optional<std::uint32_t> rtt_us;
  int send_errno{};  ///< the kernel refused to send: e.g. ENETUNREACH
  DoorsSeen here;
  std::optional<DoorsSeen> there;  ///< at the peer, when its namespace is observed too
};

/// One pair judged: same_door when answered and both ways crossed `pair.link` and only that; where
/// the far end is watched, `pair.peer_link` and only that, too.
struct Proof {
  Observation seen;
  std::optional<IfIndex> left_by;     ///< our request; absent when none left or several did
  std::optional<IfIndex> arrived_on;  ///< the reply, also when the kernel then dropped it
  DoorVerdict verdict{};
};

struct Verification {
  std::vector<Proof> pairs;
  bool complete{true};  ///< false: interrupted before every pair was decided
};

}  // namespace retour
