// SPDX-License-Identifier: Apache-2.0
//
// What an explanation shows and recommends. A remedy is claimed only if it works, so every one is
// carried out here and the question asked again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "diagnose/explanation.h"
#include "diagnose/remedies.h"
#include "model/fib.h"
#include "unit/hosts.h"
#include "unit/hosts6.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

IfIndex link(const Snapshot& host, const char* name) { return host.link(name)->index; }

Flow received(const Snapshot& host, const char* dst, const char* src, const char* on) {
  Flow flow;
  flow.dst = ip(dst);
  flow.src = ip(src);
  flow.iif = link(host, on);
  flow.ip_proto = 17;
  return flow;
}

Flow sent(const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  flow.src = src != nullptr ? ip(src) : Ip(flow.dst.family(), 0);
  flow.ip_proto = flow.dst.is_v4() ? 17 : 0;
  return flow;
}

/// The settings of a remedy in short: "eth1.rp_filter=2".
std::string words(const Snapshot& host, const Remedy& remedy) {
  std::string text = remedy.own_table ? "table " + host.link_name(remedy.own_table->link) : "";
  for (const Setting& setting : remedy.settings) {
    text += (text.empty() ? "" : " ") + (setting.link ? host.link_name(*setting.link) : "all") +
            "." + std::string(setting.name()) + "=" + std::to_string(setting.after);
  }
  return text;
}

std::vector<std::string> each(const Snapshot& host, const std::vector<Remedy>& remedies) {
  std::vector<std::string> list;
  for (const Remedy& remedy : remedies) list.push_back(words(host, remedy));
  return list;
}

using Words = std::vector<std::string>;

/// Explains, and tries every remedy.
Explanation explained(const Snapshot& host, const Flow& flow) {
  Explanation found = explain(Fib(host), flow);
  for (const Remedy& remedy : found.remedies) {
    const Snapshot cured = with(host, remedy);
    const Fib fib(cured);
    const Lookup then = flow.iif ? fib.input(flow) : fib.output(flow);
    EXPECT_TRUE(then.ok()) << words(host, remedy);
    EXPECT_EQ(then.verdict, remedy.verdict);
    EXPECT_EQ(then.link, remedy.link);
  }
  return found;
}

TEST(Explanation, StrictReversePathHasTwoRemedies) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  const auto found = explained(host, received(host, "10.0.0.22", "10.0.0.9", "eth1"));
  EXPECT_EQ(found.lookup.verdict, Verdict::rp_filter);
  EXPECT_EQ(each(host, found.remedies), (Words{"eth1.rp_filter=2", "table eth1"}));
  EXPECT_EQ(found.remedies[1].own_table->to, prefix("10.0.0.0/24"));
  EXPECT_TRUE(found.if_set.empty());
}

TEST(Explanation, WhereAllIsLooseNothingIsStrict) {
  Snapshot host = testing::grid_host(2);
  // No way back at all: loose does not help, an open gate does, and `all` has to open it.
  host.conf_all.set(Conf::rp_filter, 2);
  const auto found = explained(host, received(host, "10.0.0.22", "192.0.2.1", "eth1"));
  EXPECT_EQ(found.lookup.verdict, Verdict::rp_filter);
  EXPECT_EQ(each(host, found.remedies), (Words{"all.rp_filter=0"}));
}

TEST(Explanation, BothScopesMoveWhereBothHold) {
  Snapshot host = testing::grid_host(2);
  host.conf_all.set(Conf::rp_filter, 2);
  host.links[2].conf.set(Conf::rp_filter, 1);
  const auto settings = settings_for(host, link(host, "eth1"), Conf::rp_filter, 0);
  EXPECT_EQ(each(host, {Remedy{settings, {}, {}, {}, {}, {}}}),
            (Words{"all.rp_filter=0 eth1.rp_filter=0"}));
  EXPECT_TRUE(settings_for(host, link(host, "eth1"), Conf::rp_filter, 2).empty()) << "it is 2";
  EXPECT_EQ(settings_for(host, link(host, "eth1"), Conf::accept_local, 1).size(), 1U);
  host.conf_all.set(Conf::bc_forwarding, 0);
  EXPECT_EQ(settings_for(host, link(host, "eth1"), Conf::bc_forwarding, 1).size(), 2U);
}

