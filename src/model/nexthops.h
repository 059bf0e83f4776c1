// SPDX-License-Identifier: Apache-2.0
//
// The legs of a route, whether it has its own or names a nexthop object (net/ipv4/nexthop.c).
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/snapshot.h"

namespace retour {

class Nexthops {
 public:
  struct Legs {
    std::span<const NextHop> legs;
    std::span<const std::uint32_t> ids;  ///< the object of each leg; empty for a route's own
    bool object{};                       ///< of a nexthop object
    bool blackhole{};  ///< the object (or the one member of the group) drops what it gets
    bool resilient{};  ///< a group that takes its members by bucket, whatever their neighbours do
  };

  /// REQUIRES: `snapshot` outlives the Nexthops and is not changed.
  explicit Nexthops(const Snapshot& snapshot);

  [[nodiscard]] Legs of(const Route& route) const;

 private:
  struct Resolved {
    std::vector<NextHop> legs;
    std::vector<std::uint32_t> ids;
    bool blackhole{};
    bool resilient{};
  };
  std::unordered_map<std::uint32_t, Resolved> objects_;
};

}  // namespace retour
