// SPDX-License-Identifier: Apache-2.0
//
// The cure on the shapes that hosts really have: rails with gateways, IPv6, the default route's own
// NIC in the group, point-to-point subnets, many NICs, an operator's wishes.
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

Plan plan_for(const Snapshot& host, const Policy& policy = {}) {
  return plan(host, policy, diagnose(host, policy));
}

Lookup ask(const Snapshot& host, const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  if (src != nullptr) {
    flow.src = ip(src);
  } else {
    flow.src = Ip(flow.dst.family(), 0);
  }
  return Fib(host).output(flow);
}

std::string refused(const Plan& plan) { return plan.refused.value_or("no"); }

template <class Kind>
std::size_t count(const Plan& plan) {
  return static_cast<std::size_t>(std::ranges::count_if(plan.changes, [](const Change& change) {
    return std::holds_alternative<Kind>(change.operation);
  }));
}

TEST(PlanShapes, RailsAnswerThroughTheirOwnGateway) {
  const Snapshot host = testing::rails(4);
  const Diagnosis found = diagnose(host, {});
  EXPECT_FALSE(found.healthy());
  EXPECT_EQ(found.findings.front().code, "lost-rp-filter");
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_TRUE(cure.after.healthy());
  // A peer on the rail of another NIC: main would answer it there, on the wrong rail.
  EXPECT_EQ(ask(host, "10.1.3.77", "10.1.1.5").link, host.link("rail3")->index);
  const Lookup across = ask(cure.rehearsed, "10.1.3.77", "10.1.1.5");
  EXPECT_EQ(across.link, host.link("rail1")->index);
  EXPECT_EQ(across.gateway, ip("10.1.1.1"));
  EXPECT_EQ(ask(cure.rehearsed, "10.200.0.1", "10.1.2.5").gateway, ip("10.1.2.1"));
  EXPECT_EQ(ask(cure.rehearsed, "10.1.2.9", "10.1.2.5").gateway, std::nullopt);
  EXPECT_EQ(ask(cure.rehearsed, "10.200.0.1").link, host.link("rail0")->index) << "unbound: main";
  EXPECT_EQ(ask(cure.rehearsed, "8.8.8.8", "10.1.2.5").link, host.link("eno1")->index);
}

TEST(PlanShapes, WhatMainKnowsBetterThanAFabricWinsNowAndLater) {
  Snapshot host = testing::rails(4);
  const IfIndex bridge = testing::add_nic(host, "cni0", "10.244.0.1/16");
  host.routes.push_back(testing::route("10.1.1.200/32", bridge));
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  Snapshot later = cure.rehearsed;
  later.routes.push_back(testing::route("10.99.0.0/16", bridge));
  for (const char* dst : {"10.244.3.4", "10.1.1.200", "10.99.0.1"}) {
    EXPECT_EQ(ask(later, dst, "10.1.2.5").link, bridge) << dst;
    EXPECT_EQ(ask(later, dst).link, bridge) << dst;
  }
}

TEST(PlanShapes, RailsSecondPlanIsEmptyAndAWholeRemovalIsExact) {
  const Snapshot host = testing::rails(4);
  const Plan cure = plan_for(host);
  EXPECT_FALSE(plan_for(cure.rehearsed).pending());
  Snapshot gone = rehearse(cure.rehearsed, removal(cure.rehearsed));
  gone.hidden = host.hidden;
  EXPECT_EQ(gone, host);
}

TEST(PlanShapes, ALostGuardIsFoundAndPutBack) {
  const Plan cure = plan_for(testing::rails(4));
  for (const char* guarded : {"10.0.0.0/8", "10.1.2.0/24"}) {
    Snapshot lost = cure.rehearsed;
    std::erase_if(lost.rules, [&](const Rule& rule) {
      return rule.to == prefix(guarded) && rule.suppress_prefixlength;
    });
    const Diagnosis found = diagnose(lost, {});
    EXPECT_TRUE(found.healthy()) << "every reply has its door";
    EXPECT_EQ(std::ranges::count(found.findings, "missing-guard", &Finding::code), 1) << guarded;
    const Plan mend = plan_for(lost);
    EXPECT_EQ(mend.changes.size(), 1U);
    EXPECT_EQ(diagnose(mend.rehearsed, {}).findings.size(), 0U);
  }
}

