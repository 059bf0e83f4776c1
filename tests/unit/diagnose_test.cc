// SPDX-License-Identifier: Apache-2.0
#include "diagnose/diagnose.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hosts.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

std::size_t count(const Diagnosis& diagnosis, const char* code) {
  return static_cast<std::size_t>(std::ranges::count(diagnosis.findings, code, &Finding::code));
}

struct DiagnoseTest : ::testing::Test {
  Snapshot host = testing::grid_host(4);
};

TEST_F(DiagnoseTest, TellsTheThreePathologiesApart) {
  testing::set_gates(host, 1, 1, 0);
  EXPECT_EQ(count(diagnose(host, {}), "lost-rp-filter"), 3U);
  testing::set_gates(host, 0, 1, 1);
  EXPECT_EQ(count(diagnose(host, {}), "lost-arp-filter"), 3U);
  testing::set_gates(host, 0, 1, 0);
  EXPECT_EQ(count(diagnose(host, {}), "wrong-door"), 3U);
  testing::set_gates(host, 0, 0, 0);
  EXPECT_EQ(count(diagnose(host, {}), "arp-flux"), 4U) << "NIC 0, too, is in the race";
  testing::cure_by_hand(host);
  testing::set_gates(host, 1, 1, 0);
  EXPECT_TRUE(diagnose(host, {}).findings.size() == 1) << "segments-assumed alone";
  EXPECT_TRUE(diagnose(host, {}).healthy());
}

TEST_F(DiagnoseTest, OneRoundTripPerAddressAndPeer) {
  EXPECT_EQ(diagnose(host, {}).round_trips.size(), 4U);
  Policy policy;
  policy.peers = {ip("10.0.0.99"), ip("10.0.0.98")};
  EXPECT_EQ(diagnose(host, policy).round_trips.size(), 8U);
}

TEST_F(DiagnoseTest, GenericPeerIsNoneOfOursAndNoPod) {
  host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/29");
  testing::add_nic(host, "e1", "10.0.0.2/29");
  host.routes.push_back(testing::route("10.0.0.3/32", IfIndex{2}));
  host.routes.push_back(testing::route("10.0.0.4/31", IfIndex{2}));
  EXPECT_EQ(diagnose(host, {}).round_trips.front().peer, ip("10.0.0.6"));
}

TEST_F(DiagnoseTest, UnknownGatesListEveryOutcome) {
  for (const Conf gate : {Conf::rp_filter, Conf::arp_ignore, Conf::arp_filter}) {
    host.conf_all.set(gate, std::nullopt);
    for (Link& link : host.links) link.conf.set(gate, std::nullopt);
  }
  const Diagnosis diagnosis = diagnose(host, {});
  EXPECT_EQ(count(diagnosis, "gates-unknown"), 1U);
  const RoundTrip& first = diagnosis.round_trips[0];
  const RoundTrip& second = diagnosis.round_trips[1];
  EXPECT_EQ(first.verdict, DoorVerdict::same_door) << "the NIC that main selects is fine";
  EXPECT_EQ(second.verdict, DoorVerdict::lost);
  EXPECT_EQ(second.cause, Cause::rp_filter);
  ASSERT_EQ(second.outcomes.size(), 8U);
  for (const GateOutcome& outcome : second.outcomes) {
    const bool lost =
        outcome.arp_ignore == 1 && (outcome.rp_filter == 1 || outcome.arp_filter == 1);
    EXPECT_EQ(outcome.verdict, lost ? DoorVerdict::lost : DoorVerdict::wrong_door);
  }
}

TEST_F(DiagnoseTest, AKnownGateIsNotGuessed) {
  host.conf_all.set(Conf::arp_filter, std::nullopt);
  for (Link& link : host.links) link.conf.set(Conf::arp_filter, std::nullopt);
  testing::set_gates(host, 2, 1, 0);
  host.conf_all.set(Conf::arp_filter, std::nullopt);
  const Diagnosis diagnosis = diagnose(host, {});
  ASSERT_EQ(diagnosis.round_trips[1].outcomes.size(), 2U);
  for (const GateOutcome& outcome : diagnosis.round_trips[1].outcomes) {
    EXPECT_EQ(outcome.rp_filter, 2);
    EXPECT_EQ(outcome.arp_ignore, 1);
  }
}

