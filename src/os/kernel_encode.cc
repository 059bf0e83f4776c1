// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_encode.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "os/attributes.h"
#include "os/kernel_decode.h"
#include "os/kernel_words.h"

namespace retour {
namespace {

constexpr std::size_t fixed_part = 512;  // header, and every attribute of fixed size
constexpr std::size_t a_leg = 64;

std::size_t size_of(const std::vector<RawAttribute>& attributes) {
  std::size_t size = 0;
  for (const RawAttribute& attribute : attributes) size += attribute.data.size() + 8;
  return size;
}

/// The header has room for small ids only; RTA_TABLE and FRA_TABLE say it in full.
std::uint8_t header_table(TableId table) {
  return table.value < 256 ? static_cast<std::uint8_t>(table.value) : std::uint8_t{0};
}

void put_gateway(nlmsghdr* message, Family family, const Ip& gateway) {
  if (gateway.family() == family) {
    put_ip(message, RTA_GATEWAY, gateway);
    return;
  }
  std::array<std::uint8_t, 18> via{};
  const std::uint16_t of_gateway = kernel_family(gateway.family());
  std::memcpy(via.data(), &of_gateway, sizeof(of_gateway));
  const std::size_t size = gateway.to_bytes(std::span(via).subspan<2>());
  mnl_attr_put(message, RTA_VIA, sizeof(of_gateway) + size, via.data());
}

// DEAD and LINKDOWN are the kernel's findings; it refuses to be told.
constexpr std::uint32_t settable_flags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;

void put_legs(nlmsghdr* message, const Route& route) {
  nlattr* nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
  for (const NextHop& leg : route.next_hops) {
    auto* header = static_cast<rtnexthop*>(mnl_nlmsg_get_payload_tail(message));
    message->nlmsg_len += sizeof(*header);
    const std::uint32_t start = message->nlmsg_len;
    *header = {};
    header->rtnh_flags = static_cast<unsigned char>(leg.flags & settable_flags);
    header->rtnh_hops = static_cast<unsigned char>(std::clamp<int>(leg.weight, 1, 256) - 1);
    header->rtnh_ifindex = static_cast<int>(leg.link.value);
    if (leg.gateway) put_gateway(message, route.family(), *leg.gateway);
    header->rtnh_len = static_cast<unsigned short>(sizeof(*header) + message->nlmsg_len - start);
  }
  mnl_attr_nest_end(message, nest);
}

bool has(const std::vector<RawAttribute>& attributes, std::uint16_t type) {
  return std::ranges::any_of(attributes, [&](const auto& each) { return each.type == type; });
}

void put_next_hops(nlmsghdr* message, const Route& route) {
  if (route.nexthop_id != 0) {
    // The legs in a dump are the object's, shown for readers that know no objects.
    put(message, RTA_NH_ID, route.nexthop_id);
  } else if (has(route.other, RTA_MULTIPATH)) {
    // Put with `other`, where it says more than the legs do.
  } else if (route.next_hops.size() > 1) {
    put_legs(message, route);
  } else if (route.next_hops.size() == 1) {
    const NextHop& leg = route.next_hops.front();
    if (leg.link.value != 0) put(message, RTA_OIF, leg.link.value);
    if (leg.gateway) put_gateway(message, route.family(), *leg.gateway);
  }
}

void put_range(nlmsghdr* message, std::uint16_t type, const Range<std::uint16_t>& ports) {
  put(message, type, fib_rule_port_range{ports.first, ports.last});
}

}  // namespace

std::size_t encoded_bound(const Route& route) {
  return fixed_part + a_leg * route.next_hops.size() + size_of(route.other);
}

std::size_t encoded_bound(const Rule& rule) {
  return fixed_part + rule.iif.size() + rule.oif.size() + size_of(rule.other);
}

MessageBatch::MessageBatch() { room_.reserve(std::size_t{16} * 1024); }

void MessageBatch::clear() {
  used_ = 0;
  count_ = 0;
}

nlmsghdr* MessageBatch::start(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                              std::size_t at_most) {
  if (room_.size() < used_ + at_most) room_.resize(used_ + at_most + used_ / 2);
  nlmsghdr* message = mnl_nlmsg_put_header(room_.data() + used_);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  message->nlmsg_seq = sequence;
  return message;
}

void MessageBatch::finish(const nlmsghdr* message) {
  used_ += NLMSG_ALIGN(message->nlmsg_len);
  ++count_;
}

void MessageBatch::put_route(nlmsghdr* message, const Route& route) {
  auto& header = *static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  header.rtm_family = kernel_family(route.family());
  header.rtm_dst_len = route.dst.length;
  header.rtm_src_len = route.src ? route.src->length : std::uint8_t{0};
  header.rtm_tos = route.tos;
  header.rtm_table = header_table(route.table);
  header.rtm_protocol = route.protocol;
  header.rtm_scope = route.scope;
  header.rtm_type = static_cast<std::uint8_t>(route.type);
  header.rtm_flags = route.flags & settable_flags;
  // A lone leg keeps its flags in the header; legs of many have each their own.
  if (route.next_hops.size() == 1) {
    header.rtm_flags |= route.next_hops.front().flags & settable_flags;
  }
  if (route.dst.length != 0) put_ip(message, RTA_DST, route.dst.address);
  if (route.src && route.src->length != 0) put_ip(message, RTA_SRC, route.src->address);
  put(message, RTA_TABLE, route.table.value);
  if (route.metric != 0) put(message, RTA_PRIORITY, route.metric);
  if (route.prefsrc) put_ip(message, RTA_PREFSRC, *route.prefsrc);
  if (route.preference != 0) put(message, RTA_PREF, route.preference);
  put_next_hops(message, route);
  for (const RawAttribute& raw : route.other) {
    if (raw.type == RTA_MULTIPATH && route.nexthop_id != 0) continue;
    mnl_attr_put(message, raw.type, raw.data.size(), raw.data.data());
  }
}

void MessageBatch::add_route(const Route& route, std::uint32_t sequence) {
  nlmsghdr* message =
      start(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sequence, encoded_bound(route));
  put_route(message, route);
  finish(message);
}

void MessageBatch::append_route(const Route& route, std::uint32_t sequence) {
  nlmsghdr* message =
      start(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, sequence, encoded_bound(route));
  put_route(message, route);
  finish(message);
}

void MessageBatch::delete_route(const Route& route, std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_DELROUTE, 0, sequence, encoded_bound(route));
  put_route(message, route);
  finish(message);
}

