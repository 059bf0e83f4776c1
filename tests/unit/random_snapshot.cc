// SPDX-License-Identifier: Apache-2.0
#include "random_snapshot.h"

#include <algorithm>
#include <set>

namespace retour::testing {

std::uint32_t RandomSnapshot::any() {
  const std::uint32_t values[] = {0,           1,           255,
                                  0x7fffffffU, 0xffffffffU, static_cast<std::uint32_t>(random_())};
  return values[below(6)];
}

std::string RandomSnapshot::bytes(std::uint32_t most) {
  std::string out;
  for (std::uint32_t i = below(most + 1); i > 0; --i) {
    out += coin() ? static_cast<char>('a' + below(26)) : static_cast<char>(below(256));
  }
  return out;
}

Ip RandomSnapshot::ip(Family family) {
  if (family == Family::v4) return Ip::v4(any());
  return Ip(Family::v6, (Bits{random_()} << 96U) | (Bits{random_()} << 32U) | any());
}

Prefix RandomSnapshot::prefix(Family family) {
  return {ip(family), static_cast<std::uint8_t>(below(width(family) + 1U))};
}

void RandomSnapshot::one(Ip& out) {
  Family family{};
  one(family);
  out = ip(family);
}

void RandomSnapshot::one(Prefix& out) {
  Family family{};
  one(family);
  out = prefix(family);
}

void RandomSnapshot::one(ConfValues& out) {
  for (const ConfInfo& about : conf_table()) {
    if (coin()) out.set(about.conf, static_cast<std::int32_t>(any()));
  }
}

void RandomSnapshot::one(Conf6Values& out) {
  for (const Conf6Info& about : conf6_table()) {
    if (coin()) out.set(about.conf, static_cast<std::int32_t>(any()));
  }
}

void RandomSnapshot::one(RawAttribute& out) {
  auto& [type, data] = out;
  fill(type, data);
}

void RandomSnapshot::one(NextHop& out) {
  auto& [link, gateway, flags, weight] = out;
  fill(link, gateway, flags, weight);
}

void RandomSnapshot::one(Link& out) {
  auto& [index, name, kind, driver, bus, mac, flags, mtu, group, master, speed_mbps, conf, conf6] =
      out;
  fill(index, name, kind, driver, bus, mac, flags, mtu, group, master, speed_mbps, conf, conf6);
}

void RandomSnapshot::one(Address& out) {
  auto& [link, local, peer, broadcast, scope, flags, label, metric, protocol] = out;
  fill(link, local, peer, broadcast, scope, flags, label, metric, protocol);
}

void RandomSnapshot::one(Neighbor& out) {
  auto& [link, address, mac, state, flags] = out;
  fill(link, address, mac, state, flags);
}

void RandomSnapshot::one(Route& out) {
  auto& [dst, src, table, type, scope, protocol, tos, metric, prefsrc, next_hops, nexthop_id, flags,
         preference, expired, other] = out;
  fill(dst, src, table, type, scope, protocol, tos, metric, prefsrc, next_hops, nexthop_id, flags,
       preference, expired, other);
}

void RandomSnapshot::one(Rule& out) {
  auto& [family, priority, invert, from, to, iif, oif, iif_detached, oif_detached, fwmark, fwmask,
         tos, dscp, dscp_mask, flowlabel, flowlabel_mask, ip_proto, sport, dport, sport_mask,
         dport_mask, uid, tun_id, l3mdev, action, table, goto_target, goto_unresolved,
         suppress_prefixlength, suppress_ifgroup, protocol, other] = out;
  fill(family, priority, invert, from, to, iif, oif, iif_detached, oif_detached, fwmark, fwmask,
       tos, dscp, dscp_mask, flowlabel, flowlabel_mask, ip_proto, sport, dport, sport_mask,
       dport_mask, uid, tun_id, l3mdev, action, table, goto_target, goto_unresolved,
       suppress_prefixlength, suppress_ifgroup, protocol, other);
}

void RandomSnapshot::one(NextHopObject& out) {
  auto& [id, family, leg, blackhole, group, protocol, other] = out;
  fill(id, family, leg, blackhole, group, protocol, other);
}

void RandomSnapshot::one(HiddenBits& out) {
  auto& [custom_rules_v4, custom_local_routes_v4, custom_rules_v6] = out;
  fill(custom_rules_v4, custom_local_routes_v4, custom_rules_v6);
}

void RandomSnapshot::one(Membership& out) {
  auto& [link, group] = out;
  fill(link, group);
}

void RandomSnapshot::one(AddressLabel& out) {
  auto& [prefix, link, label] = out;
  fill(prefix, link, label);
}

void RandomSnapshot::one(Snapshot& out) {
  auto& [host, kernel, source, links, addresses, neighbors, routes, rules, nexthops, conf_all,
         conf6_all, hidden, groups, address_labels, table_names, segments, notes] = out;
  fill(host, kernel, source, links, addresses, neighbors, routes, rules, nexthops, conf_all,
       conf6_all, hidden, groups, address_labels, table_names, segments, notes);
}

Snapshot RandomSnapshot::next() {
  Snapshot out;
  one(out);
  settle(out);
  return out;
}

void RandomSnapshot::settle(Snapshot& out) {
  settle_links(out);
  settle_addresses(out);
  for (Neighbor& neighbor : out.neighbors) neighbor.link = device(out);
  settle_nexthops(out);
  for (Route& route : out.routes) settle(route, out);
  std::ranges::stable_sort(out.rules, {}, &Rule::priority);
  for (Rule& rule : out.rules) settle(rule, out);
  settle_gotos(out);
  settle_segments(out);
  if (out.groups) {
    for (Membership& each : *out.groups) each = {device(out), ip(Family::v4)};
  }
  if (out.address_labels) {
    for (AddressLabel& each : *out.address_labels) {
      each.prefix = prefix(Family::v6).network();
      each.link = coin() ? device(out) : IfIndex{};
    }
  }
}

void RandomSnapshot::settle_links(Snapshot& out) {
  if (out.links.empty()) one(out.links.emplace_back());
  IfIndex last{};
  for (Link& link : out.links) {
    link.index.value = last.value + 1 + below(3);
    last = link.index;
    link.name += std::to_string(last.value);
    std::erase_if(link.name, [](char c) { return c == '/' || c == '\0'; });
    link.mac.resize(link.mac.size() % 33);
    // Also one that is not here: it may be in another namespace.
    if (link.master == link.index) link.master = {};
  }
}

IfIndex RandomSnapshot::device(const Snapshot& of) {
  return of.links[below(static_cast<std::uint32_t>(of.links.size()))].index;
}

void RandomSnapshot::settle_addresses(Snapshot& out) {
  std::uint32_t distinct = 1;
  for (Address& address : out.addresses) {
    const Family family = address.local.family();
    address.link = device(out);
    address.local.address = Ip(family, distinct++);
    if (address.peer) address.peer = ip(family);
    if (address.broadcast) address.broadcast = ip(family);
  }
}

void RandomSnapshot::settle(NextHop& out, Family family, const Snapshot& host) {
  out.link = device(host);
  if (out.gateway) out.gateway = ip(coin() ? Family::v6 : family);
  out.weight = static_cast<std::uint16_t>(1 + below(256));
}

void RandomSnapshot::settle_nexthops(Snapshot& out) {
  std::uint32_t id = 0;
  std::vector<std::uint32_t> single;
  for (NextHopObject& nexthop : out.nexthops) {
    nexthop.id = ++id;
    if (nexthop.blackhole) nexthop.group.clear();
    if (nexthop.blackhole || !nexthop.group.empty()) {
      const std::uint8_t flags = nexthop.leg.flags;
      nexthop.leg = {};
      nexthop.leg.flags = flags;
    } else {
      settle(nexthop.leg, nexthop.family, out);
      if (nexthop.leg.gateway) nexthop.leg.gateway = ip(nexthop.family);
      single.push_back(id);
    }
  }
  for (NextHopObject& nexthop : out.nexthops) {
    if (nexthop.group.size() > single.size()) nexthop.group.resize(single.size());
    for (std::size_t i = 0; i < nexthop.group.size(); ++i) {
      nexthop.group[i].first = single[i];
      if (nexthop.group[i].second == 0) nexthop.group[i].second = 1;
    }
    if (nexthop.group.empty() && nexthop.leg.link.value == 0) nexthop.blackhole = true;
  }
}

void RandomSnapshot::settle(Route& out, const Snapshot& host) {
  const Family family = out.family();
  out.dst = out.dst.network();
  if (out.src && family == Family::v4) out.src.reset();
  if (out.src) out.src = prefix(family).network();
  if (out.prefsrc) out.prefsrc = ip(family);
  out.nexthop_id = 0;
  const auto objects = static_cast<std::uint32_t>(host.nexthops.size());
  if (objects != 0 && coin()) out.nexthop_id = host.nexthops[below(objects)].id;
  const bool rejects = out.type >= RouteType::blackhole && out.type <= RouteType::throw_;
  if (out.nexthop_id == 0 && rejects && family == Family::v4) out.next_hops.clear();
  if (out.nexthop_id == 0 && !rejects && out.next_hops.empty()) out.next_hops.emplace_back();
  for (NextHop& leg : out.next_hops) settle(leg, family, host);
}

void RandomSnapshot::settle_ports(std::optional<Range<std::uint16_t>>& ports, std::uint16_t& mask) {
  if (!ports) return;
  ports->first = static_cast<std::uint16_t>(1 + ports->first % 65534);
  ports->last = std::max(ports->first, static_cast<std::uint16_t>(1 + ports->last % 65534));
  if (coin()) {
    ports->last = ports->first;
    mask = static_cast<std::uint16_t>(mask | ports->first);
  } else {
    mask = 0xffff;
  }
}

void RandomSnapshot::settle(Rule& out, const Snapshot& host) {
  if (out.from) out.from = prefix(out.family);
  if (out.to) out.to = prefix(out.family);
  if (coin()) out.iif = host.link_name(device(host));
  for (const auto& [name, detached] :
       {std::pair{&out.iif, &out.iif_detached}, std::pair{&out.oif, &out.oif_detached}}) {
    if (host.link(*name) != nullptr) *detached = false;
  }
  if (out.family == Family::v4) {
    out.tos &= 0x1c;
    out.flowlabel = out.flowlabel_mask = 0;
  }
  if (out.dscp) {
    out.dscp = static_cast<std::uint8_t>(*out.dscp & 0x3fU);
    out.dscp_mask = static_cast<std::uint8_t>((out.dscp_mask & 0x3fU) | *out.dscp);
    out.tos = 0;
  }
  out.flowlabel_mask &= 0xfffff;
  out.flowlabel &= out.flowlabel_mask;
  settle_ports(out.sport, out.sport_mask);
  settle_ports(out.dport, out.dport_mask);
  if (out.uid && out.uid->first > out.uid->last) std::swap(out.uid->first, out.uid->last);
  if (out.l3mdev) out.table = {};
  const bool looks = out.action == RuleAction::lookup;
  if (looks && !out.l3mdev && out.table.value == 0) out.table = table_main;
}

void RandomSnapshot::settle_gotos(Snapshot& out) {
  for (Rule& rule : out.rules) {
    const bool last = rule.priority == 0xffffffffU;
    if (rule.action == RuleAction::goto_ && last) rule.action = RuleAction::nop;
    if (rule.action != RuleAction::goto_) {
      rule.goto_target = 0;
      continue;
    }
    if (rule.goto_target <= rule.priority) rule.goto_target = rule.priority + 1;
    rule.goto_unresolved = std::ranges::none_of(out.rules, [&](const Rule& other) {
      return other.family == rule.family && other.priority == rule.goto_target;
    });
  }
}

void RandomSnapshot::settle_segments(Snapshot& out) {
  if (!out.segments) return;
  out.segments->clear();
  for (const Link& link : out.links) {
    if (out.segments->empty() || coin()) out.segments->emplace_back();
    out.segments->back().push_back(link.index);
  }
}

}  // namespace retour::testing
