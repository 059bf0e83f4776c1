// SPDX-License-Identifier: Apache-2.0
//
// From a snapshot to findings. Every shared subnet's every address is sent a request in the model;
// the checks in checks/ turn what became of it, and what else they see, into findings.
#pragma once

#include "diagnose/finding.h"
#include "model/policy.h"

namespace retour {

[[nodiscard]] Diagnosis diagnose(const Snapshot& now, const Policy& policy);

}  // namespace retour
