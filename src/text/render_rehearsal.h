// SPDX-License-Identifier: Apache-2.0
//
// What came of a rehearsal, for people and as JSON.
#pragma once

#include <string>

#include "plan/rehearsal.h"
#include "text/style.h"

namespace retour {

/// Two or three lines: kernel, flows, whether all is as the model says, and what was not cloned.
[[nodiscard]] std::string render(const Snapshot& host, const Rehearsal& rehearsal,
                                 const Style& style);

/// The document that json_report() made of a plan, with the field `rehearsal`.
[[nodiscard]] std::string with_rehearsal(const std::string& document, const Rehearsal& rehearsal);

}  // namespace retour
