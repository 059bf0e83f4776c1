// SPDX-License-Identifier: Apache-2.0
//
// IPv6: which route of a prefix, and which of its legs. Every
// expectation here was measured on a kernel (6.18): RTM_GETROUTE on a host built alike.
#include "fib6_fixture.h"

namespace retour {
namespace {

using testing::insert6;
using testing::ip;
using testing::links_of;
using testing::nud_failed;
using testing::prefix;
using testing::route6;
using testing::rule6;
using testing::set_neighbor;
using testing::to;
using testing::via6;

using Fib6PathsTest = testing::Fib6Host;

TEST_F(Fib6PathsTest, GatewaysThatDoNotAnswer) {
  add(via6("fd00:a::/64", e0, "fd00:1::fe", 10));
  add(via6("fd00:a::/64", e1, "fd00:1::fd", 20));
  Route high = via6("fd00:a::/64", e2, "fd00:2::fe", 30);
  high.preference = 1;
  add(high);
  add(via6("fd00:a::/48", e2, "fd00:2::fd"));
  EXPECT_EQ(output(to("fd00:a::1")).link, e0);
  set_neighbor(host, e0, "fd00:1::fe", nud_failed);
  EXPECT_EQ(output(to("fd00:a::1")).gateway, ip("fd00:2::fe"))
      << "above the lowest metric the best of all, whatever its metric";
  set_neighbor(host, e2, "fd00:2::fe", nud_failed);
  EXPECT_EQ(output(to("fd00:a::1")).link, e1);
  set_neighbor(host, e1, "fd00:1::fd", nud_failed);
  EXPECT_EQ(output(to("fd00:a::1")).gateway, ip("fd00:2::fd")) << "rather a shorter prefix";
  EXPECT_EQ(output(to("fd00:a::1"), e1).gateway, ip("fd00:1::fd")) << "if there is no other";
  set_neighbor(host, e2, "fd00:2::fd", nud_failed);
  EXPECT_EQ(output(to("fd00:a::1")).gateway, ip("fd00:1::fe")) << "all the same";
  EXPECT_EQ(forward(to("fd00:a::1"), e2).gateway, ip("fd00:1::fe"));
  host.neighbors.pop_back();
  set_all(Conf6::forwarding, 1);
  EXPECT_EQ(output(to("fd00:a::1")).gateway, ip("fd00:1::fe")) << "a router does not ask";
}

TEST_F(Fib6PathsTest, PreferenceIsMoreThanTheLink) {
  Route high = via6("::/0", e0, "fd00:1::fe");
  high.preference = 1;
  Route low = via6("::/0", e2, "fd00:2::fe");
  low.preference = 3;
  add(low);
  add(high);
  EXPECT_EQ(output(to("fd00:9::1")).link, e0);
  EXPECT_EQ(output(to("fd00:9::1", "fd00:2::1"), e2).link, e0);
  EXPECT_EQ(output(to("fd00:9::1"), e2).link, e2) << "with no source the link is a must";
}

TEST_F(Fib6PathsTest, Expired) {
  Route gone = route6("fd00:a::/64", e1);
  gone.expired = true;
  add(gone);
  add(route6("fd00:a::/64", e0, 2000));
  EXPECT_EQ(output(to("fd00:a::1")).link, e0);
}

TEST_F(Fib6PathsTest, LinkdownAndDead) {
  Route down = route6("fd00:a::/64", e1);
  down.next_hops.front().flags = 16;
  add(down);
  add(route6("fd00:a::/64", e0, 2000));
  EXPECT_EQ(output(to("fd00:a::1")).link, e1);
  host.routes[host.routes.size() - 2].next_hops.front().flags = 17;
  EXPECT_EQ(output(to("fd00:a::1")).link, e0) << "dead until it comes up with a carrier";
  host.routes[host.routes.size() - 2].next_hops.front().flags = 16;
  set_all(Conf6::ignore_routes_with_linkdown, 1);
  EXPECT_EQ(output(to("fd00:a::1")).link, e1) << "all alone says nothing";
  link(e1).conf6.set(Conf6::ignore_routes_with_linkdown, 1);
  EXPECT_EQ(output(to("fd00:a::1")).link, e0);
}

TEST_F(Fib6PathsTest, ASuppressedGroupSeesTheLegThatWasTaken) {
  Route both = via6("fd00:7::/64", e0, "fd00:1::fe");
  both.next_hops.push_back({e1, ip("fd00:1::fd"), 0, 1});
  both.table = TableId{77};
  add(both);
  Rule rule = rule6(3, TableId{77});
  rule.suppress_ifgroup = 5;
  insert6(host, rule);
  link(e1).group = 5;
  const Lookup lookup = output(to("fd00:7::1"));
  EXPECT_EQ(lookup.link, e0);
  EXPECT_EQ(lookup.candidates.size(), 1U);
  EXPECT_EQ(lookup.or_errnum, ENETUNREACH) << "when the hash is for the other leg";
}

TEST_F(Fib6PathsTest, SourceSpecificRoutes) {
  add(route6("fd00:a::/64", e0));
  Route special = route6("fd00:a::/64", e1);
  special.src = prefix("fd00:1::/64");
  add(special);
  add(route6("::/0", e2));
  EXPECT_EQ(output(to("fd00:a::1", "fd00:1::1")).link, e1);
  EXPECT_EQ(output(to("fd00:a::1", "fd00:2::1")).link, e2) << "the plain one is not looked at";
  EXPECT_EQ(output(to("fd00:a::1")).link, e2);
  Route preferred = route6("::/0", e1);
  preferred.src = prefix("fd00:1::/64");
  add(preferred);
  EXPECT_EQ(output(to("fd00:9::1", "fd00:1::1")).link, e1);
  EXPECT_EQ(output(to("fd00:9::1", "fd00:2::1")).link, e2) << "but for default routes";
  EXPECT_EQ(output(to("fd00:a::1", "fd00:1::1"), e0).link, e1);
  EXPECT_EQ(forward(to("fd00:a::1", "fd00:1::9"), e0).link, e1);
}

TEST_F(Fib6PathsTest, AfterALongerPrefixThePlainRouteIsLookedAt) {
  add(route6("fd00:a::/64", e0));
  Route special = route6("fd00:a::/64", e1);
  special.src = prefix("fd00:1::/64");
  add(special);
  add(route6("fd00:a::/80", e1));
  Flow flow = to("fd00:a::1");
  EXPECT_EQ(output(flow, e0).link, e0) << "/80 has not the link, and coming back finds it";
}

TEST_F(Fib6PathsTest, WhatThePrefixForgets) {
  Route special = route6("fd00:a::/64", e1);
  special.src = prefix("fd00:1::/64");
  add(special);
  EXPECT_EQ(output(to("fd00:a::1", "fd00:1::1")).candidates.size(), 1U);
  add(route6("fd00:a:0:0:1::/80", e0));
  const Lookup lookup = output(to("fd00:a::1", "fd00:1::1"));
  EXPECT_EQ(lookup.link, e1);
  EXPECT_EQ(lookup.or_errnum, ENETUNREACH) << "if a route for every source was deleted there";
}

TEST_F(Fib6PathsTest, MultipathIsASet) {
  Route three = via6("fd00:a::/64", e0, "fd00:1::fe");
  three.next_hops.push_back({e1, ip("fd00:1::fd"), 0, 3});
  three.next_hops.push_back({e2, ip("fd00:2::fe"), 0, 1});
  add(three);
  const std::set<IfIndex> all{e0, e1, e2};
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), all);
  EXPECT_EQ(links_of(output(to("fd00:a::1", "fd00:2::1"))), all) << "no leg wins by the source";
  EXPECT_EQ(links_of(output(to("fd00:a::1", "fd00:2::1"), e1)), all) << "nor by the link";
  EXPECT_EQ(links_of(output(to("fd00:a::1"), e1)), std::set<IfIndex>{e1});
  EXPECT_EQ(links_of(forward(to("fd00:a::1"), e1)), all);
  for (const Way& way : output(to("fd00:a::1")).candidates) {
    const auto own = way.link == e0 ? "fd00:1::1" : way.link == e1 ? "fd00:1::2" : "fd00:2::1";
    EXPECT_EQ(way.source, ip(own));
  }
  set_neighbor(host, e0, "fd00:1::fe", nud_failed);
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), (std::set<IfIndex>{e1, e2}));
  Route& route = host.routes.back();
  route.next_hops[1].flags = 16;
  link(e1).conf6.set(Conf6::ignore_routes_with_linkdown, 1);
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), (std::set<IfIndex>{e1, e2}))
      << "as the sysctl was when the shares were set";
  route.next_hops[1].flags = 17;
  link(e1).flags = 0x1002;
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), std::set<IfIndex>{e2});
}

