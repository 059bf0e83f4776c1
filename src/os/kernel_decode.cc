// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_decode.h"

#include <linux/if_addr.h>
#include <linux/if_addrlabel.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "os/kernel_words.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

namespace retour {
namespace {

/// `first` is the DEVCONF number of the first value in the array.
template <class Table, class Values>
bool decode_conf(Bytes array, const Table& table, unsigned first, Values& conf) {
  for (const auto& about : table) {
    // An older kernel knows fewer; the value is unknown then.
    const std::size_t offset = (about.devconf - first) * sizeof(std::int32_t);
    if (offset >= array.size()) continue;
    std::int32_t value = 0;
    if (!take(array.subspan(offset), value)) return false;
    conf.set(about.conf, value);
  }
  return true;
}

bool decode_af_spec(Bytes data, Link& link) {
  bool sound = true;
  sound &= each_attribute(data, [&](std::uint16_t family, Bytes of_family) {
    if (family != AF_INET && family != AF_INET6) return;
    sound &= each_attribute(of_family, [&](std::uint16_t type, Bytes array) {
      if (family == AF_INET && type == IFLA_INET_CONF) {
        sound &= decode_conf(array, conf_table(), 1, link.conf);
      }
      if (family == AF_INET6 && type == IFLA_INET6_CONF) {
        sound &= decode_conf(array, conf6_table(), 0, link.conf6);
      }
    });
  });
  return sound;
}

}  // namespace

std::optional<Family> family_of(std::uint8_t kernel_family) {
  if (kernel_family == AF_INET) return Family::v4;
  if (kernel_family == AF_INET6) return Family::v6;
  return std::nullopt;
}

std::uint8_t kernel_family(Family family) { return family == Family::v4 ? AF_INET : AF_INET6; }

bool take_ip(Bytes data, std::optional<Ip>& out) {
  out = Ip::from_bytes(data);
  return out.has_value();
}

bool decode_link(const NetlinkMessage& message, std::vector<Link>& links) {
  ifinfomsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  if (message.type != RTM_NEWLINK || header.ifi_family != AF_UNSPEC) return true;
  Link& link = links.emplace_back();
  link.index.value = static_cast<std::uint32_t>(header.ifi_index);
  link.flags = header.ifi_flags;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = text_of(data);
        break;
      case IFLA_ADDRESS:
        link.mac = copy_of(data);
        break;
      case IFLA_MTU:
        sound &= take(data, link.mtu);
        break;
      case IFLA_GROUP:
        sound &= take(data, link.group);
        break;
      case IFLA_MASTER:
        sound &= take(data, link.master.value);
        break;
      case IFLA_LINKINFO:
        sound &= each_attribute(data, [&](std::uint16_t inner, Bytes value) {
          if (inner == IFLA_INFO_KIND) link.kind = text_of(value);
        });
        break;
      case IFLA_AF_SPEC:
        sound &= decode_af_spec(data, link);
        break;
      default:
        break;
    }
  });
  return sound && !link.name.empty();
}

bool decode_address(const NetlinkMessage& message, std::vector<Address>& addresses) {
  ifaddrmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  const auto family = family_of(header.ifa_family);
  if (message.type != RTM_NEWADDR || !family) return true;
  if (header.ifa_prefixlen > width(*family)) return false;
  Address& address = addresses.emplace_back();
  address.link.value = header.ifa_index;
  address.scope = header.ifa_scope;
  address.flags = header.ifa_flags;
  std::optional<Ip> local;
  std::optional<Ip> other_end;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    switch (type) {
      case IFA_LOCAL:
        sound &= take_ip(data, local);
        break;
      case IFA_ADDRESS:
        sound &= take_ip(data, other_end);
        break;
      case IFA_BROADCAST:
        sound &= take_ip(data, address.broadcast);
        break;
      case IFA_LABEL:
        address.label = text_of(data);
        break;
      case IFA_FLAGS:
        sound &= take(data, address.flags);
        break;
      case IFA_RT_PRIORITY:
        sound &= take(data, address.metric);
        break;
      case IFA_PROTO:
        sound &= take(data, address.protocol);
        break;
      default:
        break;
    }
  });
  // IPv6 has IFA_LOCAL only where there is a peer, IPv4 always.
  if (!local) local = other_end;
  if (!sound || !local || local->family() != *family) return false;
  address.local = {*local, header.ifa_prefixlen};
  if (other_end && *other_end != *local) address.peer = other_end;
  return true;
}