TEST(PlanShapes, ANicKeepsItsTableWhenItsAddressChanges) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan_for(host);
  Snapshot then = cure.rehearsed;
  for (const PlannedTable& table : cure.tables) then.table_names[table.id] = table.name;
  // The kernel takes every route of a link whose last address goes.
  std::erase_if(then.routes, [](const Route& route) {
    return !route.next_hops.empty() && route.next_hops.front().link == IfIndex{3};
  });
  std::erase_if(then.addresses, [](const Address& own) { return own.link == IfIndex{3}; });
  Snapshot fresh = testing::grid_host(3);
  std::erase_if(fresh.routes,
                [](const Route& route) { return route.next_hops.front().link != IfIndex{3}; });
  then.routes.insert(then.routes.end(), fresh.routes.begin(), fresh.routes.end());
  Address moved;
  moved.link = IfIndex{3};
  moved.local = prefix("10.0.0.99/24");
  then.addresses.push_back(moved);
  for (Route& route : then.routes) {
    if (route.dst == prefix("10.0.0.22/32")) route.dst = prefix("10.0.0.99/32");
    if (route.prefsrc == ip("10.0.0.22")) route.prefsrc = ip("10.0.0.99");
  }
  const Plan mend = plan_for(then);
  ASSERT_FALSE(mend.refused) << refused(mend);
  for (const PlannedTable& table : mend.tables) {
    EXPECT_NE(std::ranges::find(cure.tables, table), cure.tables.end()) << table.id.value;
  }
}

TEST(PlanShapes, AFabricPrefixOfThePolicyHasItsGatewayByPlace) {
  Snapshot host = testing::rails(4);
  std::erase_if(host.routes, [](const Route& route) { return route.dst.length == 8; });
  EXPECT_FALSE(plan_for(host).pending());
  Policy policy;
  policy.fabrics = {{prefix("10.0.0.0/8"), GatewayAt::first, {}}};
  policy.links.names = {"rail*"};
  const Plan cure = plan_for(host, policy);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(ask(cure.rehearsed, "10.200.0.1", "10.1.2.5").gateway, ip("10.1.2.1"));
  policy.fabrics.front().at = GatewayAt::last;
  EXPECT_EQ(ask(plan_for(host, policy).rehearsed, "10.200.0.1", "10.1.2.5").gateway,
            ip("10.1.2.254"));
}

TEST(PlanShapes, TheDefaultRoutesNicInTheGroup) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  host.routes.push_back(testing::via("0.0.0.0/0", IfIndex{2}, "10.0.0.1"));
  host.segments = std::vector<Segment>{{IfIndex{2}, IfIndex{3}, IfIndex{4}}};
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_TRUE(cure.after.healthy());
  const Lookup away = ask(cure.rehearsed, "198.51.100.7", "10.0.0.23");
  EXPECT_EQ(away.link, IfIndex{4});
  EXPECT_EQ(away.gateway, ip("10.0.0.1"));
  EXPECT_EQ(ask(cure.rehearsed, "198.51.100.7").link, IfIndex{2}) << "unbound: as before";
  // Nobody measured that the router is on the wire of the others: then it is not taken to be.
  host.segments.reset();
  EXPECT_EQ(ask(plan_for(host).rehearsed, "198.51.100.7", "10.0.0.23").link, IfIndex{2});
}

