// SPDX-License-Identifier: Apache-2.0
//
// The prober of a real host: raw ICMP sockets bound to addresses, packet sockets that watch every
// link, and — in a lab, where both ends are at hand — taps in the peers' namespaces as well.
#pragma once

#include <csignal>
#include <memory>
#include <span>
#include <vector>

#include "os/prober_wire.h"
#include "port/prober.h"

namespace retour {

/// One thread at a time. Belongs to the namespace it was opened in.
class RawProber final : public Prober {
 public:
  /// In the current namespace; `there` are taps of the peers' namespaces. Permission error without
  /// CAP_NET_RAW.
  [[nodiscard]] static Result<std::unique_ptr<RawProber>> open(
      std::vector<std::unique_ptr<Tap>> there = {});

  /// When `*flag` becomes non-zero (set by a signal's handler) a probe ends within 50 ms with what
  /// it knows so far. The flag must outlive the prober.
  void stop_on(const volatile std::sig_atomic_t* flag) { wire_.stop = flag; }

  /// An answer counts when the kernel hands it to a socket bound to the local address; a reply that
  /// is seen on a link and dropped by rp_filter shows in `here` and is no answer. ICMP comes first:
  /// an ARP request teaches the peer, and a peer so taught can answer what it otherwise could not.
  /// IPv6 pairs get send_errno EAFNOSUPPORT. Attempts beyond 16 are not made.
  [[nodiscard]] Result<std::vector<Observation>> probe(std::span<const ProbePair> pairs,
                                                       const ProbeOptions& options) override;
  [[nodiscard]] Result<std::vector<Segment>> segments(std::span<const IfIndex> links,
                                                      std::chrono::milliseconds wait) override;

  /// Frames the taps had no room for since open(): above 0, a door may be missing.
  [[nodiscard]] std::uint64_t dropped();

 private:
  explicit RawProber(Wire wire) : wire_(std::move(wire)) {}
  Wire wire_;
};

}  // namespace retour
