// SPDX-License-Identifier: Apache-2.0
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "os/kernel_decode.h"
#include "os/kernel_words.h"

namespace retour {
namespace {

/// An address whose length the header gives; absent attribute and length 0 are "all".
bool take_prefix(Bytes data, std::uint8_t length, Family family, Prefix& out) {
  const auto ip = Ip::from_bytes(data);
  if (!ip || ip->family() != family || length > width(family)) return false;
  out = {*ip, length};
  return true;
}

/// `modelled` turns false where a leg carries what NextHop has no member for.
bool decode_legs(Bytes data, std::vector<NextHop>& legs, bool& modelled) {
  bool sound = true;
  rtnexthop header{};
  while (sound && take(data, header)) {
    if (header.rtnh_len < sizeof(header) || header.rtnh_len > data.size()) return false;
    NextHop& leg = legs.emplace_back();
    leg.link.value = static_cast<std::uint32_t>(header.rtnh_ifindex);
    leg.flags = header.rtnh_flags;
    leg.weight = static_cast<std::uint16_t>(header.rtnh_hops + 1U);
    const Bytes attributes = data.subspan(sizeof(header), header.rtnh_len - sizeof(header));
    sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes value) {
      if (type == RTA_GATEWAY) {
        sound &= take_ip(value, leg.gateway);
      } else if (type == RTA_VIA) {
        sound &= take_via(value, leg.gateway);
      } else {
        modelled = false;
      }
    });
    const std::size_t next = (header.rtnh_len + 3U) & ~std::size_t{3};
    data = data.subspan(next < data.size() ? next : data.size());
  }
  return sound;
}

struct RouteReader {
  Route& route;
  NextHop leg{};
  bool has_leg{};
  bool sound{true};

  void attribute(std::uint16_t type, Bytes data, const rtmsg& header) {
    switch (type) {
      case RTA_DST:
        sound &= take_prefix(data, header.rtm_dst_len, route.family(), route.dst);
        break;
      case RTA_SRC:
        sound &= take_prefix(data, header.rtm_src_len, route.family(), route.src.emplace());
        break;
      case RTA_TABLE:
        sound &= take(data, route.table.value);
        break;
      case RTA_PRIORITY:
        sound &= take(data, route.metric);
        break;
      case RTA_PREFSRC:
        sound &= take_ip(data, route.prefsrc);
        break;
      case RTA_OIF:
        sound &= take(data, leg.link.value);
        has_leg = true;
        break;
      case RTA_GATEWAY:
        sound &= take_ip(data, leg.gateway);
        has_leg = true;
        break;
      case RTA_VIA:
        sound &= take_via(data, leg.gateway);
        has_leg = true;
        break;
      case RTA_NH_ID:
        sound &= take(data, route.nexthop_id);
        break;
      case RTA_PREF:
        sound &= take(data, route.preference);
        break;
      case RTA_MULTIPATH:
        multipath(data);
        break;
      case RTA_CACHEINFO: {  // counters and ages, other on every read, but for this
        rta_cacheinfo info{};
        sound &= take(data, info);
        route.expired = info.rta_expires < 0;
        break;
      }
      default:
        route.other.push_back({type, copy_of(data)});
    }
  }

  void multipath(Bytes data) {
    bool modelled = true;
    sound &= decode_legs(data, route.next_hops, modelled);
    // Kept whole beside the legs, so that encapsulations and realms of a leg are not lost.
    if (!modelled) route.other.push_back({RTA_MULTIPATH, copy_of(data)});
  }
};

}  // namespace

bool take_via(Bytes data, std::optional<Ip>& out) {
  std::uint16_t family = 0;
  if (!take(data, family) || (family != AF_INET && family != AF_INET6)) return false;
  return take_ip(data.subspan(sizeof(family)), out);
}

bool decode_route(const NetlinkMessage& message, std::vector<Route>& routes) {
  rtmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  const auto family = family_of(header.rtm_family);
  if (message.type != RTM_NEWROUTE || !family || (header.rtm_flags & RTM_F_CLONED) != 0) {
    return true;
  }
  Route& route = routes.emplace_back();
  route.dst = Prefix::all(*family);
  route.table.value = header.rtm_table;
  route.type = static_cast<RouteType>(header.rtm_type);
  route.scope = header.rtm_scope;
  route.protocol = header.rtm_protocol;
  route.tos = header.rtm_tos;
  route.flags = header.rtm_flags;
  RouteReader reader{route};
  reader.sound &= each_attribute(
      attributes, [&](std::uint16_t type, Bytes data) { reader.attribute(type, data, header); });
  // The kernel shows these on `lo` (IPv6 all of them, IPv4 those of a nexthop object): where they
  // lie has no part in what they do, and nobody can choose it.
  const bool rejects = header.rtm_type >= RTN_BLACKHOLE && header.rtm_type <= RTN_THROW;
  if (reader.has_leg && !rejects && route.next_hops.empty()) {
    reader.leg.flags = static_cast<std::uint8_t>(header.rtm_flags);
    route.next_hops.push_back(reader.leg);
  }
  return reader.sound && (header.rtm_dst_len == 0 || route.dst.length == header.rtm_dst_len);
}

