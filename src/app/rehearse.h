// SPDX-License-Identifier: Apache-2.0
//
// A plan tried where it harms nobody.
#pragma once

#include "plan/rehearsal.h"

namespace retour {

/// Clones `host` into a throw-away namespace and carries the plan out there. Where the kernel does
/// not do what the model says the plan is refused by that. Errors: permission, and those of the
/// kernel that cannot be asked.
[[nodiscard]] Result<Rehearsal> rehearse_plan(const Snapshot& host, Plan& plan);

}  // namespace retour
