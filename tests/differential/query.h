// SPDX-License-Identifier: Apache-2.0
//
// Questions to a host: flows drawn from what is configured on it, so that most of them meet
// something. Links go by name, for their numbers change when a script is shortened.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "differential/random.h"
#include "model/flow.h"
#include "model/snapshot.h"

namespace retour::differential {

struct Query {
  Flow flow;        ///< without iif and oif
  std::string iif;  ///< a name, "#N" for the number itself, or empty
  std::string oif;
};

/// In the words of `ip route get`.
[[nodiscard]] std::string words(const Query& query);

/// The flow on this host; nothing when a link of that name is not there.
[[nodiscard]] std::optional<Flow> flow_of(const Snapshot& snapshot, const Query& query);

[[nodiscard]] std::vector<Query> make_queries(Random& random, const Snapshot& snapshot,
                                              Family family, std::size_t count);

}  // namespace retour::differential