TEST_F(DiagnoseTest, SegmentsMeasuredAssumedAndSaid) {
  EXPECT_EQ(count(diagnose(host, {}), "segments-assumed"), 1U);
  host.segments = {{IfIndex{2}, IfIndex{3}}, {IfIndex{4}}, {IfIndex{5}}};
  const Diagnosis measured = diagnose(host, {});
  EXPECT_EQ(count(measured, "segments-assumed"), 0U);
  EXPECT_EQ(measured.subnets.front().segments.size(), 3U);
  EXPECT_EQ(measured.round_trips[3].cause, Cause::wrong_segment);
  Policy policy;
  policy.segments = SegmentsFrom::flat;
  EXPECT_EQ(diagnose(host, policy).round_trips[3].cause, Cause::flux);
}

TEST_F(DiagnoseTest, LeftoversOfOurs) {
  Rule stale = testing::rule(31100, TableId{200});
  stale.protocol = protocol_retour;
  stale.from = prefix("10.0.0.77");
  Rule empty = testing::rule(31101, TableId{201});
  empty.protocol = protocol_retour;
  empty.from = prefix("10.0.0.22");
  host.rules.insert(host.rules.begin() + 1, {stale, empty});
  Route orphan = testing::route("10.0.0.0/24", IfIndex{2}, TableId{299});
  orphan.protocol = protocol_retour;
  host.routes.push_back(orphan);
  const Diagnosis diagnosis = diagnose(host, {});
  EXPECT_EQ(count(diagnosis, "stale-rule"), 1U);
  EXPECT_EQ(count(diagnosis, "empty-table"), 1U);
  EXPECT_EQ(count(diagnosis, "stale-route"), 1U);
}

TEST_F(DiagnoseTest, BeyondTheSubnetIsNotForOurTables) {
  testing::set_gates(host, 0, 1, 0);
  Policy policy;
  policy.peers = {ip("192.0.2.7")};
  const Diagnosis diagnosis = diagnose(host, policy);
  EXPECT_EQ(count(diagnosis, "lost-no-route"), 4U);
  EXPECT_TRUE(std::ranges::none_of(diagnosis.findings, &Finding::curable));
}

TEST_F(DiagnoseTest, DifferentSubnetsAreNoProblem) {
  host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/24");
  testing::add_nic(host, "e1", "10.0.1.1/24");
  EXPECT_TRUE(diagnose(host, {}).subnets.empty());
  EXPECT_TRUE(diagnose(host, {}).findings.empty());
}

TEST_F(DiagnoseTest, APortOfABridgeHearsNothingItself) {
  testing::cure_by_hand(host);
  testing::set_gates(host, 1, 1, 0);
  Link bridge = host.links[1];
  bridge.index = IfIndex{9};
  bridge.name = "br1";
  bridge.kind = "bridge";
  host.links.push_back(bridge);
  host.links[2].master = IfIndex{9};
  EXPECT_EQ(count(diagnose(host, {}), "link-enslaved"), 1U);
  host.links.back().kind = "vrf";
  EXPECT_EQ(count(diagnose(host, {}), "link-enslaved"), 0U);
}

TEST_F(DiagnoseTest, ALinkWithoutArpIsSilent) {
  host.links[2].flags |= 0x80U;
  EXPECT_EQ(count(diagnose(host, {}), "link-noarp"), 1U);
}

TEST_F(DiagnoseTest, RoutesInsideTheSubnetHideNoOne) {
  testing::set_gates(host, 1, 1, 0);
  host.routes.push_back(testing::route("10.0.0.0/25", IfIndex{2}));
  host.routes.push_back(testing::route("10.0.0.128/25", IfIndex{2}));
  EXPECT_EQ(diagnose(host, {}).round_trips.size(), 4U);
  EXPECT_FALSE(diagnose(host, {}).healthy());
}

TEST_F(DiagnoseTest, WhatNobodyCanAskIsSaidNotToBeJudged) {
  host = testing::bare_host();
  testing::add_nic(host, "e0", "10.0.0.1/30");
  testing::add_nic(host, "e1", "10.0.0.2/30");
  EXPECT_EQ(count(diagnose(host, {}), "not-judged"), 2U);
}

TEST_F(DiagnoseTest, AnotherNicOnTheSameWireAnswersToo) {
  testing::set_gates(host, 0, 0, 0);
  const IfIndex other = testing::add_nic(host, "mgmt0", "192.168.0.1/24");
  host.segments = {{IfIndex{2}, IfIndex{3}, IfIndex{4}, IfIndex{5}, other}};
  EXPECT_EQ(diagnose(host, {}).round_trips.front().arp_answered_by.size(), 5U);
}

}  // namespace
}  // namespace retour
