// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "diagnose/diagnose.h"
#include "hosts.h"
#include "model/fib.h"
#include "model/round_trip.h"
#include "plan/numbers.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

Plan plan_for(const Snapshot& host) { return plan(host, {}, diagnose(host, {})); }

template <class Kind>
std::vector<Kind> of(const Plan& plan) {
  std::vector<Kind> list;
  for (const Change& change : plan.changes) {
    if (const auto* c = std::get_if<Kind>(&change.operation)) list.push_back(*c);
  }
  return list;
}

Lookup ask(const Snapshot& host, const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  if (src != nullptr) flow.src = ip(src);
  return Fib(host).output(flow);
}

struct PlanTest : ::testing::Test {
  PlanTest() { testing::set_gates(host, 1, 1, 0); }
  Snapshot host = testing::grid_host(8);
};

TEST_F(PlanTest, OneTableOneRuleOneRoutePerNicAndAGuard) {
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_EQ(cure.tables.size(), 8U);
  EXPECT_EQ(of<AddRoute>(cure).size(), 8U);
  EXPECT_EQ(of<AddRule>(cure).size(), 9U);
  EXPECT_TRUE(of<SetConf>(cure).empty()) << "strict gates need no sysctl";
  EXPECT_TRUE(cure.after.healthy());
  for (const AddRule& add : of<AddRule>(cure)) EXPECT_EQ(add.rule.protocol, protocol_retour);
  for (const AddRoute& add : of<AddRoute>(cure)) EXPECT_EQ(add.route.protocol, protocol_retour);
  EXPECT_EQ(cure.impact.changed.size(), 7U);
  EXPECT_TRUE(std::ranges::all_of(cure.impact.changed, &PathChange::expected));
}

TEST_F(PlanTest, HealthyHostsAreLeftAlone) {
  testing::cure_by_hand(host);
  EXPECT_FALSE(plan_for(host).pending());
  EXPECT_FALSE(plan_for(testing::bare_host()).pending());
}

TEST_F(PlanTest, ASecondPlanIsEmptyAndRemovalIsExact) {
  const Plan cure = plan_for(host);
  const Plan again = plan_for(cure.rehearsed);
  EXPECT_FALSE(again.pending());
  EXPECT_EQ(again.tables.size(), 8U);
  Snapshot gone = rehearse(cure.rehearsed, removal(cure.rehearsed));
  gone.hidden = host.hidden;  // that bit is sticky in the kernel, too
  EXPECT_EQ(gone, host);
}

