// SPDX-License-Identifier: Apache-2.0
//
// Where doors can be mixed up: the prefixes that two or more links of this host reach by
// themselves, on the wire or by a gateway of their own.
#pragma once

#include <vector>

#include "diagnose/finding.h"
#include "model/policy.h"

namespace retour {

/// The wires that these links are on: as told, or as measured, then whole: a NIC of another subnet
/// on the same wire hears what they hear, and a link that nobody could measure is on none of them;
/// else one for all.
[[nodiscard]] std::vector<Segment> segments_of(const Segment& links, const Snapshot& now,
                                               SegmentsFrom from);

/// Subnets with addresses on two or more links that the policy chooses, in order of prefix: IPv4,
/// then IPv6. Overlapping ones are one. Link-local, temporary (RFC 8981) and host addresses have no
/// subnet to share, and what is in a VRF has its routes there.
[[nodiscard]] std::vector<SharedSubnet> shared_subnets(const Snapshot& now, const Policy& policy);

/// Prefixes that two or more chosen links reach by a gateway each: as main's routes say, or the
/// policy's fabric prefixes. A gateway in one of the `shared` subnets serves all members on its
/// segment, when that was measured or told. Longest prefix first.
[[nodiscard]] std::vector<SharedSubnet> routed_prefixes(const Snapshot& now, const Policy& policy,
                                                        const std::vector<SharedSubnet>& shared);

/// The VRF that this link is a port of, whose table decides for it; nullptr = none.
[[nodiscard]] const Link* vrf_of(const Snapshot& now, const Link& link);

}  // namespace retour
