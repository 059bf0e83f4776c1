// SPDX-License-Identifier: Apache-2.0
//
// The cure on hosts where others have bridges, tunnels, gateways that move and rules of their own:
// what only looks shared is not touched, what is ours and out of date is found.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "diagnose/diagnose.h"
#include "hosts6.h"
#include "model/fib.h"
#include "plan/plan.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

Plan plan_for(const Snapshot& host) { return plan(host, {}, diagnose(host, {})); }

std::string refused(const Plan& plan) { return plan.refused.value_or("no"); }

Lookup ask(const Snapshot& host, const char* dst, const char* src) {
  Flow flow;
  flow.dst = ip(dst);
  flow.src = ip(src);
  return Fib(host).output(flow);
}

std::ptrdiff_t count(const Snapshot& host, const char* code) {
  return std::ranges::count(diagnose(host, {}).findings, code, &Finding::code);
}

TEST(PlanBesideOthers, ABridgeOfVirtualMachinesHasItsOwnWire) {
  Snapshot host = testing::bare_host();
  testing::add_nic(host, "eth0", "192.168.0.5/16");
  const IfIndex bridge = testing::add_nic(host, "virbr0", "192.168.122.1/24");
  host.links.back().kind = "bridge";
  testing::set_gates(host, 1, 1, 0);
  EXPECT_FALSE(plan_for(host).pending());
  // Measured, whatever the kinds: on one wire, or not.
  host.links.back().kind.clear();
  host.segments = std::vector<Segment>{{IfIndex{2}}, {bridge}};
  EXPECT_FALSE(plan_for(host).pending());
  host.segments = std::vector<Segment>{{IfIndex{2}, bridge}};
  EXPECT_TRUE(plan_for(host).pending());
}

TEST(PlanBesideOthers, TheFarEndOfATunnelIsNotOnTheWire) {
  Snapshot host = testing::grid_host(2);
  testing::set_gates(host, 1, 1, 0);
  const IfIndex tunnel = testing::add_nic(host, "ppp0", "10.0.0.99/32");
  host.links.back().flags |= 0x10U;  // IFF_POINTOPOINT
  host.addresses.back().peer = ip("10.0.0.200");
  host.routes.push_back(testing::route("10.0.0.200/32", tunnel));
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(cure.tables.size(), 2U);
  EXPECT_EQ(ask(cure.rehearsed, "10.0.0.200", "10.0.0.22").link, tunnel);
}

TEST(PlanBesideOthers, AGatewayThatSomeoneUsesInsideTheSubnetStays) {
  Snapshot host = testing::bare_host();
  testing::add_nic(host, "eth0", "10.0.0.5/16");
  testing::add_nic(host, "eth1", "10.0.0.6/16");
  testing::set_gates(host, 1, 1, 0);
  host.segments = std::vector<Segment>{{IfIndex{2}, IfIndex{3}}};
  host.routes.push_back(testing::via("10.0.50.0/24", IfIndex{2}, "10.0.0.77"));
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(ask(cure.rehearsed, "10.0.50.9", "10.0.0.6").gateway, ip("10.0.0.77"));
}

struct TwoDefaults : ::testing::Test {
  TwoDefaults() {
    a = testing::add_nic(host, "eth0", "192.168.1.5/24");
    b = testing::add_nic(host, "eth1", "192.168.2.5/24");
    host.routes.push_back(testing::via("0.0.0.0/0", a, "192.168.1.1", 100));
    host.routes.push_back(testing::via("0.0.0.0/0", b, "192.168.2.1", 200));
    testing::set_gates(host, 1, 1, 0);
  }
  Snapshot host = testing::bare_host();
  IfIndex a, b;
};

TEST_F(TwoDefaults, AGatewayThatMovedIsFoundAndTaken) {
  Snapshot cured = plan_for(host).rehearsed;
  ASSERT_EQ(ask(cured, "198.51.100.1", "192.168.2.5").gateway, ip("192.168.2.1"));
  for (Route& route : cured.routes) {
    if (!route.ours() && route.metric == 200) route.next_hops.front().gateway = ip("192.168.2.254");
  }
  EXPECT_EQ(count(cured, "stale-gateway"), 1);
  const Plan mend = plan_for(cured);
  ASSERT_FALSE(mend.refused) << refused(mend);
  EXPECT_EQ(ask(mend.rehearsed, "198.51.100.1", "192.168.2.5").gateway, ip("192.168.2.254"));
  EXPECT_EQ(count(mend.rehearsed, "stale-gateway"), 0);
}