TEST(Explanation, EachGateOfAReceivedPacket) {
  Snapshot host = testing::grid_host(2);
  host.routes.push_back(testing::route("0.0.0.0/0", link(host, "eth0")));
  EXPECT_EQ(each(host, explained(host, received(host, "10.0.0.22", "10.0.0.21", "eth1")).remedies),
            (Words{"eth1.accept_local=1"}));
  EXPECT_EQ(each(host, explained(host, received(host, "8.8.8.8", "10.0.0.9", "eth0")).remedies),
            (Words{"eth0.forwarding=1"}));
  host.routes.push_back(testing::route("127.0.0.0/8", loopback_index, table_local));
  host.routes.back().type = RouteType::local;
  EXPECT_EQ(each(host, explained(host, received(host, "127.0.0.1", "10.0.0.9", "eth0")).remedies),
            (Words{"eth0.route_localnet=1"}));
  EXPECT_TRUE(explained(host, received(host, "10.0.0.21", "224.0.0.1", "eth0")).remedies.empty())
      << "nothing lets that in";
  EXPECT_TRUE(explained(host, received(host, "10.0.0.21", "10.0.0.9", "eth0")).remedies.empty())
      << "delivered: nothing to mend";
}

TEST(Explanation, MarkedPacketsMayNeedTheMarkOnTheWayBack) {
  Snapshot host = testing::grid_host(2);
  testing::set_gates(host, 1, 0, 0);
  Rule marked = testing::rule(100, TableId{200});
  marked.fwmark = 7;
  marked.fwmask = ~0U;
  host.rules.insert(host.rules.begin() + 1, marked);
  host.routes.push_back(testing::route("10.0.0.0/24", link(host, "eth1"), TableId{200}));
  Flow flow = received(host, "10.0.0.22", "10.0.0.9", "eth1");
  flow.mark = 7;
  EXPECT_EQ(each(host, explained(host, flow).remedies),
            (Words{"eth1.rp_filter=2", "eth1.src_valid_mark=1", "table eth1"}));
}

TEST(Explanation, RoutesWithoutCarrier) {
  Snapshot host = testing::grid_host(1);
  const IfIndex down = testing::add_nic(host, "eth9", "192.0.2.1/24");
  host.routes[2].next_hops[0].flags = 16;  // linkdown
  host.conf_all.set(Conf::ignore_routes_with_linkdown, 1);
  const auto found = explained(host, sent("192.0.2.9"));
  EXPECT_EQ(found.lookup.verdict, Verdict::no_route);
  EXPECT_EQ(each(host, found.remedies), (Words{"all.ignore_routes_with_linkdown=0"}));
  EXPECT_EQ(found.remedies[0].link, down);
}

TEST(Explanation, ASourceOfAnotherLinkGetsATable) {
  Snapshot host = testing::grid_host(2);
  const auto found = explained(host, sent("10.0.0.9", "10.0.0.22"));
  EXPECT_EQ(each(host, found.remedies), (Words{"table eth1"}));
  EXPECT_EQ(found.remedies[0].link, link(host, "eth1"));
  EXPECT_TRUE(explained(host, sent("10.0.0.9", "10.0.0.21")).remedies.empty()) << "by its own";
  EXPECT_TRUE(explained(host, sent("10.0.0.9")).remedies.empty()) << "unbound: no rule can";
  EXPECT_TRUE(explained(host, sent("10.0.0.9", "10.9.9.9")).remedies.empty()) << "not ours";
  // Beyond the subnet, only where that link has a gateway.
  Route beyond = testing::route("0.0.0.0/0", link(host, "eth0"));
  beyond.next_hops[0].gateway = ip("10.0.0.254");
  host.routes.push_back(beyond);
  EXPECT_TRUE(explained(host, sent("8.8.8.8", "10.0.0.22")).remedies.empty());
  beyond.next_hops[0].link = link(host, "eth1");
  beyond.metric = 9;
  host.routes.push_back(beyond);
  const auto gated = explained(host, sent("8.8.8.8", "10.0.0.22"));
  ASSERT_EQ(each(host, gated.remedies), (Words{"table eth1"}));
  EXPECT_EQ(gated.remedies[0].own_table->gateway, ip("10.0.0.254"));
}

