// SPDX-License-Identifier: Apache-2.0
//
// The cure as it should stand, whatever is there now: per NIC a table with its own view of main,
// per address a rule, and guards that keep with main what main knows better.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "diagnose/finding.h"
#include "model/policy.h"
#include "plan/plan.h"

namespace retour {

struct Wanted {
  std::vector<PlannedTable> tables;
  std::vector<Change>
      routes;  ///< AddRoute only; per table what a gateway is reached by comes first
  std::vector<Change> guards;  ///< AddRule only
  std::vector<Change> rules;   ///< AddRule only, highest priority number first
};

/// Prefixes to be cured: with a finding that policy routing mends, or already in our care.
[[nodiscard]] std::vector<SharedSubnet> in_care(const Snapshot& now, const Diagnosis& found);

/// A reason when there are no numbers for it.
[[nodiscard]] tl::expected<Wanted, std::string> want(const Snapshot& now, const Policy& policy,
                                                     const Diagnosis& found,
                                                     const std::vector<SharedSubnet>& care);

}  // namespace retour
