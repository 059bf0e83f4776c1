// SPDX-License-Identifier: Apache-2.0
//
// The model against itself, on hosts nobody thought of: what it offers beside the lookup must agree
// with the lookup, and a snapshot must survive being written down.
#pragma once

#include <string>

#include "model/fib.h"
#include "model/snapshot.h"

namespace retour::differential {

/// What is lost by JSON; also when a real host is taken for a contradiction. Empty: nothing.
[[nodiscard]] std::string lost_in_json(const Snapshot& snapshot);

/// Fib::destinations() against Fib::decide().
[[nodiscard]] std::string wrong_interval(const Fib& fib, const Flow& flow);

/// Fib::consider() against the steps of the lookup.
[[nodiscard]] std::string wrong_candidates(const Fib& fib, const Lookup& lookup);

/// Fib::forward() against an IPv4 input lookup that passed.
[[nodiscard]] std::string wrong_forward(const Fib& fib, const Lookup& lookup);

}  // namespace retour::differential
