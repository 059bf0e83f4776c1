// SPDX-License-Identifier: Apache-2.0
//
// Round trips on hosts whose gates (rp_filter, arp_ignore, arp_filter) nobody told us: simulated
// for every value that they may have, and shown for the ones in which routing loses packets.
#pragma once

#include <span>
#include <vector>

#include "model/round_trip.h"
#include "model/snapshot.h"

namespace retour {

class Fib;

/// One round trip to be simulated.
struct Question {
  Ip local{};
  IfIndex link{};  ///< owner of `local`
  Ip peer{};
  const std::vector<Segment>* segments{};  ///< as round_trip() wants them
};

[[nodiscard]] RoundTrip ask(const Snapshot& host, const Fib& fib, const Question& question);

/// Whether the gates of all these links are known.
[[nodiscard]] bool gates_known(const Snapshot& now, std::span<const IfIndex> links);

/// The host if every gate that nobody told us were in the state in which routing loses packets:
/// rp_filter 1, arp_ignore 1, arp_filter 0.
[[nodiscard]] Snapshot assume_gates(const Snapshot& now);

/// The round trips on that host, each with its outcomes for every combination of unknown gates.
[[nodiscard]] std::vector<RoundTrip> ask_every_gate(const Snapshot& now,
                                                    std::span<const Question> questions);

}  // namespace retour
