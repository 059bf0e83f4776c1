// SPDX-License-Identifier: Apache-2.0
//
// Every expectation here was measured on a kernel or stands in its own self-tests.
#include <gtest/gtest.h>

#include <cerrno>

#include "hosts.h"
#include "model/fib.h"

namespace retour {
namespace {

using testing::add_nic;
using testing::bare_host;
using testing::ip;
using testing::prefix;
using testing::route;

Flow to(const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  if (src != nullptr) flow.src = ip(src);
  return flow;
}

void insert(Snapshot& host, const Rule& rule) {
  const auto at = std::find_if(host.rules.begin(), host.rules.end(),
                               [&](const Rule& r) { return r.priority > rule.priority; });
  host.rules.insert(at, rule);
  host.hidden.custom_rules_v4 = true;
}

struct FibTest : ::testing::Test {
  FibTest() : e0(add_nic(host, "e0", "10.0.0.1/24")), e1(add_nic(host, "e1", "10.0.1.1/24")) {
    // A table of its own, so that a rule that matched can be told from one that did not.
    host.routes.push_back(route("0.0.0.0/0", e1, TableId{100}));
  }
  [[nodiscard]] bool matches(const Rule& rule, const Flow& flow) const {
    Snapshot with = host;
    insert(with, rule);
    return Fib(with).output(flow).table == TableId{100};
  }
  static Rule selector() { return testing::rule(1000, TableId{100}); }

