// SPDX-License-Identifier: Apache-2.0
//
// The checks: each reads a snapshot and what is known of its subnets, and appends findings.
#pragma once

#include <vector>

#include "diagnose/finding.h"

namespace retour {

struct CheckInput {
  const Snapshot& now;
  const std::vector<SharedSubnet>& subnets;
  const std::vector<RoundTrip>& round_trips;
};

/// Round trips that are lost or cross a wrong door.
void check_doors(const CheckInput& input, std::vector<Finding>& findings);
/// One address on two links.
void check_duplicates(const CheckInput& input, std::vector<Finding>& findings);
/// Rules and routes of ours that serve nobody any more, or miss their other half.
void check_leftovers(const CheckInput& input, std::vector<Finding>& findings);
/// What the diagnosis had to assume because the snapshot does not say.
void check_unknowns(const CheckInput& input, std::vector<Finding>& findings);

}  // namespace retour
