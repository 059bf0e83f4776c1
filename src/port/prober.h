// SPDX-License-Identifier: Apache-2.0
//
// Proof on the wire. Probes take the natural path: bound to a source address, never to a device;
// the links they use are seen on the wire, never assumed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "base/result.h"
#include "model/observation.h"
#include "model/snapshot.h"

namespace retour {

struct ProbeOptions {
  std::chrono::milliseconds timeout{3000};  ///< per phase (ICMP, then ARP); ends when all answered
  int attempts{3};                          ///< echo requests per pair, spread over the timeout
  bool arp{true};
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

class Prober {
 public:
  Prober() = default;
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  virtual ~Prober() = default;

  /// In the order of `pairs`. A pair that is not answered is an observation, not an error.
  [[nodiscard]] virtual Result<std::vector<Observation>> probe(std::span<const ProbePair> pairs,
                                                               const ProbeOptions& options) = 0;

  /// Which of `links` hear each other: one marked broadcast frame out of each, seen on which
  /// others. Links that are down or without carrier stand alone. Disjoint, in the given order.
  [[nodiscard]] virtual Result<std::vector<Segment>> segments(std::span<const IfIndex> links,
                                                              std::chrono::milliseconds wait) = 0;
};

}  // namespace retour
