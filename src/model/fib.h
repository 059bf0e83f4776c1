// SPDX-License-Identifier: Apache-2.0
//
// A Snapshot indexed for lookup: what the kernel would decide, either family. The destination says
// which; Fib4 and Fib6 do the work. docs/kernel-model.md says what is modelled and what is not.
//
// Immutable once made; safe to read from several threads.
#pragma once

#include <vector>

#include "model/destinations.h"
#include "model/fib4.h"
#include "model/fib6.h"

namespace retour {

class Fib {
 public:
  /// REQUIRES: `snapshot` outlives the Fib and is not changed.
  explicit Fib(const Snapshot& snapshot) : snapshot_(snapshot), v4_(snapshot), v6_(snapshot) {}

  /// A packet sent by this host. REQUIRES: !flow.iif
  [[nodiscard]] Lookup output(const Flow& flow) const;
  /// A packet received on flow.iif. REQUIRES: flow.iif
  [[nodiscard]] Lookup input(const Flow& flow) const;
  /// input() of what has an `iif`, output() of all else.
  [[nodiscard]] Lookup look(const Flow& flow) const {
    return flow.iif ? input(flow) : output(flow);
  }
  /// Where the tables send a packet received on flow.iif that is not for this host, its source not
  /// judged. REQUIRES: flow.iif
  [[nodiscard]] Lookup forward(const Flow& flow) const;

  /// Rules and tables alone: no source checks, no choice of a leg. `flow.iif` unset means `lo`.
  /// Appends to `steps` when given.
  [[nodiscard]] Decision decide(const Flow& flow, std::vector<Step>* steps = nullptr) const;
  /// The same for many destinations of one kind of flow, flow.dst says the family only; of IPv6
  /// with an `oif` as a socket is answered. REQUIRES: the Fib outlives it.
  [[nodiscard]] Destinations::Decide decider(const Flow& flow) const;
  /// The same for every destination at once; flow.dst says the family only.
  [[nodiscard]] Destinations destinations(const Flow& flow) const;
  /// Every route of a table that holds the destination, and why it was or was not taken. IPv6: when
  /// the kernel has lost sight of so many prefixes (Lookup::forgotten).
  [[nodiscard]] std::vector<Considered> consider(TableId table, const Flow& flow,
                                                 std::uint8_t forgotten = 0) const;

  /// A configured address of this host, on any link or on that one.
  [[nodiscard]] bool owns(const Ip& ip) const;
  [[nodiscard]] bool owns(const Ip& ip, IfIndex link) const;

  [[nodiscard]] EffectiveConf conf(IfIndex link, Conf conf) const {
    return snapshot_.effective(link, conf);
  }
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] const Fib4& v4() const { return v4_; }
  [[nodiscard]] const Fib6& v6() const { return v6_; }

 private:
  const Snapshot& snapshot_;
  Fib4 v4_;
  Fib6 v6_;
};

}  // namespace retour
