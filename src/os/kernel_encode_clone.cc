// SPDX-License-Identifier: Apache-2.0
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <algorithm>

#include "os/attributes.h"
#include "os/kernel_decode.h"
#include "os/kernel_encode.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

namespace retour {
namespace {

constexpr std::size_t fixed_part = 512;
constexpr std::size_t ethernet_address = 6;
constexpr std::uint32_t ifa_deprecated = 0x20;
constexpr std::uint32_t for_ever = 0xffffffffU;

bool ethernet(const std::vector<std::uint8_t>& mac) {
  const auto zero = [](std::uint8_t byte) { return byte == 0; };
  return mac.size() == ethernet_address && (mac.front() & 1U) == 0 &&
         !std::ranges::all_of(mac, zero);
}

ifaddrmsg& put_address_header(nlmsghdr* message, const Address& address) {
  auto& header = *static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
  header.ifa_family = kernel_family(address.local.family());
  header.ifa_prefixlen = address.local.length;
  header.ifa_scope = address.scope;
  header.ifa_index = address.link.value;
  put_ip(message, IFA_LOCAL, address.local.address);
  put_ip(message, IFA_ADDRESS, address.peer.value_or(address.local.address));
  return header;
}

}  // namespace

void MessageBatch::add_veth(const Link& link, IfIndex peer, const std::string& peer_name,
                            std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, fixed_part);
  auto& header = *static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  header.ifi_index = static_cast<int>(link.index.value);
  mnl_attr_put_strz(message, IFLA_IFNAME, link.name.c_str());
  if (ethernet(link.mac)) mnl_attr_put(message, IFLA_ADDRESS, link.mac.size(), link.mac.data());
  if (link.mtu != 0) put(message, IFLA_MTU, link.mtu);
  if (link.group != 0) put(message, IFLA_GROUP, link.group);
  nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  nlattr* other_end = mnl_attr_nest_start(message, VETH_INFO_PEER);
  auto* peer_header = static_cast<ifinfomsg*>(mnl_nlmsg_get_payload_tail(message));
  message->nlmsg_len += sizeof(*peer_header);
  *peer_header = {};
  peer_header->ifi_index = static_cast<int>(peer.value);
  mnl_attr_put_strz(message, IFLA_IFNAME, peer_name.c_str());
  for (nlattr* nest : {other_end, data, info}) mnl_attr_nest_end(message, nest);
  finish(message);
}

void MessageBatch::set_flags(IfIndex link, std::uint32_t flags, std::uint32_t mask,
                             std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_SETLINK, 0, sequence, fixed_part);
  auto& header = *static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  header.ifi_index = static_cast<int>(link.value);
  header.ifi_flags = flags & mask;
  header.ifi_change = mask;
  finish(message);
}

void MessageBatch::add_address(const Address& address, std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sequence, fixed_part);
  put_address_header(message, address);
  const bool v4 = address.local.family() == Family::v4;
  if (address.broadcast) put_ip(message, IFA_BROADCAST, *address.broadcast);
  if (v4 && !address.label.empty() && address.label.size() < IFNAMSIZ) {
    mnl_attr_put_strz(message, IFA_LABEL, address.label.c_str());
  }
  // On `lo` that route is a local one, and those are not the same when added by hand.
  const bool loopback = address.link == loopback_index;
  std::uint32_t flags = address.flags & (IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE);
  if (!loopback) flags |= IFA_F_NOPREFIXROUTE;
  if (!v4) flags |= IFA_F_NODAD;
  put(message, IFA_FLAGS, flags);
  if (address.metric != 0) put(message, IFA_RT_PRIORITY, address.metric);
  if (address.protocol != 0) put(message, IFA_PROTO, address.protocol);
  if ((address.flags & ifa_deprecated) != 0) {
    ifa_cacheinfo lifetime{};
    lifetime.ifa_prefered = 0;
    lifetime.ifa_valid = for_ever;
    put(message, IFA_CACHEINFO, lifetime);
  }
  finish(message);
}

void MessageBatch::delete_address(const Address& address, std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_DELADDR, 0, sequence, fixed_part);
  put_address_header(message, address);
  finish(message);
}

std::size_t encoded_bound(const NextHopObject& object) {
  std::size_t size = fixed_part + object.group.size() * sizeof(nexthop_grp);
  for (const RawAttribute& raw : object.other) size += raw.data.size() + 8;
  return size;
}

void MessageBatch::add_nexthop(const NextHopObject& object, std::uint32_t sequence) {
  nlmsghdr* message =
      start(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL, sequence, encoded_bound(object));
  auto& header = *static_cast<nhmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nhmsg)));
  const bool group = !object.group.empty();
  header.nh_family = group ? std::uint8_t{AF_UNSPEC} : kernel_family(object.family);
  header.nh_protocol = object.protocol;
  header.nh_flags = group ? 0U : object.leg.flags & RTNH_F_ONLINK;
  put(message, NHA_ID, object.id);
  if (group) {
    std::vector<nexthop_grp> members;
    for (const auto& [id, weight] : object.group) {
      nexthop_grp member{};
      member.id = id;
      member.weight = static_cast<std::uint8_t>((weight - 1U) & 0xffU);
      member.resvd1 = static_cast<std::uint8_t>((weight - 1U) >> 8U);
      members.push_back(member);
    }
    mnl_attr_put(message, NHA_GROUP, members.size() * sizeof(nexthop_grp), members.data());
  } else if (object.blackhole) {
    mnl_attr_put(message, NHA_BLACKHOLE, 0, nullptr);
  } else {
    if (object.leg.link.value != 0) put(message, NHA_OIF, object.leg.link.value);
    if (object.leg.gateway) put_ip(message, NHA_GATEWAY, *object.leg.gateway);
  }
  for (const RawAttribute& raw : object.other) {
    mnl_attr_put(message, raw.type, raw.data.size(), raw.data.data());
  }
  finish(message);
}

void MessageBatch::add_neighbor(const Neighbor& neighbor, std::uint32_t sequence) {
  nlmsghdr* message = start(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sequence, fixed_part);
  auto& header = *static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  header.ndm_family = kernel_family(neighbor.address.family());
  header.ndm_ifindex = static_cast<int>(neighbor.link.value);
  header.ndm_state = neighbor.valid() ? neighbor.state : std::uint16_t{NUD_FAILED};
  header.ndm_flags = neighbor.flags;
  put_ip(message, NDA_DST, neighbor.address);
  if (neighbor.valid()) {
    // Any Ethernet address will do: nothing is sent to it.
    static const std::vector<std::uint8_t> someone{2, 0, 0, 0, 0, 1};
    const auto& mac = ethernet(neighbor.mac) ? neighbor.mac : someone;
    mnl_attr_put(message, NDA_LLADDR, mac.size(), mac.data());
  }
  finish(message);
}

}  // namespace retour
