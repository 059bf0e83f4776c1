// SPDX-License-Identifier: Apache-2.0
//
// One host with random gates, asked by real ARP requests: who answers is who the model says.
#pragma once

#include "differential/trial.h"

namespace retour::differential {

/// A query here is a request: `flow.dst` is asked for by `flow.src` on link `iif`.
[[nodiscard]] std::string arp_words(const Query& query);

/// Requests on every link of `snapshot` that has a wire: a far end "mN" to "nN".
[[nodiscard]] std::vector<Query> make_arp_queries(Random& random, const Snapshot& snapshot,
                                                  std::size_t count);

/// As try_host().
[[nodiscard]] Result<Tried> try_arp_host(const Script& script, const AskAbout& queries,
                                         Tally* tally);

}  // namespace retour::differential
