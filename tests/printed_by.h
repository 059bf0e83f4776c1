// SPDX-License-Identifier: Apache-2.0
//
// What iproute2 leaves out when it prints a host, by version and form, taken away from a snapshot
// that knows it all: what is left must be what the import of the print gives, to the last field.
#pragma once

#include <algorithm>
#include <compare>
#include <cstring>

#include "model/snapshot.h"
#include "plan/raw_attributes.h"

namespace retour::testing {

struct Iproute2 {
  int major{};
  int minor{};
  friend auto operator<=>(const Iproute2&, const Iproute2&) = default;
};

struct Print {
  Iproute2 by;
  bool json{};
  bool kinds{};  ///< links with `-d`
};

/// Without the nested attribute of that type.
inline void forget_metric(RawAttribute& metrics, std::uint16_t unwanted) {
  std::vector<std::uint8_t> kept;
  for (std::size_t at = 0; at + 4 <= metrics.data.size();) {
    std::uint16_t size = 0;
    std::uint16_t type = 0;
    std::memcpy(&size, &metrics.data[at], sizeof(size));
    std::memcpy(&type, &metrics.data[at + 2], sizeof(type));
    const std::size_t next = std::min(at + ((size + 3U) & ~3U), metrics.data.size());
    const auto begin = metrics.data.begin();
    if (type != unwanted) {
      kept.insert(kept.end(), begin + static_cast<std::ptrdiff_t>(at),
                  begin + static_cast<std::ptrdiff_t>(next));
    }
    at = next;
  }
  metrics.data = std::move(kept);
}

inline void forget_unprinted(Route& route, const Print& print) {
  if (print.by < Iproute2{5, 3}) route.nexthop_id = 0;
  // An encapsulation (noted), and legs with more than a NextHop holds (noted).
  std::erase_if(route.other, [](const RawAttribute& each) {
    return each.type == 9 || each.type == 21 || each.type == 22;
  });
  for (RawAttribute& each : route.other) {
    if (each.type != attribute_metrics) continue;
    if (print.json) forget_metric(each, 1);                   // locks
    if (print.by < Iproute2{4, 15}) forget_metric(each, 17);  // fastopen_no_cookie
  }
}

inline void forget_unprinted(Rule& rule, const Print& print) {
  const auto before = [&](int major, int minor) { return print.by < Iproute2{major, minor}; };
  if (before(4, 10)) rule.uid.reset();
  if (before(4, 17)) {
    rule.ip_proto = 0;
    rule.sport.reset();
    rule.dport.reset();
    if (rule.protocol != protocol_kernel) rule.protocol = 0;
  }
  if (before(4, 20)) rule.tun_id = 0;
  if (before(6, 13)) rule.dscp.reset();
  if (before(6, 14)) rule.flowlabel = rule.flowlabel_mask = 0;
  if (before(6, 15)) {
    rule.dscp_mask = 0x3f;
    rule.sport_mask = rule.dport_mask = 0xffff;
  }
}

inline void forget_unprinted(Snapshot& host, const Print& print) {
  constexpr std::uint16_t noarp = 0x40;
  for (Link& link : host.links) {
    link.conf = {};
    link.conf6 = {};
    link.driver.clear();
    link.bus.clear();
    if (!print.kinds) link.kind.clear();
  }
  for (Address& address : host.addresses) {
    if (print.by < Iproute2{4, 18}) address.metric = 0;
    if (print.by < Iproute2{6, 4}) address.protocol = 0;
  }
  // `ip neigh` leaves these out without being asked.
  std::erase_if(host.neighbors, [](const Neighbor& each) { return each.state == noarp; });
  for (Neighbor& neighbor : host.neighbors) {
    if (print.by < Iproute2{4, 20}) neighbor.flags &= 0xefU;  // extern_learn
  }
  for (Route& route : host.routes) forget_unprinted(route, print);
  for (Rule& rule : host.rules) forget_unprinted(rule, print);
  if (print.by < Iproute2{5, 3}) host.nexthops.clear();
  for (NextHopObject& nexthop : host.nexthops) {
    // Encapsulations and the buckets of resilient groups (noted); that it is one, before 5.13.
    const bool kinds_of_groups = print.by >= Iproute2{5, 13};
    std::erase_if(nexthop.other, [&](const RawAttribute& each) {
      return each.type == 7 || each.type == 8 || each.type == 12 ||
             (each.type == attribute_group_type && !kinds_of_groups);
    });
  }
  host.conf_all = {};
  host.conf6_all = {};
  host.groups.reset();
  host.address_labels.reset();
  host.hidden = {};
  host.host = host.kernel = host.source = "";
  host.table_names.clear();
  host.notes.clear();
  host.segments.reset();
}

}  // namespace retour::testing
