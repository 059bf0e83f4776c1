// SPDX-License-Identifier: Apache-2.0
//
// The impact of a plan as it stands in its JSON document.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "plan/impact.h"

namespace retour {

[[nodiscard]] nlohmann::ordered_json impact_json(const Snapshot& host, const Impact& impact);

}  // namespace retour
