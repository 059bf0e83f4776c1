// SPDX-License-Identifier: Apache-2.0
//
// From a host of a hundred lines on which model and kernel differ to the few lines that it takes.
#pragma once

#include <functional>

#include "differential/query.h"
#include "differential/script.h"

namespace retour::differential {

struct Case {
  Script script;
  Query query;
};

/// Does this smaller case still show the same?
using StillFails = std::function<bool(const Case&)>;

/// Leaves out lines, then parts of the question, then words of lines, as long as `fails` stays
/// true. REQUIRES: fails(whole)
[[nodiscard]] Case shrink(Case whole, const StillFails& fails);

}  // namespace retour::differential
