// SPDX-License-Identifier: Apache-2.0
//
// The impact of a plan as a short diff: what says the same of several sources or prefixes is one
// line, what nobody asked for comes first. `--json` lists all.
#pragma once

#include <string>

#include "plan/impact.h"
#include "text/style.h"

namespace retour {

[[nodiscard]] std::string render(const Snapshot& host, const Impact& impact, const Style& style);

}  // namespace retour
