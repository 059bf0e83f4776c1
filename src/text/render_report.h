// SPDX-License-Identifier: Apache-2.0
//
// Plan, verification and status for people, at 80 columns.
#pragma once

#include <optional>
#include <string>

#include "model/observation.h"
#include "plan/managers.h"
#include "plan/plan.h"
#include "text/style.h"

namespace retour {

[[nodiscard]] std::string render(const Snapshot& host, const Plan& plan, const Style& style);

/// A matrix where it fits (up to 16 peers), else a list of what is not same-door. `there` as in
/// report_json.h.
[[nodiscard]] std::string render(const Snapshot& host, const Verification& verification,
                                 const Snapshot* there, const Style& style);

/// `managers` absent: nobody looked.
[[nodiscard]] std::string render_status(const Snapshot& host, const Diagnosis& diagnosis,
                                        const std::optional<std::vector<Configurator>>& managers,
                                        const Style& style);

}  // namespace retour
