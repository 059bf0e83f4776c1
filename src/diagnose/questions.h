// SPDX-License-Identifier: Apache-2.0
//
// Which round trips a diagnosis asks for: each local address of a shared prefix, each kind of peer.
#pragma once

#include <vector>

#include "diagnose/finding.h"
#include "diagnose/gates.h"
#include "model/policy.h"

namespace retour {

/// Each points into `subnets`. Peers that the policy names, else stand-ins: one on the wire, and of
/// what is behind gateways one far away and one beside another NIC of ours.
[[nodiscard]] std::vector<Question> questions(const Snapshot& now,
                                              const std::vector<SharedSubnet>& subnets,
                                              const Policy& policy);

}  // namespace retour