TEST(PlanShapes, PointToPointSubnetsAreRails) {
  Snapshot host = testing::bare_host();
  for (int i = 0; i < 3; ++i) {
    const std::string base = "10.9.0." + std::to_string(2 * i);
    const IfIndex link =
        testing::add_nic(host, ("p" + std::to_string(i)).c_str(), (base + "/31").c_str());
    host.routes.push_back(testing::via("10.64.0.0/10", link,
                                       ("10.9.0." + std::to_string(2 * i + 1)).c_str(),
                                       static_cast<std::uint32_t>(i)));
  }
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(ask(cure.rehearsed, "10.70.0.1", "10.9.0.4").gateway, ip("10.9.0.5"));
}

/// eth0 … on fd00:1::21/64 …, one segment.
Snapshot flat6(int nics) {
  Snapshot host = testing::bare_host6();
  for (int i = 0; i < nics; ++i) {
    testing::add_nic6(host, ("eth" + std::to_string(i)).c_str(),
                      ("fd00:1::" + std::to_string(21 + i) + "/64").c_str());
  }
  return host;
}

TEST(PlanShapes, Ipv6DoorsAreCuredLikewise) {
  const Snapshot host = flat6(4);
  const Diagnosis found = diagnose(host, {});
  ASSERT_EQ(found.findings.front().code, "wrong-door");
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_TRUE(cure.after.healthy());
  EXPECT_EQ(count<AddRoute>(cure), 4U);
  EXPECT_EQ(count<AddRule>(cure), 5U);
  EXPECT_EQ(ask(cure.rehearsed, "fd00:1::99", "fd00:1::23").link, IfIndex{4});
  Snapshot later = cure.rehearsed;
  later.routes.push_back(testing::route6("fd00:1::99/128", IfIndex{2}));
  EXPECT_EQ(ask(later, "fd00:1::99", "fd00:1::23").link, IfIndex{2}) << "a pod that came later";
  EXPECT_FALSE(plan_for(cure.rehearsed).pending());
}

TEST(PlanShapes, RouterAdvertisementsAreGatewaysOfEachNic) {
  Snapshot host = testing::bare_host6();
  const IfIndex a = testing::add_nic6(host, "eth0", "2001:db8:1::5/64");
  const IfIndex b = testing::add_nic6(host, "eth1", "2001:db8:2::5/64");
  host.routes.push_back(testing::via6("::/0", a, "fe80::a", 1024));
  host.routes.push_back(testing::via6("::/0", b, "fe80::b", 2048));
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_TRUE(cure.after.healthy());
  EXPECT_EQ(ask(cure.rehearsed, "2001:db8:ffff::1", "2001:db8:2::5").gateway, ip("fe80::b"));
  EXPECT_EQ(ask(cure.rehearsed, "2001:db8:ffff::1", "2001:db8:1::5").gateway, ip("fe80::a"));
}

TEST(PlanShapes, TemporaryAddressesAreLeftAlone) {
  Snapshot host = flat6(2);
  testing::add_address6(host, IfIndex{3}, "fd00:1::dead/64").flags = 0x01;
  const Plan cure = plan_for(host);
  EXPECT_EQ(count<AddRule>(cure), 3U) << "two doors and the guard";
}

TEST(PlanShapes, BothFamiliesShareTheTableOfANic) {
  Snapshot host = flat6(3);
  host.rules.insert(host.rules.begin(),
                    {testing::rule(0, table_local), testing::rule(32766, table_main)});
  for (const ConfInfo& about : conf_table()) host.conf_all.set(about.conf, about.kernel_value);
  for (std::uint32_t i = 2; i < 5; ++i) {
    for (const ConfInfo& about : conf_table()) {
      host.links[i - 1].conf.set(about.conf, about.kernel_value);
    }
    Address own;
    own.link = IfIndex{i};
    own.local = prefix(("10.0.0." + std::to_string(i) + "/24").c_str());
    host.addresses.push_back(own);
    Route connected = testing::route("10.0.0.0/24", own.link);
    connected.prefsrc = own.local.address;
    host.routes.push_back(connected);
    Route local = testing::route(own.local.address.str().c_str(), own.link, table_local);
    local.type = RouteType::local;
    local.scope = scope_host;
    host.routes.push_back(local);
  }
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(cure.tables.size(), 3U);
  EXPECT_EQ(count<AddRoute>(cure), 6U);
  EXPECT_EQ(count<AddRule>(cure), 8U);
}

