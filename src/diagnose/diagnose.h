// SPDX-License-Identifier: Apache-2.0
//
// From a snapshot to findings. Every shared subnet's every address is sent a request in the model;
// the checks in checks/ turn what became of it, and what else they see, into findings.
#pragma once

#include "diagnose/finding.h"
#include "model/policy.h"

namespace retour {

[[nodiscard]] Diagnosis diagnose(const Snapshot& now, const Policy& policy);

/// The wires that these links are on: as told, or as measured, then whole: a NIC of another subnet
/// on the same wire hears what they hear, and a link that nobody could measure is on none of them;
/// else one for all.
[[nodiscard]] std::vector<Segment> segments_of(const Segment& links, const Snapshot& now,
                                               SegmentsFrom from);

/// IPv4 subnets with addresses on two or more links, in order of prefix.
[[nodiscard]] std::vector<SharedSubnet> shared_subnets(const Snapshot& now, SegmentsFrom segments);

}  // namespace retour