TEST(Explanation, MainKeepsItsLongerPrefixes) {
  Snapshot host = testing::grid_host(2);
  host.routes.push_back(testing::route("10.0.0.64/26", link(host, "eth0")));
  EXPECT_TRUE(explained(host, sent("10.0.0.70", "10.0.0.22")).remedies.empty())
      << "no plan moves that";
  // What someone else decides before a plan's rules is theirs, too.
  Rule foreign = testing::rule(500, TableId{77});
  foreign.to = prefix("10.0.0.128/26");
  host.rules.insert(host.rules.begin() + 1, foreign);
  host.routes.push_back(testing::route("0.0.0.0/0", link(host, "eth0"), TableId{77}));
  EXPECT_TRUE(explained(host, sent("10.0.0.130", "10.0.0.22")).remedies.empty());
  EXPECT_FALSE(explained(host, sent("10.0.0.9", "10.0.0.22")).remedies.empty());
}

TEST(Explanation, GatesThatNobodyTold) {
  Snapshot host = testing::grid_host(2);
  host.conf_all.set(Conf::rp_filter, std::nullopt);
  for (Link& link : host.links) link.conf.set(Conf::rp_filter, std::nullopt);
  const auto found = explain(Fib(host), received(host, "10.0.0.22", "10.0.0.9", "eth1"));
  EXPECT_EQ(found.lookup.verdict, Verdict::local) << "the kernel's default";
  ASSERT_EQ(each(host, found.if_set), (Words{"eth1.rp_filter=1"}));
  EXPECT_EQ(found.if_set[0].verdict, Verdict::rp_filter);
}

TEST(Explanation, WhatEachTableConsidered) {
  Snapshot host = testing::grid_host(3);
  host.hidden.custom_rules_v4 = true;
  const auto found = explain(Fib(host), sent("10.0.0.9"));
  ASSERT_EQ(found.tables.size(), 2U);
  EXPECT_EQ(found.tables[0].table, table_local);
  EXPECT_TRUE(found.tables[0].routes.empty());
  ASSERT_EQ(found.tables[1].routes.size(), 3U);
  EXPECT_EQ(found.tables[1].routes[0].outcome, RouteOutcome::taken);
  EXPECT_EQ(found.tables[1].routes[1].outcome, RouteOutcome::not_reached);
}

TEST(Explanation, WhileLocalAndMainAreOneEachRuleShowsItsOwn) {
  Snapshot host = testing::grid_host(2);
  host.hidden.custom_rules_v4 = false;
  const auto found = explain(Fib(host), sent("10.0.0.9"));
  for (const TableAsked& asked : found.tables) {
    for (const Considered& route : asked.routes) {
      EXPECT_EQ(host.routes[route.route].table, asked.table);
    }
  }
  ASSERT_EQ(found.tables.size(), 2U);
  EXPECT_EQ(found.tables[1].routes.size(), 2U);
}

TEST(Explanation, ForwardingOfIPv6BelongsToAll) {
  Snapshot host = testing::bare_host();
  const IfIndex in = testing::add_nic(host, "eth0", "10.0.0.1/24");
  Rule rule = testing::rule(32766, table_main);
  rule.family = Family::v6;
  host.rules.push_back(rule);
  host.routes.push_back(testing::route("fd00::/64", in));
  const auto found = explained(host, received(host, "fd00::9", "fd00::7", "eth0"));
  EXPECT_EQ(found.lookup.verdict, Verdict::no_forward);
  EXPECT_EQ(each(host, found.remedies), (Words{"all.forwarding=1", "eth0.force_forwarding=1"}));
}