TEST_F(TwoDefaults, ADefaultThatWentIsGivenUp) {
  Snapshot cured = plan_for(host).rehearsed;
  std::erase_if(cured.routes,
                [](const Route& route) { return !route.ours() && route.metric == 200; });
  EXPECT_GE(count(cured, "stale-gateway"), 1);
  const Plan mend = plan_for(cured);
  ASSERT_FALSE(mend.refused) << refused(mend);
  EXPECT_EQ(ask(mend.rehearsed, "198.51.100.1", "192.168.2.5").link, a);
}

TEST_F(TwoDefaults, AFullTunnelLeavesNobodyToAskAbout) {
  const IfIndex tunnel = testing::add_nic(host, "tun0", "10.8.0.5/24");
  host.links.back().flags |= 0x10U;
  host.routes.push_back(testing::via("0.0.0.0/1", tunnel, "10.8.0.1"));
  host.routes.push_back(testing::via("128.0.0.0/1", tunnel, "10.8.0.1"));
  for (const RoundTrip& trip : diagnose(host, {}).round_trips) {
    EXPECT_NE(trip.peer, ip("0.0.0.1"));
  }
}

TEST(PlanBesideOthers, LeftoverNamesGiveNoTwoNicsOneTable) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  host.table_names[TableId{200}] = "retour-eth1";
  host.table_names[TableId{201}] = "retour-eth2";
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  std::set<TableId> ids;
  for (const PlannedTable& table : cure.tables) ids.insert(table.id);
  EXPECT_EQ(ids.size(), 3U);
}

TEST(PlanBesideOthers, MoreGuardsThanFitTheirHundred) {
  Snapshot host = plan_for(testing::rails(49)).rehearsed;
  const Snapshot fifty = testing::rails(50);
  host.links.push_back(fifty.links.back());
  host.addresses.push_back(fifty.addresses.back());
  for (const Route& route : fifty.routes) {
    if (route.next_hops.front().link == fifty.links.back().index) host.routes.push_back(route);
  }
  const Plan more = plan_for(host);
  ASSERT_FALSE(more.refused) << refused(more);
  // rule_exists() does not compare targets: no jump may be added where an old one stands.
  for (const Change& change : more.changes) {
    const auto* add = std::get_if<AddRule>(&change.operation);
    if (add == nullptr || add->rule.action != RuleAction::goto_) continue;
    EXPECT_TRUE(std::ranges::none_of(host.rules, [&](const Rule& old) {
      return old.priority == add->rule.priority && old.to == add->rule.to;
    })) << add->rule.priority;
  }
  EXPECT_FALSE(plan_for(more.rehearsed).pending());
}

TEST(PlanBesideOthers, ANicWithoutCarrierKeepsWhatItHas) {
  Snapshot host = testing::grid_host(4);
  testing::set_gates(host, 1, 1, 0);
  host.routes.push_back(testing::via("0.0.0.0/0", IfIndex{2}, "10.0.0.1"));
  host.segments = std::vector<Segment>{{IfIndex{2}, IfIndex{3}, IfIndex{4}, IfIndex{5}}};
  Snapshot then = plan_for(host).rehearsed;
  then.links[4].flags &= ~0x10040U;  // IFF_LOWER_UP, IFF_RUNNING
  then.segments = std::vector<Segment>{{IfIndex{2}, IfIndex{3}, IfIndex{4}}};
  std::erase_if(then.routes, [](const Route& route) {
    return route.ours() && route.next_hops.front().link == IfIndex{3};
  });
  const Plan mend = plan_for(then);
  ASSERT_FALSE(mend.refused) << refused(mend);
  EXPECT_TRUE(std::ranges::all_of(mend.changes, [](const Change& change) {
    return std::holds_alternative<AddRoute>(change.operation);
  }));
}

TEST(PlanBesideOthers, AnAddressOfKeepalivedIsOneMoreOfItsSubnet) {
  Snapshot host = testing::grid_host(2);
  testing::set_gates(host, 1, 1, 0);
  Address floating;
  floating.link = IfIndex{3};
  floating.local = prefix("10.0.0.100/32");
  host.addresses.push_back(floating);
  Route local = testing::route("10.0.0.100/32", IfIndex{3}, table_local);
  local.type = RouteType::local;
  local.scope = scope_host;
  host.routes.push_back(local);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(ask(cure.rehearsed, "10.0.0.77", "10.0.0.100").link, IfIndex{3});
}

}  // namespace
}  // namespace retour
