// SPDX-License-Identifier: Apache-2.0
//
// What a plan must not touch, whatever it cures: prefixes that the operator named, and connections
// that are open, the one first that the operator is logged in by.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/policy.h"
#include "plan/impact.h"

namespace retour {

/// Connections whose packets go by another way after the change, the operator's own first. Those
/// within this host do not count. REQUIRES: as impact().
[[nodiscard]] std::vector<MovedConnection> moved_connections(
    const Snapshot& before, const Snapshot& after, std::span<const Connection> connections);

struct Danger {
  std::string reason;
  std::string hint;  ///< what the operator can do about it
};

/// Why this impact is not to be had: a flow to a protected prefix, then a connection (unless they
/// may move), the operator's own first.
[[nodiscard]] std::optional<Danger> endangered(const Snapshot& host, const Policy& policy,
                                               const Impact& impact);

/// "SSH from 10.0.0.9:50122 to 10.0.0.5:22": from whoever opened it, as far as ports tell.
[[nodiscard]] std::string describe(const Connection& connection);
/// "eno1 via 10.0.0.1", or the verdict of what does not leave.
[[nodiscard]] std::string describe_way(const Snapshot& host, const Lookup& lookup);

}  // namespace retour