TEST(TripExplanation, TheArticle) {
  Snapshot host = testing::grid_host(4);
  testing::set_gates(host, 1, 1, 0);
  const auto found =
      explain_round_trip(host, ip("10.0.0.23"), ip("10.0.0.9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::lost);
  EXPECT_EQ(found.trip.cause, Cause::rp_filter);
  EXPECT_FALSE(found.beyond);
  EXPECT_EQ(each(host, found.remedies),
            (Words{"table eth2", "eth2.rp_filter=2", "all.arp_ignore=0"}));
  EXPECT_EQ(found.remedies[0].door, DoorVerdict::same_door);
  EXPECT_EQ(found.remedies[1].door, DoorVerdict::wrong_door);
  EXPECT_EQ(found.remedies[1].cause, Cause::wrong_route);
  for (const Remedy& remedy : found.remedies) {
    const Snapshot then = with(host, remedy);
    EXPECT_EQ(explain_round_trip(then, ip("10.0.0.23"), ip("10.0.0.9"), SegmentsFrom::snapshot)
                  .trip.verdict,
              remedy.door);
  }
}

TEST(TripExplanation, FluxNeedsTheTableAndSilence) {
  Snapshot host = testing::grid_host(3);
  const auto found =
      explain_round_trip(host, ip("10.0.0.22"), ip("10.0.0.9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.cause, Cause::flux);
  ASSERT_FALSE(found.remedies.empty());
  EXPECT_EQ(words(host, found.remedies[0]), "table eth1 eth0.arp_ignore=1 eth2.arp_ignore=1");
  EXPECT_EQ(found.remedies[0].door, DoorVerdict::same_door);
}

TEST(TripExplanation, UnknownGatesAreAssumedAndListed) {
  Snapshot host = testing::grid_host(2);
  host.conf_all = {};
  for (Link& link : host.links) link.conf = {};
  const auto found =
      explain_round_trip(host, ip("10.0.0.22"), ip("10.0.0.9"), SegmentsFrom::snapshot);
  EXPECT_FALSE(found.trip.gates_known);
  EXPECT_EQ(found.trip.cause, Cause::rp_filter);
  EXPECT_GE(found.trip.outcomes.size(), 8U);
  ASSERT_TRUE(found.arp.lookup.source_check);
  EXPECT_EQ(found.arp.lookup.source_check->rp_filter.value, 1);
  EXPECT_FALSE(found.arp.lookup.source_check->rp_filter.known);
}

TEST(TripExplanation, HealthyNeedsNothing) {
  Snapshot host = testing::grid_host(4);
  testing::set_gates(host, 1, 1, 0);
  testing::cure_by_hand(host);
  const auto found =
      explain_round_trip(host, ip("10.0.0.23"), ip("10.0.0.9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::same_door);
  EXPECT_TRUE(found.remedies.empty());
}

/// Two NICs fd00::1 and fd00::2 in one /64, as the kernel sets them up.
Snapshot host6() {
  Snapshot host = testing::bare_host6();
  for (const char* own : {"fd00::1", "fd00::2"}) {
    testing::add_nic6(host, own, (std::string(own) + "/64").c_str());
  }
  return host;
}

TEST(TripExplanation, OfIPv6OnlyTheOwnerAnswersAndARuleBringsTheReplyHome) {
  const Snapshot host = host6();
  const auto found = explain_round_trip(host, ip("fd00::2"), ip("fd00::9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::wrong_door);
  EXPECT_EQ(found.trip.cause, Cause::wrong_route);
  EXPECT_EQ(found.trip.arp_answered_by, std::vector{link(host, "fd00::2")});
  EXPECT_TRUE(found.trip.gates_known) << "there is none";
  ASSERT_EQ(each(host, found.remedies), (Words{"table fd00::2"}));
  EXPECT_EQ(found.remedies[0].door, DoorVerdict::same_door);
  const auto first = explain_round_trip(host, ip("fd00::1"), ip("fd00::9"), SegmentsFrom::snapshot);
  EXPECT_EQ(first.trip.verdict, DoorVerdict::same_door);
  EXPECT_TRUE(first.remedies.empty());
}

TEST(TripExplanation, RailsOfIPv6LoseWhatLeavesByAnother) {
  const auto verdict = [](const Snapshot& host, SegmentsFrom from) {
    return explain_round_trip(host, ip("fd00::2"), ip("fd00::9"), from).trip.verdict;
  };
  Snapshot host = host6();
  EXPECT_EQ(verdict(host, SegmentsFrom::rails), DoorVerdict::lost);
  const IfIndex one = link(host, "fd00::1");
  const IfIndex two = link(host, "fd00::2");
  host.segments = {{one, two}};
  EXPECT_EQ(verdict(host, SegmentsFrom::snapshot), DoorVerdict::wrong_door);
  host.segments = {{one}, {two}};
  EXPECT_EQ(verdict(host, SegmentsFrom::snapshot), DoorVerdict::lost);
  EXPECT_EQ(verdict(host, SegmentsFrom::flat), DoorVerdict::wrong_door);
  host.segments = std::vector<Segment>{{one}};
  EXPECT_EQ(verdict(host, SegmentsFrom::snapshot), DoorVerdict::lost) << "not measured: alone";
}

TEST(TripExplanation, ANullRouteOfIPv6AnswersNobody) {
  Snapshot host = host6();
  host.routes.push_back(testing::route6("2001:db8:9::/48", loopback_index));
  const auto found =
      explain_round_trip(host, ip("fd00::1"), ip("2001:db8:9::9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::lost);
  EXPECT_EQ(found.trip.cause, Cause::no_route);
}

// ip6_dst_lookup_tail(): a source is chosen, and the rules are asked again with it.
TEST(Explanation, OfIPv6SaysWhatASocketGetsWhereThatDiffers) {
  Snapshot host = host6();
  const IfIndex two = link(host, "fd00::2");
  Flow flow;
  flow.dst = ip("fd00::9");
  EXPECT_FALSE(explain(Fib(host), flow).socket);
  flow.src = ip("fd00::1");
  flow.oif = two;
  std::erase_if(host.routes, [&](const Route& each) {
    return each.table == table_main && each.next_hops.front().link == two;
  });
  const Explanation found = explain(Fib(host), flow);
  EXPECT_EQ(found.lookup.link, link(host, "fd00::1"));
  ASSERT_TRUE(found.socket);
  EXPECT_EQ(found.socket->errnum, ENETUNREACH);
}

TEST(TripExplanation, ATentativeIPv6AddressIsSilent) {
  Snapshot host = host6();
  for (Address& own : host.addresses) {
    if (own.local.address == ip("fd00::2")) own.flags = 0x40;
  }
  const auto found = explain_round_trip(host, ip("fd00::2"), ip("fd00::9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::lost);
  EXPECT_TRUE(found.trip.arp_answered_by.empty());
}

TEST(TripExplanation, AnAddressAloneInItsSubnet) {
  Snapshot host = testing::bare_host();
  testing::add_nic(host, "eth0", "10.0.0.1/24");
  testing::add_nic(host, "eth1", "10.1.0.1/24");
  const auto found =
      explain_round_trip(host, ip("10.1.0.1"), ip("10.1.0.9"), SegmentsFrom::snapshot);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::same_door);
  ASSERT_EQ(found.trip.arp.size(), 1U);
  EXPECT_EQ(found.trip.arp[0].link, link(host, "eth1"));
}

}  // namespace
}  // namespace retour