namespace {

bool take_range(Bytes data, std::optional<Range<std::uint16_t>>& out) {
  fib_rule_port_range range{};
  if (!take(data, range)) return false;
  out = {range.start, range.end};
  return true;
}

bool take_unless_none(Bytes data, std::optional<std::uint32_t>& out) {
  std::uint32_t value = 0;
  if (!take(data, value)) return false;
  if (value != 0xffffffffU) out = value;  // -1: the kernel's "none"
  return true;
}

/// In network order on the wire, unlike most numbers here.
template <class T>
bool take_network(Bytes data, T& out) {
  T network_order{};
  if (!take(data, network_order)) return false;
  out = swap_network(network_order);
  return true;
}

bool rule_port_or_protocol(Rule& rule, std::uint16_t type, Bytes data, bool& known) {
  switch (type) {
    case FRA_IP_PROTO:
      return take(data, rule.ip_proto);
    case FRA_SPORT_RANGE:
      return take_range(data, rule.sport);
    case FRA_DPORT_RANGE:
      return take_range(data, rule.dport);
    case fra_sport_mask:
      return take(data, rule.sport_mask);
    case fra_dport_mask:
      return take(data, rule.dport_mask);
    case fra_dscp:
      return take(data, rule.dscp.emplace());
    case fra_dscp_mask:
      return take(data, rule.dscp_mask);
    case FRA_UID_RANGE: {
      fib_rule_uid_range range{};
      if (!take(data, range)) return false;
      rule.uid = {range.start, range.end};
      return true;
    }
    case fra_flowlabel:
      return take_network(data, rule.flowlabel);
    case fra_flowlabel_mask:
      return take_network(data, rule.flowlabel_mask);
    case FRA_TUN_ID:
      return take_network(data, rule.tun_id);
    default:
      known = false;
      return true;
  }
}

bool rule_attribute(Rule& rule, const fib_rule_hdr& header, std::uint16_t type, Bytes data) {
  switch (type) {
    case FRA_DST:
      return take_prefix(data, header.dst_len, rule.family, rule.to.emplace());
    case FRA_SRC:
      return take_prefix(data, header.src_len, rule.family, rule.from.emplace());
    case FRA_IIFNAME:
      rule.iif = text_of(data);
      return true;
    case FRA_OIFNAME:
      rule.oif = text_of(data);
      return true;
    case FRA_GOTO:
      return take(data, rule.goto_target);
    case FRA_PRIORITY:
      return take(data, rule.priority);
    case FRA_FWMARK:
      return take(data, rule.fwmark);
    case FRA_FWMASK:
      return take(data, rule.fwmask);
    case FRA_TABLE:
      return take(data, rule.table.value);
    case FRA_SUPPRESS_PREFIXLEN:
      return take_unless_none(data, rule.suppress_prefixlength);
    case FRA_SUPPRESS_IFGROUP:
      return take_unless_none(data, rule.suppress_ifgroup);
    case FRA_L3MDEV: {
      std::uint8_t value = 0;
      const bool sound = take(data, value);
      rule.l3mdev = value != 0;
      return sound;
    }
    case FRA_PROTOCOL:
      return take(data, rule.protocol);
    case FRA_PAD:
      return true;
    default: {
      bool known = true;
      const bool sound = rule_port_or_protocol(rule, type, data, known);
      if (!known) rule.other.push_back({type, copy_of(data)});
      return sound;
    }
  }
}

}  // namespace

bool decode_rule(const NetlinkMessage& message, std::vector<Rule>& rules) {
  fib_rule_hdr header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  const auto family = family_of(header.family);
  if (message.type != RTM_NEWRULE || !family) return true;
  Rule& rule = rules.emplace_back();
  rule.family = *family;
  rule.tos = header.tos;
  rule.table.value = header.table;
  rule.action = static_cast<RuleAction>(header.action);
  rule.invert = (header.flags & FIB_RULE_INVERT) != 0;
  rule.iif_detached = (header.flags & FIB_RULE_IIF_DETACHED) != 0;
  rule.oif_detached = (header.flags & FIB_RULE_OIF_DETACHED) != 0;
  rule.goto_unresolved = (header.flags & FIB_RULE_UNRESOLVED) != 0;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    sound &= rule_attribute(rule, header, type, data);
  });
  return sound;
}

}  // namespace retour
