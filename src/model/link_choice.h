// SPDX-License-Identifier: Apache-2.0
//
// Which links an operator's choice means.
#pragma once

#include "model/policy.h"
#include "model/snapshot.h"

namespace retour {

[[nodiscard]] bool chosen(const LinkChoice& choice, const Snapshot& now, const Link& link);

}  // namespace retour
