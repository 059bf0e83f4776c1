// SPDX-License-Identifier: Apache-2.0
//
// The proof: every local address of the shared subnets against every peer, on the wire.
#pragma once

#include "base/result.h"
#include "diagnose/finding.h"
#include "model/observation.h"
#include "port/prober.h"

namespace retour {

/// Members × peers of their subnet. Links that are down take part: their silence is the finding.
[[nodiscard]] std::vector<ProbePair> pairs_of(std::span<const SharedSubnet> subnets,
                                              std::span<const Ip> peers);

[[nodiscard]] Result<Verification> verify(Prober& prober, std::span<const ProbePair> pairs,
                                          const ProbeOptions& options);

}  // namespace retour