bool decode_group(const NetlinkMessage& message, std::vector<Membership>& groups) {
  ifaddrmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  // Kernels that keep IPv4 groups to themselves answer with those of IPv6.
  if (message.type != RTM_GETMULTICAST || family_of(header.ifa_family) != Family::v4) return true;
  std::optional<Ip> group;
  const bool sound = each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    if (type == IFA_MULTICAST && !take_ip(data, group)) group.reset();
  });
  if (!sound || !group) return false;
  groups.push_back({IfIndex{header.ifa_index}, *group});
  return true;
}

bool decode_neighbor(const NetlinkMessage& message, std::vector<Neighbor>& neighbors) {
  ndmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  if (message.type != RTM_NEWNEIGH || !family_of(header.ndm_family)) return true;
  Neighbor& neighbor = neighbors.emplace_back();
  neighbor.link.value = static_cast<std::uint32_t>(header.ndm_ifindex);
  neighbor.state = header.ndm_state;
  neighbor.flags = header.ndm_flags;
  std::optional<Ip> address;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    if (type == NDA_DST) sound &= take_ip(data, address);
    if (type == NDA_LLADDR) neighbor.mac = copy_of(data);
  });
  if (!sound || !address) return false;
  neighbor.address = *address;
  return true;
}

bool decode_address_label(const NetlinkMessage& message, std::vector<AddressLabel>& labels) {
  ifaddrlblmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  if (message.type != RTM_NEWADDRLABEL || header.ifal_family != AF_INET6) return true;
  if (header.ifal_prefixlen > width(Family::v6)) return false;
  AddressLabel& label = labels.emplace_back();
  label.link.value = header.ifal_index;
  std::optional<Ip> prefix;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    if (type == IFAL_ADDRESS) sound &= take_ip(data, prefix);
    if (type == IFAL_LABEL) sound &= take(data, label.label);
  });
  if (!sound || !prefix || prefix->is_v4()) return false;
  label.prefix = {*prefix, header.ifal_prefixlen};
  return true;
}

bool decode_nexthop(const NetlinkMessage& message, std::vector<NextHopObject>& nexthops) {
  nhmsg header{};
  Bytes attributes;
  if (!message.split(header, attributes)) return false;
  if (message.type != RTM_NEWNEXTHOP) return true;
  NextHopObject& nexthop = nexthops.emplace_back();
  // A group has no family of its own: AF_UNSPEC.
  nexthop.family = family_of(header.nh_family).value_or(Family::v4);
  nexthop.protocol = header.nh_protocol;
  nexthop.leg.flags = static_cast<std::uint8_t>(header.nh_flags);
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    switch (type) {
      case NHA_ID:
        sound &= take(data, nexthop.id);
        break;
      case NHA_OIF:
        sound &= take(data, nexthop.leg.link.value);
        break;
      case NHA_GATEWAY:
        sound &= take_ip(data, nexthop.leg.gateway);
        break;
      case NHA_BLACKHOLE:
        nexthop.blackhole = true;
        break;
      case NHA_GROUP:
        for (; data.size() >= sizeof(nexthop_grp); data = data.subspan(sizeof(nexthop_grp))) {
          nexthop_grp member{};
          sound &= take(data, member);
          // `resvd1` became the high byte of the weight in 6.12; zero before.
          const unsigned weight = member.weight + (unsigned{member.resvd1} << 8U) + 1U;
          nexthop.group.emplace_back(member.id, static_cast<std::uint16_t>(weight));
        }
        break;
      case NHA_GROUP_TYPE: {
        std::uint16_t kind = 0;
        sound &= take(data, kind);
        // A plain group says so only to kernels that know another kind.
        if (kind != NEXTHOP_GRP_TYPE_MPATH) nexthop.other.push_back({type, copy_of(data)});
        break;
      }
      case nha_op_flags:  // what the kernel can do, not what the object is
        break;
      default:
        nexthop.other.push_back({type, copy_of(data)});
    }
  });
  return sound;
}

}  // namespace retour
