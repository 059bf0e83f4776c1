// SPDX-License-Identifier: Apache-2.0
//
// Attributes that routes and rules keep raw (RawAttribute), for those who say them in iproute2's
// words and those who read them from there: their numbers, and the route metrics by name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/objects.h"

namespace retour {

inline constexpr std::uint16_t attribute_metrics = 8;  ///< RTA_METRICS: nested, RTAX_*
inline constexpr std::uint16_t attribute_realms = 11;  ///< RTA_FLOW and FRA_FLOW: from << 16 | to
inline constexpr std::uint16_t attribute_group_type = 3;  ///< NHA_GROUP_TYPE
inline constexpr std::uint16_t attribute_fdb = 11;        ///< NHA_FDB

/// RTAX_*: what iproute2 calls them, by their number.
inline constexpr std::array<std::string_view, 18> metric_words{
    "",         "",        "mtu",      "window",     "rtt",      "rttvar",
    "ssthresh", "cwnd",    "advmss",   "reordering", "hoplimit", "initcwnd",
    "features", "rto_min", "initrwnd", "quickack",   "congctl",  "fastopen_no_cookie"};
inline constexpr std::size_t metric_lock = 1;    ///< a bit per metric that is locked
inline constexpr std::size_t metric_rtt = 4;     ///< in eighths of a millisecond
inline constexpr std::size_t metric_rttvar = 5;  ///< in quarters of a millisecond
inline constexpr std::size_t metric_features = 12;
inline constexpr std::uint32_t feature_ecn = 1;
inline constexpr std::uint32_t feature_tcp_usec_ts = 16;
inline constexpr std::size_t metric_rto_min = 13;  ///< milliseconds
inline constexpr std::size_t metric_congctl = 16;  ///< a string

struct RouteMetric {
  std::size_t type{};               ///< RTAX_*, never metric_lock
  bool locked{};                    ///< path MTU discovery and its like leave it alone
  std::vector<std::uint8_t> value;  ///< a number of this machine's order, or a string

  /// Absent where it is no number of 32 bits.
  [[nodiscard]] std::optional<std::uint32_t> number() const;
};

/// What attribute_metrics nests, in its order; what is cut off is left out.
[[nodiscard]] std::vector<RouteMetric> route_metrics(const RawAttribute& raw);

}  // namespace retour
