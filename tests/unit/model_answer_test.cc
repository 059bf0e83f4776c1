// SPDX-License-Identifier: Apache-2.0
//
// The comparison that the differential test trusts: it must see every kind of difference, and none
// where the kernel merely says less.
#include <gtest/gtest.h>

#include <cerrno>

#include "model/answer.h"
#include "unit/hosts.h"

namespace retour {
namespace {

using testing::ip;

class AnswerTest : public ::testing::Test {
 protected:
  AnswerTest() : host(testing::bare_host()) {
    e0 = testing::add_nic(host, "e0", "10.0.0.1/24");
    e1 = testing::add_nic(host, "e1", "10.0.1.1/24");
    lookup.flow.dst = ip("8.8.8.8");
    lookup.verdict = Verdict::unicast;
    lookup.table = table_main;
    lookup.link = e0;
    lookup.gateway = ip("10.0.0.9");
    lookup.source = ip("10.0.0.1");
    lookup.candidates = {{e0, lookup.gateway, lookup.source, std::nullopt}};
    answer.type = RouteType::unicast;
    answer.table = table_main;
    answer.link = e0;
    answer.gateway = lookup.gateway;
    answer.source = lookup.source;
  }
  [[nodiscard]] std::string differs() const { return difference(host, lookup, answer); }

