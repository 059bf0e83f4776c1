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
using testing::reject6;
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

TEST_F(Fib6PathsTest, OfPrefixesInOneAnotherTheFirstMayBeForgotten) {
  Route wide = route6("fd00:a::/48", e0);
  wide.src = prefix("fd00:1::/64");
  Route narrow = route6("fd00:a::/64", e1);
  narrow.src = prefix("fd00:1::/64");
  add(wide);
  add(narrow);
  add(route6("fd00:a:0:0:1::/80", e0));
  add(route6("::/0", e2));
  const Flow flow = to("fd00:a::1", "fd00:1::1");
  const Lookup lookup = output(flow);
  EXPECT_EQ(links_of(lookup), (std::set<IfIndex>{e0, e1, e2}));
  EXPECT_EQ(lookup.forgotten, 0);
  const auto first = static_cast<std::uint32_t>(host.routes.size() - 4);
  using Outcomes = std::vector<Considered>;
  const auto considered = [&](const Flow& asked, std::uint8_t forgotten) {
    return Fib6(host).consider(table_main, asked, forgotten);
  };
  constexpr auto taken = RouteOutcome::taken;
  constexpr auto or_taken = RouteOutcome::or_taken;
  EXPECT_EQ(considered(flow, 0),
            (Outcomes{{first + 1, taken}, {first, or_taken}, {first + 3, or_taken}}));
  EXPECT_EQ(considered(flow, 1),
            (Outcomes{{first + 1, or_taken}, {first, taken}, {first + 3, or_taken}}));
  EXPECT_EQ(considered(flow, 2),
            (Outcomes{{first + 1, or_taken}, {first, or_taken}, {first + 3, taken}}));
  const Flow other = to("fd00:a::1", "fd00:2::1");
  EXPECT_EQ(considered(other, 2), (Outcomes{{first + 1, RouteOutcome::other_source},
                                            {first, RouteOutcome::other_source},
                                            {first + 3, taken}}))
      << "no source is looked for in vain";
}

TEST_F(Fib6PathsTest, TheStepsOfAnAnswerSayWhatTheyTakeToBeForgotten) {
  Route special = reject6("fd00:a::/64", RouteType::prohibit);
  special.src = prefix("fd00:1::/64");
  add(special);
  add(route6("fd00:a:0:0:1::/80", e0));
  const Lookup refused = output(to("fd00:a::1", "fd00:1::1"));
  EXPECT_EQ(refused.errnum, EACCES) << "of two errors the likelier";
  EXPECT_EQ(refused.or_errnum, ENETUNREACH);
  EXPECT_EQ(refused.forgotten, 0);
  add(route6("::/0", e2));
  const Lookup sent = output(to("fd00:a::1", "fd00:1::1"));
  EXPECT_EQ(sent.link, e2);
  EXPECT_EQ(sent.or_errnum, EACCES);
  EXPECT_EQ(sent.forgotten, 1);
}

TEST_F(Fib6PathsTest, EachTableDrawsALegOfItsOwn) {
  for (const std::uint32_t table : {77U, 78U}) {
    Route both = via6("fd00:7::/64", e0, "fd00:1::fe");
    both.next_hops.push_back({e1, ip("fd00:1::fd"), 0, static_cast<std::uint16_t>(table)});
    both.table = TableId{table};
    add(both);
    Rule rule = rule6(table, TableId{table});
    rule.suppress_ifgroup = table == 77 ? 5U : 0U;
    insert6(host, rule);
  }
  link(e1).group = 5;
  add(via6("fd00:7::/64", e2, "fd00:2::fe"));
  // The first leg is suppressed in 78, the second in 77; of one and the other both are.
  EXPECT_EQ(links_of(output(to("fd00:7::1"))), (std::set<IfIndex>{e0, e1, e2}));
}

TEST_F(Fib6PathsTest, SuppressedByTheLengthOfWhoeverUsedTheObjectFirst) {
  host.nexthops = {{30, Family::v6, {e0, ip("fd00:1::fe"), 0, 1}, false, {}, 0, {}}};
  Route narrow = route6("fd00:a::/48", {});
  narrow.nexthop_id = 30;
  add(narrow);
  Route tunnel = route6("::/0", e2);
  tunnel.table = TableId{77};
  add(tunnel);
  Rule first = rule6(100, table_main);
  first.suppress_prefixlength = 0;
  insert6(host, first);
  insert6(host, rule6(200, TableId{77}));
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), std::set<IfIndex>{e0});
  Route wide = route6("::/0", {});
  wide.nexthop_id = 30;
  add(wide);
  EXPECT_EQ(output(to("fd00:a::1")).link, e0) << "likeliest its own";
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), (std::set<IfIndex>{e0, e2}));
  EXPECT_EQ(output(to("fd00:b::1")).link, e2);
  EXPECT_EQ(links_of(output(to("fd00:b::1"))), (std::set<IfIndex>{e0, e2}));
  host.routes.back().nexthop_id = 0;
  host.routes.back().next_hops = {{e0, ip("fd00:1::fe"), 0, 1}};
  EXPECT_EQ(links_of(output(to("fd00:a::1"))), std::set<IfIndex>{e0}) << "legs of its own";
  EXPECT_EQ(links_of(output(to("fd00:b::1"))), std::set<IfIndex>{e2});
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