TEST_F(Fib6PathsTest, NexthopGroupsLookAtNeighboursAndNotAtTheLink) {
  host.nexthops = {{1, Family::v6, {e0, ip("fd00:1::fe"), 0, 1}, false, {}, 0, {}},
                   {2, Family::v6, {e2, ip("fd00:2::fe"), 0, 1}, false, {}, 0, {}},
                   {10, Family::v6, {}, false, {{1, 1}, {2, 1}}, 0, {}}};
  Route grouped = route6("fd00:a::/64", {});
  grouped.nexthop_id = 10;
  add(grouped);
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), (std::set<IfIndex>{e0, e2}));
  EXPECT_EQ(links_of(output(to("fd00:a::1"), e2)), (std::set<IfIndex>{e0, e2}));
  EXPECT_EQ(output(to("fd00:a::1"), e1).errnum, ENETUNREACH);
  for (const Way& way : output(to("fd00:a::1")).candidates) {
    EXPECT_EQ(way.source, ip("fd00:1::1")) << "by the first member, whichever is taken";
  }
  set_neighbor(host, e0, "fd00:1::fe", nud_failed);
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), std::set<IfIndex>{e2});
  set_neighbor(host, e2, "fd00:2::fe", nud_failed);
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), std::set<IfIndex>{e0}) << "none is good: the first";
}

TEST_F(Fib6PathsTest, RoutesThatShareANexthopObjectShareTheirSource) {
  host.nexthops = {{1, Family::v6, {e0, ip("fd00:1::fe"), 0, 1}, false, {}, 0, {}}};
  Route one = route6("fd00:a::/64", {});
  one.nexthop_id = 1;
  Route other = route6("fd00:b::/64", {});
  other.nexthop_id = 1;
  other.prefsrc = ip("fd00:2::1");
  add(one);
  EXPECT_EQ(output(to("fd00:a::1")).candidates.size(), 1U);
  add(other);
  const Lookup lookup = output(to("fd00:a::1"));
  EXPECT_EQ(lookup.source, ip("fd00:1::1"));
  ASSERT_EQ(lookup.candidates.size(), 2U);
  EXPECT_EQ(lookup.candidates[1].source, ip("fd00:2::1"));
}

}  // namespace
}  // namespace retour
