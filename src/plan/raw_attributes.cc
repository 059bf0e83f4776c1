// SPDX-License-Identifier: Apache-2.0
#include "plan/raw_attributes.h"

#include <cstring>

namespace retour {

std::optional<std::uint32_t> RouteMetric::number() const {
  std::uint32_t out = 0;
  if (value.size() != sizeof(out)) return std::nullopt;
  std::memcpy(&out, value.data(), sizeof(out));
  return out;
}

std::vector<RouteMetric> route_metrics(const RawAttribute& raw) {
  struct Header {
    std::uint16_t size;
    std::uint16_t type;
  };
  std::vector<RouteMetric> metrics;
  std::uint32_t locked = 0;
  Header header{};
  for (std::size_t at = 0; at + sizeof(header) <= raw.data.size();
       at += (header.size + 3U) & ~std::size_t{3}) {
    std::memcpy(&header, &raw.data[at], sizeof(header));
    if (header.size < sizeof(header) || header.size > raw.data.size() - at) break;
    const auto begin = raw.data.begin() + static_cast<std::ptrdiff_t>(at + sizeof(header));
    const auto size = static_cast<std::ptrdiff_t>(header.size - sizeof(header));
    RouteMetric metric{header.type & 0x3fffU, false, {begin, begin + size}};
    if (metric.type == metric_lock) {
      locked = metric.number().value_or(0);
    } else {
      metrics.push_back(std::move(metric));
    }
  }
  for (RouteMetric& metric : metrics) {
    metric.locked = metric.type < 32 && (locked >> metric.type & 1U) != 0;
  }
  return metrics;
}

}  // namespace retour
