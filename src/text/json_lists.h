// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/printable.h"

namespace retour {

/// Sentences, printable.
[[nodiscard]] inline nlohmann::ordered_json texts_json(const std::vector<std::string>& texts) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::string& text : texts) list.push_back(printable(text));
  return list;
}

}  // namespace retour
