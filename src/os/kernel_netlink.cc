// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_netlink.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_addrlabel.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "model/sources6.h"
#include "os/kernel_ask.h"
#include "os/kernel_decode.h"
#include "os/kernel_hidden.h"

namespace retour {
namespace {

constexpr int tries = 10;

constexpr std::uint32_t group(unsigned number) { return 1U << (number - 1U); }
constexpr std::uint32_t watched_groups = group(RTNLGRP_LINK) | group(RTNLGRP_IPV4_IFADDR) |
                                         group(RTNLGRP_IPV6_IFADDR) | group(RTNLGRP_IPV4_ROUTE) |
                                         group(RTNLGRP_IPV6_ROUTE) | group(RTNLGRP_IPV4_RULE) |
                                         group(RTNLGRP_IPV6_RULE) | group(RTNLGRP_NEXTHOP);

constexpr std::uint32_t filter_skip_stats = 1U << 3U;  // RTEXT_FILTER_SKIP_STATS

/// One dump into one vector of the snapshot; `request` has its fixed header already.
template <class Object>
Result<bool> dump(NetlinkSocket& socket, NetlinkRequest& request, std::string_view doing,
                  bool (*decode)(const NetlinkMessage&, std::vector<Object>&),
                  std::vector<Object>& out) {
  const auto dumped = socket.dump(
      request, doing, [&](const NetlinkMessage& message) { return decode(message, out); });
  if (!dumped) return fail(dumped.error());
  return *dumped == Dumped::whole;
}

/// AF_UNSPEC asks for every family: a kernel without IPv6 answers an AF_INET6 request with IPv4.
template <class Header, class Object>
Result<bool> dump_all(NetlinkSocket& socket, std::uint16_t type, std::string_view doing,
                      bool (*decode)(const NetlinkMessage&, std::vector<Object>&),
                      std::vector<Object>& out) {
  NetlinkRequest request(type, 0);
  request.extra<Header>();
  return dump(socket, request, doing, decode, out);
}

Result<bool> dump_links(NetlinkSocket& socket, std::vector<Link>& links) {
  NetlinkRequest request(RTM_GETLINK, 0);
  request.extra<ifinfomsg>();
  mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, filter_skip_stats);
  auto whole = dump(socket, request, "read links", decode_link, links);
  // Kernels before 6.9 dump by hash.
  if (!std::ranges::is_sorted(links, {}, &Link::index)) std::ranges::sort(links, {}, &Link::index);
  return whole;
}

Result<bool> dump_rules(NetlinkSocket& socket, std::vector<Rule>& rules) {
  auto whole = dump_all<fib_rule_hdr>(socket, RTM_GETRULE, "read rules", decode_rule, rules);
  // The kernel gives the families in the order their modules came up.
  const auto v4 = [](const Rule& rule) { return rule.family == Family::v4; };
  if (!std::ranges::is_partitioned(rules, v4)) {
    std::stable_partition(rules.begin(), rules.end(), v4);
  }
  return whole;
}

Result<bool> dump_proxies(NetlinkSocket& socket, std::vector<Neighbor>& neighbors) {
  NetlinkRequest request(RTM_GETNEIGH, 0);
  request.extra<ndmsg>().ndm_flags = NTF_PROXY;
  return dump(socket, request, "read proxy neighbours", decode_neighbor, neighbors);
}

Result<bool> dump_nexthops(NetlinkSocket& socket, std::vector<NextHopObject>& nexthops) {
  auto whole =
      dump_all<nhmsg>(socket, RTM_GETNEXTHOP, "read nexthop objects", decode_nexthop, nexthops);
  if (!whole && whole.error().errnum == EOPNOTSUPP) return true;  // before 5.3 there are none
  return whole;
}

Result<bool> dump_groups(NetlinkSocket& socket, std::optional<std::vector<Membership>>& groups) {
  NetlinkRequest request(RTM_GETMULTICAST, 0);
  request.extra<ifaddrmsg>().ifa_family = kernel_family(Family::v4);
  std::vector<Membership> joined;
  auto whole = dump(socket, request, "read multicast groups", decode_group, joined);
  if (!whole) return true;
  groups = std::move(joined);
  return whole;
}

/// Left out of the snapshot while it is what every namespace starts with.
Result<bool> dump_address_labels(NetlinkSocket& socket,
                                 std::optional<std::vector<AddressLabel>>& out) {
  NetlinkRequest request(RTM_GETADDRLABEL, 0);
  request.extra<ifaddrlblmsg>().ifal_family = AF_INET6;
  std::vector<AddressLabel> labels;
  auto whole = dump(socket, request, "read address labels", decode_address_label, labels);
  // A kernel without IPv6 has none.
  if (!whole && whole.error().errnum == EOPNOTSUPP) return true;
  if (whole && labels != kernel_address_labels()) out = std::move(labels);
  return whole;
}

}  // namespace

NetlinkKernel::NetlinkKernel(NetlinkSocket requests, NetlinkSocket events, std::string etc_iproute2)
    : requests_(std::move(requests)), events_(std::move(events)), names_(std::move(etc_iproute2)) {}