void MessageBatch::put_rule(nlmsghdr* message, const Rule& rule) {
  auto& header =
      *static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message, sizeof(fib_rule_hdr)));
  header.family = kernel_family(rule.family);
  header.dst_len = rule.to ? rule.to->length : std::uint8_t{0};
  header.src_len = rule.from ? rule.from->length : std::uint8_t{0};
  header.tos = rule.tos;
  header.table = header_table(rule.table);
  header.action = static_cast<std::uint8_t>(rule.action);
  header.flags = rule.invert ? FIB_RULE_INVERT : 0U;
  put(message, FRA_PRIORITY, rule.priority);
  if (rule.to && rule.to->length != 0) put_ip(message, FRA_DST, rule.to->address);
  if (rule.from && rule.from->length != 0) put_ip(message, FRA_SRC, rule.from->address);
  if (!rule.iif.empty()) mnl_attr_put_strz(message, FRA_IIFNAME, rule.iif.c_str());
  if (!rule.oif.empty()) mnl_attr_put_strz(message, FRA_OIFNAME, rule.oif.c_str());
  if (rule.fwmark != 0 || rule.fwmask != 0) {
    put(message, FRA_FWMARK, rule.fwmark);
    put(message, FRA_FWMASK, rule.fwmask);
  }
  if (rule.dscp) put(message, fra_dscp, *rule.dscp);
  if (rule.dscp && rule.dscp_mask != 0x3f) put(message, fra_dscp_mask, rule.dscp_mask);
  if (rule.flowlabel != 0 || rule.flowlabel_mask != 0) {
    put(message, fra_flowlabel, swap_network(rule.flowlabel));
    put(message, fra_flowlabel_mask, swap_network(rule.flowlabel_mask));
  }
  if (rule.ip_proto != 0) put(message, FRA_IP_PROTO, rule.ip_proto);
  if (rule.sport) put_range(message, FRA_SPORT_RANGE, *rule.sport);
  if (rule.sport && rule.sport_mask != 0xffff) put(message, fra_sport_mask, rule.sport_mask);
  if (rule.dport) put_range(message, FRA_DPORT_RANGE, *rule.dport);
  if (rule.dport && rule.dport_mask != 0xffff) put(message, fra_dport_mask, rule.dport_mask);
  if (rule.uid) put(message, FRA_UID_RANGE, fib_rule_uid_range{rule.uid->first, rule.uid->last});
  if (rule.tun_id != 0) put(message, FRA_TUN_ID, swap_network(rule.tun_id));
  if (rule.l3mdev) put(message, FRA_L3MDEV, std::uint8_t{1});
  if (rule.table.value != 0) put(message, FRA_TABLE, rule.table.value);
  if (rule.action == RuleAction::goto_) put(message, FRA_GOTO, rule.goto_target);
  if (rule.suppress_prefixlength) {
    put(message, FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefixlength);
  }
  if (rule.suppress_ifgroup) put(message, FRA_SUPPRESS_IFGROUP, *rule.suppress_ifgroup);
  put(message, FRA_PROTOCOL, rule.protocol);
  for (const RawAttribute& raw : rule.other) {
    mnl_attr_put(message, raw.type, raw.data.size(), raw.data.data());
  }
}

void MessageBatch::add_rule(const Rule& rule, std::uint32_t sequence, Exclusive exclusive) {
  const int flags = NLM_F_CREATE | (exclusive == Exclusive::yes ? NLM_F_EXCL : 0);
  nlmsghdr* message =
      start(RTM_NEWRULE, static_cast<std::uint16_t>(flags), sequence, encoded_bound(rule));
  put_rule(message, rule);
  finish(message);
}

void MessageBatch::delete_rule(const Rule& rule, std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_DELRULE, 0, sequence, encoded_bound(rule));
  put_rule(message, rule);
  finish(message);
}

}  // namespace retour
