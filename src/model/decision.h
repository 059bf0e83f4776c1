// SPDX-License-Identifier: Apache-2.0
//
// What tables and rules decide, before anything is made of it: small values that point into the
// Snapshot, for those who ask a million times.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>

#include "model/lookup.h"

namespace retour {

/// The answer of one table.
struct Found {
  int errnum{EAGAIN};     ///< 0 = found; EAGAIN = nothing here, or a throw route; else final
  std::uint32_t route{};  ///< index in Snapshot::routes; not for EAGAIN without a throw route
  const NextHop* leg{};   ///< the first usable one
  std::span<const NextHop> legs{};  ///< all of the route, usable or not
  /// Of the route that suppress_prefixlength is shown, where the kernel has another in its place.
  std::optional<std::uint8_t> length{};
};

/// The answer of the rules: a lookup without its history.
struct Decision {
  Verdict verdict{Verdict::no_route};
  int errnum{};
  const Rule* rule{};
  const Route* route{};
  const NextHop* leg{};
  std::span<const NextHop> legs{};
  TableId table{};

  /// The same outcome: one may stand for the other.
  friend bool operator==(const Decision& a, const Decision& b) {
    return a.verdict == b.verdict && a.errnum == b.errnum && a.rule == b.rule &&
           a.route == b.route && a.leg == b.leg && a.table == b.table;
  }
};

/// fib_props[]: what a route of this type returns when it is hit; 0 for those that lead somewhere.
[[nodiscard]] int error_of(RouteType type);
/// The verdict for a route of a type that leads somewhere.
[[nodiscard]] Verdict verdict_of(RouteType type);
/// The verdict for an error of a rule or a route.
[[nodiscard]] Verdict verdict_of_error(int errnum);

}  // namespace retour