Result<std::unique_ptr<NetlinkKernel>> NetlinkKernel::open(std::string etc_iproute2) {
  auto requests = NetlinkSocket::open();
  if (!requests) return fail(requests.error());
  auto events = NetlinkSocket::open();
  if (!events) return fail(events.error());
  return std::unique_ptr<NetlinkKernel>(
      new NetlinkKernel(std::move(*requests), std::move(*events), std::move(etc_iproute2)));
}

Result<Snapshot> NetlinkKernel::snapshot() {
  if (auto subscribed = events_.subscribe(watched_groups); !subscribed) {
    return fail(subscribed.error());
  }
  auto snapshot = read_until_still();
  // Nobody listens between snapshots: an idle subscription would overflow, and slows every change.
  static_cast<void>(events_.subscribe(0));
  static_cast<void>(events_.drain());
  if (snapshot) read_rest(*snapshot);
  return snapshot;
}

Result<std::vector<Answer>> NetlinkKernel::ask(std::span<const Flow> flows) {
  return ask_kernel(requests_, flows);
}

Result<Snapshot> NetlinkKernel::read_until_still() {
  for (int attempt = 0; attempt < tries; ++attempt) {
    // At once while it may have been a single event, then with pauses that together outlast a
    // network manager's rearranging of the host.
    if (attempt > 2) std::this_thread::sleep_for(std::chrono::milliseconds(1 << (attempt - 3)));
    if (const auto before = events_.drain(); !before) return fail(before.error());
    Snapshot snapshot;
    const auto read = read_once(snapshot);
    if (!read) return fail(read.error());
    if (*read == Stillness::still) return snapshot;
  }
  return fail({ErrorKind::changed, 0, "read the host", "the host keeps changing while being read",
               "something changes links, addresses, routes or rules all the time; `ip monitor` "
               "shows what"});
}

Result<NetlinkKernel::Stillness> NetlinkKernel::read_once(Snapshot& into) {
  into.links.reserve(links_);
  into.addresses.reserve(addresses_);
  into.neighbors.reserve(neighbors_);
  into.routes.reserve(routes_);
  into.rules.reserve(rules_);
  bool whole = true;
  const auto failed = [&whole](const Result<bool>& dumped) {
    whole = whole && dumped.value_or(false);
    return !dumped;
  };
  NetlinkSocket& socket = requests_;
  Result<bool> dumped;
  dumped = dump_rules(socket, into.rules);
  if (failed(dumped)) return fail(dumped.error());
  dumped = dump_all<rtmsg>(socket, RTM_GETROUTE, "read routes", decode_route, into.routes);
  if (failed(dumped)) return fail(dumped.error());
  dumped = dump_nexthops(socket, into.nexthops);
  if (failed(dumped)) return fail(dumped.error());
  dumped =
      dump_all<ifaddrmsg>(socket, RTM_GETADDR, "read addresses", decode_address, into.addresses);
  if (failed(dumped)) return fail(dumped.error());
  dumped =
      dump_all<ndmsg>(socket, RTM_GETNEIGH, "read neighbours", decode_neighbor, into.neighbors);
  if (failed(dumped)) return fail(dumped.error());
  dumped = dump_proxies(socket, into.neighbors);
  if (failed(dumped)) return fail(dumped.error());
  dumped = dump_groups(socket, into.groups);
  if (failed(dumped)) return fail(dumped.error());
  dumped = dump_address_labels(socket, into.address_labels);
  if (failed(dumped)) return fail(dumped.error());
  // Last, because it alone waits for the kernel's big lock: a change that was under way during the
  // dumps above, half of it visible, has sent its event by the time this returns.
  dumped = dump_links(socket, into.links);
  if (failed(dumped)) return fail(dumped.error());
  read_conf(into);
  read_hidden(socket, into);
  const auto moved = events_.drain();
  if (!moved) return fail(moved.error());
  links_ = into.links.size();
  addresses_ = into.addresses.size();
  neighbors_ = into.neighbors.size();
  routes_ = into.routes.size();
  rules_ = into.rules.size();
  return *moved || !whole ? Stillness::moved : Stillness::still;
}

void NetlinkKernel::read_conf(Snapshot& into) {
  if (auto all = conf_.read_all()) {
    into.conf_all = *all;
  } else {
    into.notes.push_back(
        fmt::format("the sysctls of `all` are unknown: {}", all.error().message()));
  }
  // Without IPv6 there are none, and nothing asks for them.
  if (auto all = conf_.read_all6()) into.conf6_all = *all;
}

void NetlinkKernel::read_rest(Snapshot& into) {
  utsname host{};
  if (uname(&host) == 0) {
    into.host = host.nodename;
    into.kernel = host.release;
  }
  into.source = "netlink";
  drivers_.read(into.links);
  // Kernels before 6.15 do not tell the groups of IPv4, and answer with those of IPv6.
  if (into.release() < Release{6, 15}) into.groups.reset();
  const TableNamesRead& names = names_.read();
  into.table_names = names.names;
  into.notes.insert(into.notes.end(), names.notes.begin(), names.notes.end());
}

}  // namespace retour
