// SPDX-License-Identifier: Apache-2.0
//
// What would change a decision, in words.
#pragma once

#include <string>

#include "diagnose/explanation.h"

namespace retour {

/// "rp_filter=2 on eth0", "a rule "from 10.0.0.1" to a table with 10.0.0.0/24 dev eth0".
[[nodiscard]] std::string change_words(const Snapshot& host, const Remedy& remedy);
/// "it would be delivered", "same-door": what comes of it; `received`: of a packet that came in.
[[nodiscard]] std::string then_words(const Snapshot& host, const Remedy& remedy, bool received);

}  // namespace retour