  Snapshot host = bare_host();
  IfIndex e0, e1;
};

TEST_F(FibTest, LongestPrefixThenMetricThenOrder) {
  Route better = route("10.0.0.0/25", e1);
  host.routes.push_back(better);
  EXPECT_EQ(Fib(host).output(to("10.0.0.9")).link, e1);
  EXPECT_EQ(Fib(host).output(to("10.0.0.200")).link, e0);
  Route tie = route("10.0.0.0/24", e1);
  host.routes.push_back(tie);
  EXPECT_EQ(Fib(host).output(to("10.0.0.200")).link, e0) << "first added wins";
  host.routes.front().metric = 5;
  EXPECT_EQ(Fib(host).output(to("10.0.0.200")).link, e1) << "lower metric wins";
}

TEST_F(FibTest, NoRouteNamesEveryRuleItTried) {
  const Lookup lookup = Fib(host).output(to("192.0.2.1"));
  EXPECT_EQ(lookup.verdict, Verdict::no_route);
  EXPECT_EQ(lookup.errnum, ENETUNREACH);
  EXPECT_EQ(lookup.steps.size(), 3U);
}

TEST_F(FibTest, LocalAndMainAreOneTrieUntilTheFirstRule) {
  Route wide = route("10.5.0.0/16", e0, table_local);
  wide.type = RouteType::local;
  host.routes.push_back(wide);
  Route narrow = route("10.5.1.0/24", e1);
  narrow.next_hops[0].gateway = ip("10.0.1.9");
  host.routes.push_back(narrow);
  host.hidden.custom_rules_v4 = false;
  EXPECT_EQ(Fib(host).output(to("10.5.1.1")).verdict, Verdict::unicast);
  host.hidden.custom_rules_v4 = true;
  EXPECT_EQ(Fib(host).output(to("10.5.1.1")).verdict, Verdict::local);
}

TEST_F(FibTest, SourceMustBeOurs) {
  const Lookup lookup = Fib(host).output(to("10.0.1.9", "10.0.0.77"));
  EXPECT_EQ(lookup.verdict, Verdict::invalid);
  EXPECT_EQ(lookup.errnum, ENETUNREACH);
  EXPECT_TRUE(Fib(host).output(to("10.0.1.9", "10.0.0.1")).ok()) << "any link's address will do";
}

TEST_F(FibTest, UnboundSourceIsPrefsrcElseSelected) {
  EXPECT_EQ(Fib(host).output(to("10.0.1.9")).source, ip("10.0.1.1"));
  Route gateway = route("0.0.0.0/0", e1);
  gateway.scope = scope_global;
  gateway.next_hops[0].gateway = ip("10.0.1.254");
  host.routes.push_back(gateway);
  const Lookup lookup = Fib(host).output(to("192.0.2.1"));
  EXPECT_EQ(lookup.source, ip("10.0.1.1"));
  EXPECT_EQ(lookup.gateway, ip("10.0.1.254"));
}

TEST_F(FibTest, RejectRoutesAndRules) {
  Route blackhole = route("192.0.2.0/24", IfIndex{});
  blackhole.type = RouteType::blackhole;
  Route unreachable = route("198.51.100.0/24", IfIndex{});
  unreachable.type = RouteType::unreachable;
  Route prohibit = route("203.0.113.0/24", IfIndex{});
  prohibit.type = RouteType::prohibit;
  host.routes.insert(host.routes.end(), {blackhole, unreachable, prohibit});
  const Fib fib(host);
  EXPECT_EQ(fib.output(to("192.0.2.1")).errnum, EINVAL);
  EXPECT_EQ(fib.output(to("198.51.100.1")).errnum, EHOSTUNREACH);
  EXPECT_EQ(fib.output(to("203.0.113.1")).errnum, EACCES);
  Flow bound = to("203.0.113.1");
  bound.oif = e1;
  EXPECT_EQ(fib.output(bound).link, e1) << "a device-bound socket ignores any error";
  Rule rule = selector();
  rule.action = RuleAction::unreachable;
  insert(host, rule);
  EXPECT_EQ(Fib(host).output(to("10.0.1.9")).errnum, ENETUNREACH);
}

TEST_F(FibTest, ThrowGoesOnToTheNextRule) {
  Route back = route("10.0.0.0/24", IfIndex{}, TableId{100});
  back.type = RouteType::throw_;
  host.routes.push_back(back);
  insert(host, selector());
  const Fib fib(host);
  EXPECT_EQ(fib.output(to("10.0.0.9")).table, table_main);
  EXPECT_EQ(fib.output(to("10.0.9.9")).table, TableId{100});
}

TEST_F(FibTest, FromMatchesBoundSocketsOnly) {
  Rule rule = selector();
  rule.from = prefix("10.0.0.1");
  EXPECT_TRUE(matches(rule, to("192.0.2.1", "10.0.0.1")));
  EXPECT_FALSE(matches(rule, to("192.0.2.1")));
  EXPECT_FALSE(matches(rule, to("192.0.2.1", "10.0.1.1")));
  rule.from = prefix("0.0.0.0/8");
  EXPECT_TRUE(matches(rule, to("192.0.2.1"))) << "an unset source is 0.0.0.0";
}

TEST_F(FibTest, TosUsesTheOldMask) {
  Rule rule = selector();
  rule.tos = 0x10;
  for (const int tos : {0x10, 0x11, 0x12, 0x13, 0x30, 0xf0}) {
    Flow flow = to("192.0.2.1");
    flow.tos = static_cast<std::uint8_t>(tos);
    EXPECT_TRUE(matches(rule, flow)) << tos;
  }
  for (const int tos : {0x0, 0x14, 0x20}) {
    Flow flow = to("192.0.2.1");
    flow.tos = static_cast<std::uint8_t>(tos);
    EXPECT_FALSE(matches(rule, flow)) << tos;
  }
}

TEST_F(FibTest, DscpComparesAllSixBits) {
  Rule rule = selector();
  rule.dscp = 0x3f;
  Flow flow = to("192.0.2.1");
  flow.tos = 0xfc;
  EXPECT_TRUE(matches(rule, flow));
  flow.tos = 0xf4;
  EXPECT_FALSE(matches(rule, flow));
  rule.dscp = 0x0f;
  rule.dscp_mask = 0x0f;
  flow.tos = 0x3c | 0xc0;
  EXPECT_TRUE(matches(rule, flow));
}

TEST_F(FibTest, MarkWithMask) {
  Rule rule = selector();
  rule.fwmark = 0x15;
  rule.fwmask = 0xf;
  Flow flow = to("192.0.2.1");
  flow.mark = 5;
  EXPECT_TRUE(matches(rule, flow)) << "bits outside the mask do not count";
  flow.mark = 6;
  EXPECT_FALSE(matches(rule, flow));
  rule.fwmask = 0;
  EXPECT_TRUE(matches(rule, flow));
}

TEST_F(FibTest, PortsProtocolUid) {
  Rule rule = selector();
  rule.ip_proto = 17;
  rule.dport = Range<std::uint16_t>{100, 200};
  Flow flow = to("192.0.2.1");
  flow.ip_proto = 17;
  flow.dport = 150;
  EXPECT_TRUE(matches(rule, flow));
  flow.dport = 201;
  EXPECT_FALSE(matches(rule, flow));
  flow.dport = 150;
  flow.ip_proto = 6;
  EXPECT_FALSE(matches(rule, flow));
  Rule masked = selector();
  masked.sport = Range<std::uint16_t>{0x0f00, 0x0f00};
  masked.sport_mask = 0xff00;
  flow.sport = 0x0f42;
  EXPECT_TRUE(matches(masked, flow));
  flow.sport = 0x0e42;
  EXPECT_FALSE(matches(masked, flow));
  Rule user = selector();
  user.uid = Range<std::uint32_t>{100, 100};
  flow.uid = 100;
  EXPECT_TRUE(matches(user, flow));
  flow.uid = 101;
  EXPECT_FALSE(matches(user, flow));
}

TEST_F(FibTest, NotInvertsAndAloneNeverMatches) {
  Rule rule = selector();
  rule.invert = true;
  EXPECT_FALSE(matches(rule, to("192.0.2.1")));
  rule.to = prefix("10.0.0.0/24");
  EXPECT_TRUE(matches(rule, to("192.0.2.1")));
  EXPECT_FALSE(matches(rule, to("10.0.0.9")));
}

TEST_F(FibTest, InterfaceSelectors) {
  Rule rule = selector();
  rule.iif = "lo";
  EXPECT_TRUE(matches(rule, to("192.0.2.1"))) << "what this host sends has iif lo";
  rule.iif = "e0";
  EXPECT_FALSE(matches(rule, to("192.0.2.1")));
  rule.iif = "nowhere0";
  EXPECT_FALSE(matches(rule, to("192.0.2.1"))) << "detached";
  rule.iif.clear();
  rule.oif = "e1";
  Flow flow = to("192.0.2.1");
  EXPECT_FALSE(matches(rule, flow));
  flow.oif = e1;
  EXPECT_TRUE(matches(rule, flow));
}

TEST_F(FibTest, GotoJumpsAndUnresolvedDoesNothing) {
  Rule jump = testing::rule(900, TableId{});
  jump.action = RuleAction::goto_;
  jump.goto_target = 32766;
  insert(host, jump);
  EXPECT_FALSE(matches(selector(), to("10.0.0.9"))) << "jumped over";
  host.rules[1].goto_target = 12345;
  EXPECT_TRUE(matches(selector(), to("10.0.0.9")));
}

TEST_F(FibTest, SuppressKeepsOnlyMoreSpecific) {
  Rule guard = testing::rule(900, table_main);
  guard.to = prefix("10.0.0.0/24");
  guard.suppress_prefixlength = 24;
  insert(host, guard);
  EXPECT_TRUE(matches(selector(), to("10.0.0.9"))) << "the /24 itself is suppressed";
  host.routes.push_back(route("10.0.0.9/32", e0));
  const Lookup lookup = Fib(host).output(to("10.0.0.9"));
  EXPECT_EQ(lookup.link, e0);
  EXPECT_EQ(lookup.rule_priority, 900U);
}

// fib_check_nh_v4_gw(): the route's own table is asked first, and may know no local addresses.
TEST_F(FibTest, GatewayThatIsOrWasTheHostItself) {
  const auto gateways = [this](const char* dst) {
    std::vector<std::optional<Ip>> found;
    for (const Way& way : Fib(host).output(to(dst)).candidates) found.push_back(way.gateway);
    return found;
  };
  const std::vector<std::optional<Ip>> sure{ip("10.0.0.9")};
  const std::vector<std::optional<Ip>> unsure{ip("10.0.0.9"), std::nullopt};
  Route through = route("192.0.2.0/24", e0);
  through.scope = scope_global;
  through.next_hops[0].gateway = ip("10.0.0.9");
  host.routes.push_back(through);
  EXPECT_EQ(gateways("192.0.2.1"), sure);
  const Snapshot before = host;
  host.routes.push_back(route("10.0.0.8/30", e0, table_local));
  host.routes.back().type = RouteType::local;
  host.routes.back().scope = scope_host;
  EXPECT_EQ(gateways("192.0.2.1"), unsure) << "a local route holds it";
  host = before;
  Address later = host.addresses.front();
  later.local.address = ip("10.0.0.9");
  host.addresses.push_back(later);
  EXPECT_EQ(gateways("192.0.2.1"), unsure) << "its own address, which may have come later";
  host = before;
  std::erase_if(host.routes, [](const Route& each) { return each.dst == prefix("10.0.0.0/24"); });
  EXPECT_EQ(gateways("192.0.2.1"), unsure) << "nothing leads there any more";
  host = before;
  host.conf_all.set(Conf::ignore_routes_with_linkdown, 1);
  for (Route& each : host.routes) {
    if (each.dst == prefix("10.0.0.0/24")) each.next_hops[0].flags = 16;
  }
  EXPECT_EQ(gateways("192.0.2.1"), sure) << "nor does a lost carrier matter";
}

// fib4_rule_suppress() asks for the group of the route's first leg, whichever is taken.
TEST_F(FibTest, SuppressedByTheGroupOfTheFirstLeg) {
  Route both = route("192.0.2.0/24", e0, TableId{100});
  both.next_hops.push_back({e1, std::nullopt, 0, 1});
  host.routes.push_back(both);
  for (Link& link : host.links) {
    if (link.index == e0) link.group = 5;
  }
  Rule rule = selector();
  rule.suppress_ifgroup = 5;
  insert(host, rule);
  Flow bound = to("192.0.2.1");
  bound.oif = e1;
  EXPECT_NE(Fib(host).output(bound).table, TableId{100});
}

TEST_F(FibTest, MultipathIsASetUnlessTheSourceDecides) {
  Route both = route("192.0.2.0/24", e0);
  both.scope = scope_global;
  both.next_hops = {{e0, ip("10.0.0.254"), 0, 1}, {e1, ip("10.0.1.254"), 0, 1}};
  host.routes.push_back(both);
  const Fib fib(host);
  EXPECT_EQ(fib.output(to("192.0.2.1")).candidates.size(), 2U);
  const Lookup own = fib.output(to("192.0.2.1", "10.0.1.1"));
  ASSERT_EQ(own.candidates.size(), 1U);
  EXPECT_EQ(own.candidates[0].link, e1);
  EXPECT_EQ(own.candidates[0].gateway, ip("10.0.1.254"));
  host.kernel = "6.1.0";
  EXPECT_EQ(Fib(host).output(to("192.0.2.1", "10.0.1.1")).candidates.size(), 2U)
      << "before 6.16 the source did not count";
}

TEST_F(FibTest, UnusableNexthopObjectHidesTheWholeLeaf) {
  NextHopObject object;
  object.id = 7;
  object.leg = {e1, std::nullopt, 0, 1};
  host.nexthops.push_back(object);
  Route by_object = route("10.92.0.0/24", e1);
  by_object.nexthop_id = 7;
  by_object.metric = 10;
  Route plain = route("10.92.0.0/24", e0);
  plain.metric = 20;
  Route wide = route("10.92.0.0/16", e0);
  Route widest = route("10.0.0.0/8", e0);
  host.routes.insert(host.routes.end(), {by_object, plain, wide, widest});
  Flow flow = to("10.92.0.9");
  flow.oif = e0;
  const Lookup lookup = Fib(host).output(flow);
  ASSERT_TRUE(lookup.route.has_value());
  EXPECT_EQ(host.routes[*lookup.route].dst, prefix("10.0.0.0/8"));
}

struct InputTest : FibTest {
  InputTest() { testing::set_gates(host, 0, 0, 0); }
  [[nodiscard]] Lookup from(const char* src, const char* dst, IfIndex on) const {
    Flow flow = to(dst, src);
    flow.iif = on;
    return Fib(host).input(flow);
  }
};

TEST_F(InputTest, StrictLooseOff) {
  const auto verdict = [&] { return from("10.0.0.9", "10.0.0.1", e1).verdict; };
  EXPECT_EQ(verdict(), Verdict::local);
  testing::set_gates(host, 1, 0, 0);
  EXPECT_EQ(verdict(), Verdict::rp_filter);
  EXPECT_EQ(from("10.0.0.9", "10.0.0.1", e0).verdict, Verdict::local);
  testing::set_gates(host, 2, 0, 0);
  EXPECT_EQ(verdict(), Verdict::local);
  EXPECT_EQ(from("192.0.2.9", "10.0.0.1", e1).verdict, Verdict::rp_filter) << "loose, no route";
}

TEST_F(InputTest, OwnAddressAsSourceIsMartianAtAnySetting) {
  for (const int filter : {0, 1, 2}) {
    testing::set_gates(host, filter, 0, 0);
    EXPECT_EQ(from("10.0.1.1", "10.0.0.1", e0).verdict, Verdict::martian) << filter;
  }
  host.conf_all.set(Conf::accept_local, 1);
  testing::set_gates(host, 0, 0, 0);
  EXPECT_EQ(from("10.0.1.1", "10.0.0.1", e0).verdict, Verdict::local);
}

TEST_F(InputTest, LooseDropsOnALinkWithoutAddress) {
  testing::set_gates(host, 2, 0, 0);
  std::erase_if(host.addresses, [&](const Address& address) { return address.link == e1; });
  EXPECT_EQ(from("10.0.0.9", "10.0.0.1", e1).verdict, Verdict::rp_filter);
}

TEST_F(InputTest, NotForUsWithoutForwarding) {
  const Lookup lookup = from("10.0.0.9", "10.0.1.9", e0);
  EXPECT_EQ(lookup.verdict, Verdict::no_forward);
  EXPECT_EQ(lookup.errnum, EHOSTUNREACH);
}

TEST_F(InputTest, LoopbackAndZeroAreMartian) {
  EXPECT_EQ(from("127.0.0.1", "10.0.0.1", e0).verdict, Verdict::martian);
  EXPECT_EQ(from("10.0.0.9", "127.0.0.1", e0).verdict, Verdict::martian);
  EXPECT_EQ(from("0.0.0.0", "10.0.0.1", e0).verdict, Verdict::martian);
}

}  // namespace
}  // namespace retour
