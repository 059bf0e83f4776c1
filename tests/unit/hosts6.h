// SPDX-License-Identifier: Apache-2.0
//
// IPv6 hosts as values, with what the kernel makes of its own accord.
#pragma once

#include "hosts.h"

namespace retour::testing {

inline Rule rule6(std::uint32_t priority, TableId table) {
  Rule made = rule(priority, table);
  made.family = Family::v6;
  return made;
}

inline Route route6(const char* dst, IfIndex link, std::uint32_t metric = 1024) {
  Route made = route(dst, link);
  made.scope = scope_global;
  made.protocol = 3;
  made.metric = metric;
  return made;
}

inline Route via6(const char* dst, IfIndex link, const char* gateway, std::uint32_t metric = 1024) {
  Route made = route6(dst, link, metric);
  made.next_hops.front().gateway = ip(gateway);
  return made;
}

inline Route reject6(const char* dst, RouteType type, std::uint32_t metric = 1024) {
  Route made = route6(dst, loopback_index, metric);
  made.type = type;
  return made;
}

inline Address& add_address6(Snapshot& host, IfIndex link, const char* local) {
  Address own;
  own.link = link;
  own.local = prefix(local);
  // Newer ones stand before older ones of the same scope; tests name them in the kernel's order.
  host.addresses.push_back(own);
  Route mine = route6(own.local.address.str().c_str(), link, 0);
  mine.type = RouteType::local;
  mine.table = table_local;
  mine.protocol = protocol_kernel;
  host.routes.push_back(mine);
  Route connected = route6(own.subnet().str().c_str(), link, 256);
  connected.protocol = protocol_kernel;
  host.routes.push_back(connected);
  return host.addresses.back();
}

/// `lo` with ::1, and the two rules of a fresh namespace.
inline Snapshot bare_host6() {
  Snapshot host = bare_host();
  host.rules = {rule6(0, table_local), rule6(32766, table_main)};
  Address own;
  own.link = loopback_index;
  own.local = prefix("::1");
  own.scope = scope_host;
  host.addresses.push_back(own);
  Route mine = route6("::1", loopback_index, 0);
  mine.type = RouteType::local;
  mine.table = table_local;
  host.routes.push_back(mine);
  for (const Conf6Info& about : conf6_table()) host.conf6_all.set(about.conf, about.kernel_value);
  return host;
}

/// One more NIC, up, with a global address and fe80::INDEX.
inline IfIndex add_nic6(Snapshot& host, const char* name, const char* address) {
  Link link;
  link.index = IfIndex{static_cast<std::uint32_t>(host.links.size() + 1)};
  link.name = name;
  link.flags = 0x11043;  // up, broadcast, running, multicast, lower up
  for (const Conf6Info& about : conf6_table()) link.conf6.set(about.conf, about.kernel_value);
  host.links.push_back(link);
  add_address6(host, link.index, address);
  add_address6(host, link.index, ("fe80::" + std::to_string(link.index.value) + "/64").c_str());
  host.addresses.back().scope = scope_link;
  Route groups = route6("ff00::/8", link.index, 256);
  groups.type = RouteType::multicast;
  groups.table = table_local;
  host.routes.push_back(groups);
  return link.index;
}

inline void insert6(Snapshot& host, Rule rule) {
  rule.family = Family::v6;
  const auto at = std::find_if(host.rules.begin(), host.rules.end(),
                               [&](const Rule& r) { return r.priority > rule.priority; });
  host.rules.insert(at, rule);
  host.hidden.custom_rules_v6 = true;
}

inline void set_neighbor(Snapshot& host, IfIndex link, const char* address, std::uint16_t state) {
  host.neighbors.push_back({link, ip(address), {}, state, 0});
}
inline constexpr std::uint16_t nud_failed = 0x20;

}  // namespace retour::testing
