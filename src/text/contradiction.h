// SPDX-License-Identifier: Apache-2.0
//
// What no kernel would hold: an address on a link that is not there, a rule that goes backwards. A
// snapshot that is odd but possible is none: a rule to a table without routes, a rule for a device
// that is gone, a goto to nowhere. What is claimed here the scenarios ask the kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "model/snapshot.h"

namespace retour {

/// The lists of a Snapshot, by their names in its JSON.
enum class Part : std::uint8_t {
  links,
  addresses,
  neighbors,
  groups,
  routes,
  rules,
  nexthops,
  segments,
};
inline constexpr std::size_t part_count = 8;
[[nodiscard]] std::string_view name(Part part);

/// Reads as "addresses[2]: 10.0.0.1/8 is on link #9, and there is no such link".
struct Contradiction {
  Part part{};
  std::size_t index{};  ///< of the object in its list
  std::string why;      ///< a sentence, printable
};

/// The first one; nothing: consistent.
[[nodiscard]] std::optional<Contradiction> find_contradiction(const Snapshot& snapshot);

/// Takes why an object contradicts; what comes after the first is not kept.
using Contradict = std::function<void(Part, std::size_t, std::string)>;
void check_routes(const Snapshot& snapshot, const Contradict& contradict);
void check_nexthops(const Snapshot& snapshot, const Contradict& contradict);
void check_rules(const Snapshot& snapshot, const Contradict& contradict);

}  // namespace retour