TEST(PlanShapes, TwoHundredFiftySixNics) {
  Snapshot host = testing::bare_host();
  for (int i = 0; i < 256; ++i) {
    testing::add_nic(
        host, ("e" + std::to_string(i)).c_str(),
        ("10.0." + std::to_string(i / 128) + "." + std::to_string(1 + i % 128) + "/16").c_str());
  }
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan_for(host);
  ASSERT_FALSE(cure.refused) << refused(cure);
  std::set<std::uint32_t> ids;
  for (const PlannedTable& table : cure.tables) ids.insert(table.id.value);
  EXPECT_EQ(ids.size(), 256U);
  for (const std::uint32_t kept : {0U, 252U, 253U, 254U, 255U}) EXPECT_FALSE(ids.contains(kept));
  EXPECT_TRUE(cure.after.healthy());
}

TEST(PlanShapes, AVrfKeepsItsOwnDoors) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  Link vrf;
  vrf.index = IfIndex{9};
  vrf.name = "blue";
  vrf.kind = "vrf";
  host.links.push_back(vrf);
  host.links[3].master = vrf.index;
  const Diagnosis found = diagnose(host, {});
  const auto told = std::ranges::find(found.findings, "in-vrf", &Finding::code);
  ASSERT_NE(told, found.findings.end());
  for (const RoundTrip& trip : found.round_trips) EXPECT_NE(trip.link, IfIndex{4});
}

struct Wishes : ::testing::Test {
  Wishes() { testing::set_gates(host, 1, 1, 0); }
  Snapshot host = testing::grid_host(4);
  Policy policy;
};

TEST_F(Wishes, LinksThatAreNotChosenAreLeftAlone) {
  policy.links.not_names = {"eth3"};
  const Plan cure = plan_for(host, policy);
  ASSERT_FALSE(cure.refused) << refused(cure);
  EXPECT_EQ(cure.tables.size(), 3U);
  for (const PlannedTable& table : cure.tables) EXPECT_NE(table.link, IfIndex{5});
}

TEST_F(Wishes, TablesAndPrioritiesOfThePolicy) {
  policy.tables = Range<std::uint32_t>{500, 503};
  policy.priorities = Range<std::uint32_t>{12000, 12999};
  const Plan cure = plan_for(host, policy);
  ASSERT_FALSE(cure.refused) << refused(cure);
  for (const PlannedTable& table : cure.tables)
    EXPECT_TRUE(policy.tables->contains(table.id.value));
  for (const Change& change : cure.changes) {
    if (const auto* add = std::get_if<AddRule>(&change.operation)) {
      EXPECT_TRUE(policy.priorities->contains(add->rule.priority)) << add->rule.priority;
    }
  }
  policy.tables->last = 502;
  EXPECT_NE(refused(plan_for(host, policy)).find("tables 500 to 502"), std::string::npos);
  policy.tables.reset();
  policy.priorities = Range<std::uint32_t>{12000, 12050};
  EXPECT_NE(refused(plan_for(host, policy)).find("12000 to 12050"), std::string::npos);
}

TEST_F(Wishes, GatesThatMayNotBeChanged) {
  testing::set_gates(host, 0, 0, 0);
  policy.gates = {Conf::arp_filter};
  const Plan cure = plan_for(host, policy);
  for (const Change& change : cure.changes) {
    if (const auto* set = std::get_if<SetConf>(&change.operation)) {
      EXPECT_EQ(set->conf, Conf::arp_filter);
    }
  }
  policy.gates.clear();
  EXPECT_EQ(count<SetConf>(plan_for(host, policy)), 0U);
}

}  // namespace
}  // namespace retour
