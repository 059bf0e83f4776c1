// SPDX-License-Identifier: Apache-2.0
//
// IPv6: what the kernel would decide. Mirrors fib6_table_lookup(), rt6_select(),
// ip6_route_output_flags(), ip6_route_input_lookup() and ipv6_dev_get_saddr().
// docs/kernel-model.md says what is modelled.
//
// Immutable once made; safe to read from several threads.
#pragma once

#include <optional>
#include <vector>

#include "model/destinations.h"
#include "model/nexthops.h"
#include "model/prefix_index.h"
#include "model/rules.h"
#include "model/snapshot.h"

namespace retour {

class Fib6 {
 public:
  /// REQUIRES: `snapshot` outlives the Fib and is not changed.
  explicit Fib6(const Snapshot& snapshot) : snapshot_(snapshot), rules_(snapshot, Family::v6) {}

  [[nodiscard]] Lookup output(const Flow& flow) const;
  [[nodiscard]] Lookup input(const Flow& flow) const;
  [[nodiscard]] Lookup forward(const Flow& flow) const;
  [[nodiscard]] Decision decide(const Flow& flow, std::vector<Step>* steps = nullptr) const;
  [[nodiscard]] std::vector<Considered> consider(TableId table, const Flow& flow) const;
  [[nodiscard]] bool owns(const Ip& ip) const;
  [[nodiscard]] bool owns(const Ip& ip, IfIndex link) const;
  [[nodiscard]] Destinations destinations(const Flow& flow) const;

 private:
  const Snapshot& snapshot_;
  RuleList rules_;
};

}  // namespace retour
