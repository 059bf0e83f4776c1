// SPDX-License-Identifier: Apache-2.0
//
// Hosts as values for tests: the article's, and small ones put together by hand.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "model/snapshot.h"

namespace retour::testing {

inline Ip ip(const char* text) { return Ip::parse(text).value(); }
inline Prefix prefix(const char* text) { return Prefix::parse(text).value(); }

inline Rule rule(std::uint32_t priority, TableId table) {
  Rule rule;
  rule.priority = priority;
  rule.table = table;
  rule.protocol = priority == 0 || priority >= 32766 ? protocol_kernel : 0;
  return rule;
}

/// A host with `lo`, the default rules and nothing else; every gate open.
inline Snapshot bare_host() {
  Snapshot host;
  host.kernel = "6.18.0";
  Link lo;
  lo.index = loopback_index;
  lo.name = "lo";
  lo.flags = 0x10049;  // up, loopback, running, lower up
  host.links.push_back(lo);
  host.rules = {rule(0, table_local), rule(32766, table_main), rule(32767, table_default)};
  for (const ConfInfo& about : conf_table()) host.conf_all.set(about.conf, about.kernel_value);
  for (const ConfInfo& about : conf_table()) host.links[0].conf.set(about.conf, about.kernel_value);
  return host;
}

inline Route route(const char* dst, IfIndex link, TableId table = table_main) {
  Route route;
  route.dst = prefix(dst);
  route.table = table;
  route.scope = scope_link;
  route.protocol = protocol_kernel;
  if (link.value != 0) route.next_hops.push_back({link, std::nullopt, 0, 1});
  return route;
}

/// One more NIC, up, with an address and the routes the kernel makes for it.
inline IfIndex add_nic(Snapshot& host, const char* name, const char* address,
                       std::uint32_t metric = 0) {
  Link link;
  link.index = IfIndex{static_cast<std::uint32_t>(host.links.size() + 1)};
  link.name = name;
  link.flags = 0x11043;  // up, broadcast, running, multicast, lower up
  link.mtu = 1500;
  link.mac = {2, 0, 0, 0, 0, static_cast<std::uint8_t>(link.index.value)};
  for (const ConfInfo& about : conf_table()) link.conf.set(about.conf, about.kernel_value);
  host.links.push_back(link);
  Address own;
  own.link = link.index;
  own.local = prefix(address);
  host.addresses.push_back(own);
  Route connected = route(own.subnet().str().c_str(), link.index);
  connected.prefsrc = own.local.address;
  connected.metric = metric;
  host.routes.push_back(connected);
  Route local = route(own.local.address.str().c_str(), link.index, table_local);
  local.type = RouteType::local;
  local.scope = scope_host;
  local.prefsrc = own.local.address;
  host.routes.push_back(local);
  return link.index;
}

inline void set_gates(Snapshot& host, int rp_filter, int arp_ignore, int arp_filter) {
  host.conf_all.set(Conf::rp_filter, rp_filter);
  host.conf_all.set(Conf::arp_ignore, arp_ignore);
  host.conf_all.set(Conf::arp_filter, arp_filter);
}

/// `nics` NICs 10.0.0.21 … in one /24, as in the measured grid.
inline Snapshot grid_host(int nics = 8) {
  Snapshot host = bare_host();
  for (int i = 0; i < nics; ++i) {
    add_nic(host, ("eth" + std::to_string(i)).c_str(),
            ("10.0.0." + std::to_string(21 + i) + "/24").c_str());
  }
  return host;
}

/// As `ip route add` makes it.
inline Route via(const char* dst, IfIndex link, const char* gateway, std::uint32_t metric = 0) {
  Route made = route(dst, link);
  made.scope = scope_global;
  made.protocol = 3;
  made.metric = metric;
  made.next_hops.front().gateway = ip(gateway);
  return made;
}

/// rail0 … on 10.1.N.5/24, each with its router 10.1.N.1 to 10.0.0.0/8, and a management NIC.
inline Snapshot rails(int nics) {
  Snapshot host = bare_host();
  const IfIndex mgmt = add_nic(host, "eno1", "192.168.7.5/24");
  host.routes.push_back(via("0.0.0.0/0", mgmt, "192.168.7.1"));
  for (int i = 0; i < nics; ++i) {
    const std::string subnet = "10.1." + std::to_string(i);
    const IfIndex link =
        add_nic(host, ("rail" + std::to_string(i)).c_str(), (subnet + ".5/24").c_str());
    host.routes.push_back(
        via("10.0.0.0/8", link, (subnet + ".1").c_str(), 100 + static_cast<std::uint32_t>(i)));
  }
  set_gates(host, 1, 1, 0);
  return host;
}

/// The article's cure by hand: rule `from IP_k`, table with the subnet through NIC k.
inline void cure_by_hand(Snapshot& host) {
  std::vector<Rule> rules;
  std::uint32_t n = 0;
  for (const Address& address : std::vector<Address>(host.addresses)) {
    Rule from = rule(30000 + n, TableId{500 + n});
    from.from = Prefix::host(address.local.address);
    rules.push_back(from);
    Route own = route(address.subnet().str().c_str(), address.link, TableId{500 + n});
    own.prefsrc = address.local.address;
    host.routes.push_back(own);
    ++n;
  }
  host.rules.insert(host.rules.begin() + 1, rules.begin(), rules.end());
  host.hidden.custom_rules_v4 = true;
}

}  // namespace retour::testing
