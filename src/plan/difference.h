// SPDX-License-Identifier: Apache-2.0
//
// From the cure as it should stand to the changes that are missing.
#pragma once

#include <vector>

#include "plan/wanted.h"

namespace retour {

/// What is wanted and not there, then what is ours and not wanted: make before break.
[[nodiscard]] std::vector<Change> difference(const Snapshot& now, const Wanted& wanted);

/// In the order in which they go: those for addresses before the guards that hold them back.
[[nodiscard]] std::vector<const Rule*> rules_of_ours(const Snapshot& now);

}  // namespace retour
