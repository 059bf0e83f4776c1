// SPDX-License-Identifier: Apache-2.0
//
// A plan carried out where it harms nobody, and judged by the kernel there.
#pragma once

#include <string>
#include <vector>

#include "plan/rehearsal.h"
#include "port/kernel.h"

namespace retour {

/// Compares `clone` with `host`, asks it and the model the same flows, makes the changes there,
/// and compares and asks again. `declined`: what the clone was known to lack, "what: why" each.
///
/// Where the clone lacks something, a flow that it decides otherwise is told apart by asking the
/// model about the clone itself: agreed with that, the flow judges nothing; else it is a
/// difference, and so is whatever the clone has and `host` has not. REQUIRES: `plan` is of `host`
/// and was not refused. Errors: those of the clone's kernel.
[[nodiscard]] Result<Rehearsal> rehearse_on(Kernel& clone, const Snapshot& host, const Plan& plan,
                                            const std::vector<std::string>& declined);

}  // namespace retour
