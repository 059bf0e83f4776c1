// SPDX-License-Identifier: Apache-2.0
//
// Who else configures the network of a host, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "plan/managers.h"
#include "text/style.h"

namespace retour {

/// A paragraph for each: what it is, what it does to ours, what would keep ours.
[[nodiscard]] std::string render(const std::vector<Configurator>& managers, const Style& style);
/// The same of those alone that take ours away; empty where none does.
[[nodiscard]] std::string render_threats(const std::vector<Configurator>& managers,
                                         const Style& style);

/// A list of objects, null when nobody looked (docs/json.md).
[[nodiscard]] nlohmann::ordered_json managers_json(
    const std::optional<std::vector<Configurator>>& managers);

}  // namespace retour