TEST_F(PlanTest, EveryChangeHasItsInverse) {
  testing::set_gates(host, 0, 0, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(of<SetConf>(cure).empty());
  Snapshot now = rehearse(cure.rehearsed, inverses(cure.changes));
  now.hidden = host.hidden;
  EXPECT_EQ(now, host);
}

TEST_F(PlanTest, FluxNeedsArpIgnorePerDeviceNeverAll) {
  testing::set_gates(host, 0, 0, 0);
  const Plan cure = plan_for(host);
  const auto sysctls = of<SetConf>(cure);
  EXPECT_EQ(sysctls.size(), 8U);
  for (const SetConf& set : sysctls) {
    EXPECT_EQ(set.conf, Conf::arp_ignore);
    EXPECT_EQ(set.after, 1);
  }
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, WhereAllOverridesArpIgnoreArpFilterServes) {
  testing::set_gates(host, 0, 3, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(of<SetConf>(cure).empty());
  EXPECT_EQ(of<SetConf>(cure).front().conf, Conf::arp_filter);
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, APodThatComesLaterStillWins) {
  Snapshot cured = plan_for(host).rehearsed;
  cured.routes.push_back(testing::route("10.0.0.200/32", IfIndex{2}));
  EXPECT_EQ(ask(cured, "10.0.0.200", "10.0.0.25").link, IfIndex{2}) << "main's /32, not NIC 4";
  EXPECT_EQ(ask(cured, "10.0.0.201", "10.0.0.25").link, IfIndex{6});
}

TEST_F(PlanTest, UnboundTrafficIsNotTouched) {
  const Plan cure = plan_for(host);
  EXPECT_EQ(ask(cure.rehearsed, "10.0.0.201").link, ask(host, "10.0.0.201").link);
}

TEST_F(PlanTest, StandsBehindAMovedLocalRule) {
  host.rules.front().priority = 100;
  for (const AddRule& add : of<AddRule>(plan_for(host))) EXPECT_GT(add.rule.priority, 100U);
  host.rules.front().priority = 31500;
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused);
  for (const AddRule& add : of<AddRule>(cure)) {
    EXPECT_GT(add.rule.priority, 31500U);
    EXPECT_LT(add.rule.priority, 32766U);
  }
  host.rules.front().priority = 32700;
  EXPECT_TRUE(plan_for(host).refused) << "no room";
}

TEST_F(PlanTest, ForeignTablesNamesAndPrioritiesAreNotShared) {
  host.routes.push_back(testing::route("192.0.2.0/24", IfIndex{2}, TableId{200}));
  host.table_names[TableId{201}] = "someone";
  Rule foreign = testing::rule(31103, TableId{202});
  foreign.fwmark = 1;
  foreign.fwmask = 1;
  host.rules.insert(host.rules.begin() + 1, foreign);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  std::set<std::uint32_t> ids;
  for (const PlannedTable& table : cure.tables) ids.insert(table.id.value);
  EXPECT_FALSE(ids.contains(200) || ids.contains(201) || ids.contains(202));
  for (const AddRule& add : of<AddRule>(cure)) EXPECT_NE(add.rule.priority, 31103U);
}

TEST_F(PlanTest, SomeoneElsesPolicyIsNotOverridden) {
  Rule foreign = testing::rule(32000, TableId{77});
  foreign.to = prefix("10.0.0.128/25");
  host.rules.insert(host.rules.begin() + 1, foreign);
  host.routes.push_back(testing::route("10.0.0.128/25", IfIndex{3}, TableId{77}));
  host.hidden.custom_rules_v4 = true;
  const Plan cure = plan_for(host);
  ASSERT_TRUE(cure.refused);
  EXPECT_NE(cure.refused->find("other traffic"), std::string::npos);
}

TEST_F(PlanTest, PolicyByUserPortOrMarkIsSeenToo) {
  for (const int kind : {0, 1, 2, 3}) {
    SCOPED_TRACE(kind);
    Snapshot with = host;
    Rule foreign = testing::rule(32000, TableId{77});
    if (kind == 0) foreign.uid = Range<std::uint32_t>{1000, 1000};
    if (kind == 1) foreign.ip_proto = 6;
    if (kind == 2) foreign.tos = 0x10;
    if (kind == 3) foreign.fwmark = foreign.fwmask = 0x77;
    with.rules.insert(with.rules.begin() + 1, foreign);
    with.routes.push_back(testing::route("0.0.0.0/0", IfIndex{3}, TableId{77}));
    with.hidden.custom_rules_v4 = true;
    EXPECT_TRUE(plan_for(with).refused);
  }
}

TEST_F(PlanTest, ForwardedPacketsAreSeenToo) {
  Rule foreign = testing::rule(32000, TableId{77});
  foreign.iif = "eth7";
  host.rules.insert(host.rules.begin() + 1, foreign);
  host.routes.push_back(testing::route("0.0.0.0/0", IfIndex{3}, TableId{77}));
  host.routes.push_back(testing::route("10.0.0.200/32", IfIndex{2}));
  host.hidden.custom_rules_v4 = true;
  testing::set_gates(host, 0, 1, 0);
  EXPECT_FALSE(plan_for(host).refused) << "nothing is forwarded";
  for (Link& link : host.links) link.conf.set(Conf::forwarding, 1);
  EXPECT_TRUE(plan_for(host).refused) << "the guard would take 10.0.0.200 from rule 32000";
}

TEST_F(PlanTest, ARuleInTheWayIsNamed) {
  Rule foreign = testing::rule(100, table_main);
  foreign.from = prefix("10.0.0.23");
  host.rules.insert(host.rules.begin() + 1, foreign);
  const Plan cure = plan_for(host);
  ASSERT_TRUE(cure.refused);
  EXPECT_NE(cure.refused->find("rule 100"), std::string::npos) << *cure.refused;
}

TEST_F(PlanTest, SecondariesGetARuleAndShareTheTable) {
  Address second = host.addresses[3];
  second.local = prefix("10.0.0.124/24");
  second.flags = 1;
  host.addresses.insert(host.addresses.begin() + 4, second);
  Route local = testing::route("10.0.0.124/32", second.link, table_local);
  local.type = RouteType::local;
  host.routes.push_back(local);
  const Plan cure = plan_for(host);
  EXPECT_EQ(cure.tables.size(), 8U);
  EXPECT_EQ(of<AddRoute>(cure).size(), 8U);
  EXPECT_EQ(of<AddRule>(cure).size(), 10U);
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, ANicThatIsDownWaits) {
  host.links[3].flags &= ~0x10001U;
  std::erase_if(host.routes, [](const Route& route) {
    return route.table == table_main && route.next_hops.front().link == IfIndex{4};
  });
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_EQ(of<AddRoute>(cure).size(), 7U);
}

TEST_F(PlanTest, ANicThatIsDownKeepsItsRuleUntilItIsBack) {
  Snapshot cured = plan_for(host).rehearsed;
  cured.links[4].flags &= ~0x10001U;
  std::erase_if(cured.routes, [](const Route& route) {
    return route.table != table_local && route.next_hops.front().link == IfIndex{5};
  });
  EXPECT_FALSE(plan_for(cured).pending());
}

TEST_F(PlanTest, AFlapIsMendedWithItsOldNumbers) {
  Snapshot cured = plan_for(host).rehearsed;
  std::erase_if(cured.routes, [](const Route& route) {
    return route.protocol == protocol_retour && route.next_hops.front().link == IfIndex{5};
  });
  const Plan mend = plan_for(cured);
  ASSERT_EQ(mend.changes.size(), 1U);
  EXPECT_EQ(of<AddRoute>(mend).front().route.table, TableId{203});
}

TEST_F(PlanTest, AnAddressThatMovedTakesItsRuleAlong) {
  Snapshot cured = plan_for(host).rehearsed;
  // .24 leaves NIC 3 (index 5) for .124 there.
  for (Address& address : cured.addresses) {
    if (address.local.address == ip("10.0.0.24")) address.local = prefix("10.0.0.124/24");
  }
  for (Route& route : cured.routes) {
    if (route.prefsrc == ip("10.0.0.24") && route.protocol == protocol_kernel) {
      route.prefsrc = ip("10.0.0.124");
      if (route.type == RouteType::local) route.dst = prefix("10.0.0.124");
    }
  }
  const Plan mend = plan_for(cured);
  ASSERT_FALSE(mend.refused) << *mend.refused;
  EXPECT_TRUE(mend.after.healthy());
  EXPECT_EQ(of<DeleteRule>(mend).size(), 1U);
  EXPECT_FALSE(plan_for(mend.rehearsed).pending());
}

TEST_F(PlanTest, TuningOfTheConnectedRouteIsKept) {
  const RawAttribute mtu{8, {8, 0, 2, 0, 0x28, 0x23, 0, 0}};
  for (Route& route : host.routes) {
    if (route.table == table_main) route.other.push_back(mtu);
  }
  EXPECT_EQ(of<AddRoute>(plan_for(host)).front().route.other, std::vector<RawAttribute>{mtu});
}

TEST_F(PlanTest, TableNamesAreSafe) {
  EXPECT_EQ(table_name("enp1s0f0"), "retour-enp1s0f0");
  EXPECT_EQ(table_name("a b\n#\x1b[31m"), "retour-a_b____31m");
}

TEST_F(PlanTest, HundredsOfNicsEndHealthy) {
  Snapshot many = testing::bare_host();
  for (int i = 0; i < 200; ++i) {
    testing::add_nic(
        many, ("n" + std::to_string(i)).c_str(),
        ("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + "/16").c_str());
  }
  testing::set_gates(many, 1, 1, 0);
  const Plan cure = plan_for(many);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_EQ(cure.tables.size(), 200U);
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, AServiceAddressKeepsBeingAnsweredFor) {
  testing::set_gates(host, 0, 0, 0);
  Address vip;
  vip.link = loopback_index;
  vip.local = prefix("10.0.0.100/32");
  host.addresses.insert(host.addresses.begin(), vip);
  Route local = testing::route("10.0.0.100/32", loopback_index, table_local);
  local.type = RouteType::local;
  host.routes.push_back(local);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  ASSERT_FALSE(of<SetConf>(cure).empty());
  EXPECT_EQ(of<SetConf>(cure).front().conf, Conf::arp_filter) << "arp_ignore would silence it";
  EXPECT_TRUE(cure.after.healthy());
  const Fib fib(cure.rehearsed);
  const Segment all = cure.after.subnets.front().segments.front();
  EXPECT_EQ(arp_answerers(fib, ip("10.0.0.9"), ip("10.0.0.100"), all).size(), 1U);
}

TEST_F(PlanTest, UsersThatNoRuleNamesAreSeenToo) {
  Rule root = testing::rule(31500, table_main);
  root.uid = Range<std::uint32_t>{0, 0};
  Rule rest = testing::rule(32000, TableId{77});
  rest.iif = "lo";
  host.rules.insert(host.rules.begin() + 1, {root, rest});
  host.routes.push_back(testing::route("0.0.0.0/0", IfIndex{3}, TableId{77}));
  host.routes.push_back(testing::route("10.0.0.64/26", IfIndex{2}));
  host.hidden.custom_rules_v4 = true;
  EXPECT_TRUE(plan_for(host).refused) << "user 1000 would leave table 77 for main's /26";
}

TEST_F(PlanTest, TwoSharedSubnetsOnTheSameNics) {
  host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/24");
  testing::add_nic(host, "e1", "10.0.0.2/24");
  for (const int nic : {0, 1}) {
    Address second;
    second.link = host.links[static_cast<std::size_t>(nic + 1)].index;
    second.local = prefix(nic == 0 ? "10.0.1.1/24" : "10.0.1.2/24");
    host.addresses.push_back(second);
    Route connected = testing::route("10.0.1.0/24", second.link);
    connected.prefsrc = second.local.address;
    host.routes.push_back(connected);
    Route local = testing::route(second.local.address.str().c_str(), second.link, table_local);
    local.type = RouteType::local;
    host.routes.push_back(local);
  }
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_EQ(cure.tables.size(), 2U);
  EXPECT_EQ(of<AddRoute>(cure).size(), 4U);
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, OverlappingPrefixesAreOneSubnet) {
  host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/24");
  testing::add_nic(host, "e1", "10.0.0.2/16");
  testing::set_gates(host, 1, 1, 0);
  const Diagnosis found = diagnose(host, {});
  ASSERT_EQ(found.subnets.size(), 1U);
  EXPECT_FALSE(found.healthy()) << "the way back from .2 to the /24 is e0";
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_TRUE(cure.after.healthy());
}

TEST_F(PlanTest, ADuplicateAddressIsItsOwnFindingAndNotTheHosts) {
  Address twin = host.addresses[1];
  twin.link = IfIndex{4};
  host.addresses.push_back(twin);
  const Diagnosis found = diagnose(host, {});
  EXPECT_TRUE(std::ranges::any_of(
      found.findings, [](const Finding& finding) { return finding.code == "duplicate-address"; }));
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << *cure.refused;
  EXPECT_EQ(of<AddRoute>(cure).size(), 7U) << "not the NIC whose only address is doubtful";
}

TEST_F(PlanTest, ARouteWithAnOldSourceMakesRoom) {
  Snapshot cured = plan_for(host).rehearsed;
  for (Route& route : cured.routes) {
    if (route.ours() && route.prefsrc == ip("10.0.0.24")) route.prefsrc = ip("10.0.0.99");
  }
  cured.rules.erase(cured.rules.begin() + 2);  // so that there is something to mend
  const Plan mend = plan_for(cured);
  ASSERT_FALSE(mend.refused) << *mend.refused;
  const auto removed = std::ranges::find_if(mend.changes, [](const Change& change) {
    return std::holds_alternative<DeleteRoute>(change.operation);
  });
  ASSERT_NE(removed, mend.changes.end());
  EXPECT_TRUE(std::holds_alternative<AddRoute>((removed + 1)->operation));
}

}  // namespace
}  // namespace retour
