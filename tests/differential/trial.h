// SPDX-License-Identifier: Apache-2.0
//
// One host on trial: built in a namespace of its own, read by our reader, and asked the same
// questions as the model of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "differential/query.h"
#include "differential/script.h"
#include "differential/tally.h"

namespace retour::differential {

struct Mismatch {
  Query query;
  std::string oracle;  ///< which one: "answer", "matched", "table", …
  std::string difference;
  std::string model;
  std::string kernel;
};

struct Tried {
  std::vector<Mismatch> mismatches;
  std::vector<std::string> never_taken;  ///< members of sets; a few words each
  Built built;
};

using AskAbout = std::function<std::vector<Query>(const Snapshot&)>;

/// Builds the host in a network namespace that the calling process is in from then on.
[[nodiscard]] Result<Built> build_in_new_namespace(const Script& script);

/// Builds the host and asks. An error is the trial itself failing. `tally` may be null.
[[nodiscard]] Result<Tried> try_host(const Script& script, const AskAbout& queries, Tally* tally);

}  // namespace retour::differential
