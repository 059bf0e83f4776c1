// SPDX-License-Identifier: Apache-2.0
//
// An explanation for people, at 80 columns: what was asked, what becomes of it, then why, in the
// order in which the kernel decides, and at last what would change it.
#pragma once

#include <string>

#include "diagnose/explanation.h"
#include "text/style.h"

namespace retour {

struct ExplanationView {
  bool all{};  ///< every rule tried and every route considered, however many
};

[[nodiscard]] std::string render(const Snapshot& host, const Explanation& found,
                                 const ExplanationView& view, const Style& style);

[[nodiscard]] std::string render(const Snapshot& host, const TripExplanation& found,
                                 const ExplanationView& view, const Style& style);

/// The line that `--check` ends with.
[[nodiscard]] std::string render_check(const Snapshot& host, const Lookup& lookup,
                                       const KernelCheck& check, const Style& style);

}  // namespace retour
