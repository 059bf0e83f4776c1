// SPDX-License-Identifier: Apache-2.0
//
// Legs as a live dump shows them: fib_nexthop_info() says `dead`, too, of a leg without carrier
// while the sysctl says to ignore it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "hosts.h"
#include "model/fib.h"

namespace retour {
namespace {

// it.
TEST(Fib4Linkdown, WithoutTheSysctlALegWithoutCarrierIsNotDead) {
  Snapshot host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/24");
  const IfIndex e1 = testing::add_nic(host, "e1", "10.0.1.1/24");
  Route only = testing::route("192.0.2.0/24", e1);
  only.next_hops.front().flags = 17;
  host.routes.push_back(only);
  Link& down = *std::ranges::find(host.links, e1, &Link::index);
  down.flags = 0x1003;  // up, no carrier
  down.conf.set(Conf::ignore_routes_with_linkdown, 1);
  Flow flow;
  flow.dst = testing::ip("192.0.2.1");
  EXPECT_EQ(Fib(host).output(flow).errnum, ENETUNREACH);
  EXPECT_EQ(Fib(host).consider(table_main, flow).back().outcome, RouteOutcome::linkdown);
  down.conf.set(Conf::ignore_routes_with_linkdown, 0);
  EXPECT_EQ(Fib(host).output(flow).link, e1);
  const Snapshot with_address = host;
  std::erase_if(host.addresses, [&](const Address& address) { return address.link == e1; });
  EXPECT_EQ(Fib(host).output(flow).errnum, ENETUNREACH)
      << "when its last address goes a link has no living legs";
  host = with_address;
  std::ranges::find(host.links, e1, &Link::index)->flags = 0x1002;
  EXPECT_EQ(Fib(host).output(flow).errnum, ENETUNREACH) << "down";
}

}  // namespace
}  // namespace retour