  Snapshot host;
  IfIndex e0, e1;
  Lookup lookup;
  Answer answer;
};

TEST_F(AnswerTest, NothingDiffers) { EXPECT_EQ(differs(), ""); }

TEST_F(AnswerTest, EachPartIsSeen) {
  answer.link = e1;
  EXPECT_EQ(differs(), "device: e0, the kernel says e1");
  answer.link = e0;
  answer.gateway = ip("10.0.0.8");
  EXPECT_EQ(differs(), "gateway: 10.0.0.9, the kernel says 10.0.0.8");
  answer.gateway.reset();
  EXPECT_EQ(differs(), "gateway: 10.0.0.9, the kernel says none");
  answer.gateway = lookup.gateway;
  answer.source = ip("10.0.0.2");
  EXPECT_EQ(differs(), "source: 10.0.0.1, the kernel says 10.0.0.2");
  answer.source = lookup.source;
  answer.table = TableId{100};
  EXPECT_EQ(differs(), "table: 254, the kernel says 100");
  answer.table = table_main;
  answer.type = RouteType::local;
  EXPECT_EQ(differs(), "type: unicast, the kernel says local");
}

TEST_F(AnswerTest, ErrorsAreComparedByNumber) {
  answer = {};
  answer.errnum = ENETUNREACH;
  EXPECT_EQ(differs(), "error: success (unicast), the kernel says ENETUNREACH");
  lookup.verdict = Verdict::unreachable;
  lookup.errnum = EHOSTUNREACH;
  EXPECT_EQ(differs(), "error: EHOSTUNREACH (unreachable), the kernel says ENETUNREACH");
  lookup.errnum = ENETUNREACH;
  EXPECT_EQ(differs(), "");
}

TEST_F(AnswerTest, OneOfSeveralWaysIsRight) {
  lookup.candidates.push_back({e1, ip("10.0.1.9"), ip("10.0.1.1"), std::nullopt});
  EXPECT_EQ(differs(), "");
  answer.link = e1;
  answer.gateway = ip("10.0.1.9");
  answer.source = ip("10.0.1.1");
  EXPECT_EQ(differs(), "");
  answer.source = ip("10.0.0.1");  // of the other way: a mixture is none of them
  EXPECT_EQ(differs(), "source: 10.0.1.1, the kernel says 10.0.0.1 (nearest of 2 candidates)");
}

TEST_F(AnswerTest, AnUnsetSourceIsNone) {
  lookup.source.reset();
  lookup.candidates.front().source.reset();
  EXPECT_NE(differs(), "");
  answer.source.reset();
  EXPECT_EQ(differs(), "");
  answer.source = ip("0.0.0.0");
  EXPECT_EQ(differs(), "");
}

TEST_F(AnswerTest, TheSourceThatWasAskedWithIsNotRepeated) {
  lookup.flow.src = ip("10.0.0.1");
  answer.source.reset();
  EXPECT_EQ(differs(), "");
}

TEST_F(AnswerTest, InputNamesNoSource) {
  lookup.flow.iif = e1;
  lookup.source.reset();
  lookup.candidates.front().source.reset();
  answer.source.reset();
  EXPECT_EQ(differs(), "");
  answer.link = e1;
  EXPECT_NE(differs(), "");
}

TEST_F(AnswerTest, WhatIsDeliveredHereGoesByLo) {
  lookup.verdict = Verdict::local;
  lookup.table = table_local;
  lookup.link = loopback_index;
  lookup.gateway.reset();  // the candidates are what the local route named: no way to choose
  answer = {};
  answer.type = RouteType::local;
  answer.table = table_local;
  answer.link = loopback_index;
  answer.source = lookup.source;
  EXPECT_EQ(differs(), "");
  answer.link = e0;
  EXPECT_EQ(differs(), "device: lo, the kernel says e0");
}

TEST_F(AnswerTest, TheMatchedEntryIsComparedWhole) {
  host.routes.push_back(testing::route("8.0.0.0/8", e0));
  const auto index = static_cast<std::uint32_t>(host.routes.size() - 1);
  lookup.route = index;
  lookup.candidates.front().route = index;
  std::optional<Route> matched = host.routes.back();
  EXPECT_EQ(difference(host, lookup, matched), "");
  matched->metric = 5;
  EXPECT_EQ(difference(host, lookup, matched), "matched metric: 0, the kernel says 5");
  matched = host.routes.back();
  matched->next_hops.front().link = e1;
  EXPECT_EQ(difference(host, lookup, matched),
            "matched legs: [e0 none 1], the kernel says [e1 none 1]");
  EXPECT_EQ(difference(host, lookup, std::optional<Route>{}),
            "matched: 8.0.0.0/8, the kernel says nothing");
  lookup.route.reset();
  lookup.candidates.front().route.reset();
  EXPECT_EQ(difference(host, lookup, std::optional<Route>{}), "");
  EXPECT_EQ(difference(host, lookup, matched), "matched: nothing, the kernel says 8.0.0.0/8");
}

TEST(AsAskedTest, SaysWhatTheKernelWouldMakeOfIt) {
  Flow flow;
  flow.dst = ip("10.0.0.1");
  EXPECT_EQ(as_asked(flow).ip_proto, 17) << "IPv4 takes UDP";
  flow.dst = ip("fd00::1");
  EXPECT_EQ(as_asked(flow).ip_proto, 0) << "IPv6 does not";
  flow.dst = ip("10.0.0.1");
  flow.ip_proto = 1;
  flow.sport = 7;
  flow.oif = IfIndex{3};
  EXPECT_EQ(as_asked(flow).sport, 7) << "output: the flow has what it is given";
  flow.iif = IfIndex{2};
  EXPECT_EQ(as_asked(flow).sport, 0) << "input: an ICMP packet has no ports";
  EXPECT_FALSE(as_asked(flow).oif) << "input: nobody looks at it";
}

TEST_F(AnswerTest, OnlyWhatSharesTheNexthopObjectMayBeMatchedInItsPlace) {
  Route ours = testing::route("fd00:a::/64", {});
  ours.nexthop_id = 10;
  host.routes.push_back(ours);
  host.nexthops = {{1, Family::v6, {e0, ip("fd00:1::fe"), 0, 1}, false, {}, 0, {}},
                   {2, Family::v6, {e1, ip("fd00:2::fe"), 0, 1}, false, {}, 0, {}},
                   {10, Family::v6, {}, false, {{1, 1}}, 0, {}}};
  lookup.flow.dst = ip("fd00:a::1");
  lookup.candidates = {
      {e0, ip("fd00:1::fe"), std::nullopt, static_cast<std::uint32_t>(host.routes.size() - 1)}};
  const auto matched = [&](std::uint32_t object) {
    Route other = testing::route("::/0", {});
    other.nexthop_id = object;
    return difference(host, lookup, std::optional(other));
  };
  EXPECT_EQ(matched(10), "");
  EXPECT_EQ(matched(1), "") << "a member of the group";
  EXPECT_EQ(matched(2), "matched nhid: 10, the kernel says 2");
  EXPECT_EQ(matched(0), "matched: a nexthop object, the kernel says otherwise");
}

}  // namespace
}  // namespace retour
