// SPDX-License-Identifier: Apache-2.0
//
// IPv6: rules, tables, what is sent and what is received. Every
// expectation here was measured on a kernel (6.18): RTM_GETROUTE on a host built alike.
#include "fib6_fixture.h"
#include "model/ndisc.h"

namespace retour {
namespace {

using testing::insert6;
using testing::ip;
using testing::nud_failed;
using testing::prefix;
using testing::reject6;
using testing::route6;
using testing::rule6;
using testing::set_neighbor;
using testing::to;
using testing::via6;

using Fib6Test = testing::Fib6Host;

TEST_F(Fib6Test, TheFirstOfTwoConnectedRoutesAndTheLinkAskedFor) {
  EXPECT_EQ(output(to("fd00:1::9")).link, e0);
  EXPECT_EQ(output(to("fd00:1::9")).source, ip("fd00:1::1"));
  EXPECT_EQ(output(to("fd00:1::9"), e1).link, e1);
  EXPECT_EQ(output(to("fd00:1::9"), e1).source, ip("fd00:1::2"));
  EXPECT_EQ(output(to("fd00:1::9", "fd00:1::1"), e1).link, e1) << "preferred, though not a must";
  EXPECT_EQ(output(to("fd00:9::1")).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("fd00:9::1")).verdict, Verdict::no_route);
  EXPECT_EQ(output(to("fd00:1::9", "1234::1")).link, e0) << "no source is refused";
}

TEST_F(Fib6Test, OwnAddresses) {
  const Lookup own = output(to("fd00:1::1"));
  EXPECT_EQ(own.verdict, Verdict::local);
  EXPECT_EQ(own.link, loopback_index);
  EXPECT_EQ(own.table, table_local);
  EXPECT_EQ(own.source, ip("fd00:1::1"));
  EXPECT_EQ(output(to("fd00:1::1"), e1).verdict, Verdict::unicast) << "bound elsewhere";
  EXPECT_EQ(output(to("fd00:1::1"), e1).link, e1);
  EXPECT_EQ(output(to("fd00:1::1", "fd00:1::2"), e1).verdict, Verdict::local);
  EXPECT_EQ(output(to("fd00:2::1"), e1).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("::1")).verdict, Verdict::local);
  EXPECT_EQ(output(to("::1"), e0).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("::")).errnum, ENETUNREACH);
}

TEST_F(Fib6Test, LinkLocalAndGroupsNeedTheLink) {
  EXPECT_EQ(output(to("ff02::1")).verdict, Verdict::multicast);
  EXPECT_EQ(output(to("ff02::1")).link, e0);
  EXPECT_EQ(output(to("ff02::1"), e1).link, e1);
  EXPECT_EQ(output(to("ff02::1", "fd00:1::1"), e1).link, e1);
  EXPECT_EQ(output(to("ff02::1"), e1).source, ip("fe80::3"));
  EXPECT_EQ(output(to("ff05::1"), e1).source, ip("fd00:1::2")) << "as far as the group reaches";
  EXPECT_EQ(output(to("fe80::99"), e1).link, e1);
  EXPECT_EQ(forward(to("fe80::99"), e2).link, e2);
}

TEST_F(Fib6Test, RejectingRoutesAreNotPassedByForALink) {
  add(reject6("fd00:b::/64", RouteType::unreachable));
  add(reject6("fd00:c::/64", RouteType::throw_));
  add(reject6("fd00:d::/64", RouteType::prohibit));
  add(reject6("fd00:e::/64", RouteType::blackhole, 5));
  add(route6("fd00:e::/64", e1, 6));
  EXPECT_EQ(output(to("fd00:b::1")).errnum, EHOSTUNREACH);
  EXPECT_EQ(output(to("fd00:c::1")).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("fd00:d::1")).errnum, EACCES);
  EXPECT_EQ(output(to("fd00:e::1")).errnum, EINVAL);
  EXPECT_EQ(output(to("fd00:b::1"), e1).errnum, ENETUNREACH) << "they hang on lo";
  EXPECT_EQ(output(to("fd00:e::1"), e1).link, e1);
  EXPECT_EQ(output(to("fd00:e::1", "fd00:1::1"), e1).errnum, EINVAL) << "the lowest metric has one";
  EXPECT_EQ(forward(to("fd00:b::1"), e1).errnum, EHOSTUNREACH);
}

TEST_F(Fib6Test, AUnicastRouteByLoopbackIsFoundAndRejects) {
  add(route6("fd00:a::/64", loopback_index));
  EXPECT_EQ(output(to("fd00:a::1")).errnum, 0);
  EXPECT_EQ(output(to("fd00:a::1")).link, loopback_index);
  EXPECT_EQ(input(to("fd00:a::1", "fd00:1::9"), e0).verdict, Verdict::unreachable);
}

TEST_F(Fib6Test, TypesThatPeopleMaySet) {
  Route local = route6("fd00:10::/64", e1);
  local.type = RouteType::local;
  Route anycast = route6("fd00:11::/64", e1);
  anycast.type = RouteType::anycast;
  Route broadcast = route6("fd00:12::/64", e1);
  broadcast.type = RouteType::broadcast;
  for (const Route& route : {local, anycast, broadcast}) add(route);
  EXPECT_EQ(output(to("fd00:10::1")).link, loopback_index);
  EXPECT_EQ(output(to("fd00:10::1")).source, ip("fd00:1::2"));
  EXPECT_EQ(output(to("fd00:11::1")).link, e1) << "the kernel's own alone are delivered here";
  EXPECT_EQ(output(to("fd00:11::1")).verdict, Verdict::anycast);
  EXPECT_EQ(output(to("fd00:12::1")).verdict, Verdict::broadcast);
  Route kernels = route6("fd00:13::", e1, 0);
  kernels.type = RouteType::anycast;
  add(kernels);
  EXPECT_EQ(output(to("fd00:13::")).link, loopback_index);
}

TEST_F(Fib6Test, RulesAreNotConsultedUntilOneWasAdded) {
  host.rules.clear();
  host.hidden.custom_rules_v6 = false;
  EXPECT_EQ(output(to("fd00:1::9")).link, e0) << "the kernel's own were deleted, nothing changed";
  host.hidden.custom_rules_v6 = true;
  EXPECT_EQ(output(to("fd00:1::9")).errnum, ENETUNREACH);
  host.hidden.custom_rules_v6.reset();
  EXPECT_EQ(output(to("fd00:1::9")).link, e0) << "unknown, and none shows that it was";
}

TEST_F(Fib6Test, Selectors) {
  const auto refused = [&](const Rule& rule, const Flow& flow) {
    Snapshot with = host;
    insert6(with, rule);
    return Fib(with).output(flow).errnum == EACCES;
  };
  Rule rule = rule6(3, {});
  rule.action = RuleAction::prohibit;
  Rule from = rule;
  from.from = prefix("::/1");
  EXPECT_FALSE(refused(from, to("fd00:1::9"))) << "a source not known yet matches no prefix";
  EXPECT_TRUE(refused(from, to("fd00:1::9", "::5")));
  from.from = prefix("fd00::/8");
  from.invert = true;
  EXPECT_TRUE(refused(from, to("fd00:1::9")));
  EXPECT_FALSE(refused(from, to("fd00:1::9", "fd00:1::1")));
  Rule tos = rule;
  tos.tos = 0x20;
  Flow flow = to("fd00:1::9");
  for (const auto& [value, matches] : std::vector<std::pair<int, bool>>{
           {0x20, true}, {0x23, true}, {0x24, false}, {0xa0, false}}) {
    flow.tos = static_cast<std::uint8_t>(value);
    EXPECT_EQ(refused(tos, flow), matches) << value;
  }
  Rule dscp = rule;
  dscp.dscp = 0;
  flow.tos = 0;
  EXPECT_TRUE(refused(dscp, flow));
  flow.tos = 4;
  EXPECT_FALSE(refused(dscp, flow));
  Rule label = rule;
  label.flowlabel = 0x45;
  label.flowlabel_mask = 0xff;
  flow.flowlabel = 0x145;
  EXPECT_TRUE(refused(label, flow));
  flow.flowlabel = 0x46;
  EXPECT_FALSE(refused(label, flow));
  Rule udp = rule;
  udp.ip_proto = 17;
  EXPECT_FALSE(refused(udp, to("fd00:1::9"))) << "no protocol is taken for granted";
}

TEST_F(Fib6Test, RuleActions) {
  for (const auto& [action, error] :
       std::vector<std::pair<RuleAction, int>>{{RuleAction::blackhole, EINVAL},
                                               {RuleAction::unreachable, ENETUNREACH},
                                               {RuleAction::prohibit, EACCES}}) {
    Snapshot with = host;
    Rule rule = rule6(3, {});
    rule.action = action;
    insert6(with, rule);
    EXPECT_EQ(Fib(with).output(to("fd00:1::9")).errnum, error);
    Flow bound = to("fd00:1::9");
    bound.oif = e0;
    EXPECT_EQ(Fib(with).output(bound).errnum, error) << "a link does not help, unlike IPv4";
  }
}

TEST_F(Fib6Test, Suppressors) {
  Route narrow = route6("fd00:7::/64", e0);
  narrow.table = TableId{77};
  Route wide = route6("::/0", e1);
  wide.table = TableId{77};
  Route hole = reject6("fd00:8::/48", RouteType::blackhole);
  hole.table = TableId{77};
  for (const Route& route : {narrow, wide, hole}) add(route);
  Rule rule = rule6(3, TableId{77});
  rule.suppress_prefixlength = 0;
  insert6(host, rule);
  EXPECT_EQ(output(to("fd00:7::1")).link, e0);
  EXPECT_EQ(output(to("fd00:9::1")).errnum, ENETUNREACH);
  host.rules[1].suppress_prefixlength = 64;
  EXPECT_EQ(output(to("fd00:7::1")).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("fd00:8::1")).errnum, EINVAL) << "errors are never suppressed";
  host.rules[1].suppress_prefixlength.reset();
  host.rules[1].suppress_ifgroup = 5;
  link(e1).group = 5;
  EXPECT_EQ(output(to("fd00:9::1")).errnum, ENETUNREACH);
  EXPECT_EQ(output(to("fd00:7::1")).link, e0);
}

TEST_F(Fib6Test, Received) {
  EXPECT_EQ(input(to("fd00:1::1", "fd00:2::9"), e2).verdict, Verdict::local) << "any link will do";
  EXPECT_EQ(input(to("fd00:1::1", "fd00:1::2"), e2).verdict, Verdict::local)
      << "from one of our own addresses: there is no check of sources";
  EXPECT_EQ(input(to("fd00:1::9", "fd00:2::9"), e2).verdict, Verdict::no_forward);
  EXPECT_EQ(input(to("ff02::1", "fe80::9"), e1).verdict, Verdict::multicast);
  EXPECT_EQ(input(to("ff01::1", "fe80::9"), e1).verdict, Verdict::martian);
  EXPECT_EQ(input(to("ff00::1", "fe80::9"), e1).verdict, Verdict::martian);
  EXPECT_EQ(input(to("fd00:1::1", "ff02::9"), e1).verdict, Verdict::martian);
  EXPECT_EQ(input(to("fd00:1::1", "::1"), e1).verdict, Verdict::martian);
  EXPECT_EQ(input(to("::1", "fd00:1::9"), e1).verdict, Verdict::martian);
  EXPECT_EQ(input(to("::1", "::1"), loopback_index).verdict, Verdict::local);
  link(e1).conf6.set(Conf6::disable_ipv6, 1);
  EXPECT_EQ(input(to("fd00:1::1", "fd00:1::9"), e1).verdict, Verdict::invalid);
}

TEST_F(Fib6Test, ForwardingIsOfAllOrForced) {
  const Flow through = to("fd00:1::9", "fd00:2::9");
  link(e2).conf6.set(Conf6::forwarding, 1);
  EXPECT_EQ(input(through, e2).verdict, Verdict::no_forward) << "the link's own says nothing";
  link(e2).conf6.set(Conf6::force_forwarding, 1);
  EXPECT_EQ(input(through, e2).link, e0);
  link(e2).conf6.set(Conf6::force_forwarding, 0);
  set_all(Conf6::forwarding, 1);
  EXPECT_EQ(input(through, e2).link, e0);
  EXPECT_EQ(input(to("fd00:1::9", "fe80::9"), e2).verdict, Verdict::martian)
      << "what is of the link stays there";
  EXPECT_EQ(input(to("fd00:2::9", "fe80::9"), e2).link, e2) << "also when it is sent back";
  EXPECT_EQ(forward(to("fd00:1::9", "fe80::9"), e2).link, e0) << "the tables do not care";
  EXPECT_EQ(forward(to("fd00:1::9", "fd00:2::9"), e1).link, e1)
      << "the link it came by is preferred";
}

TEST_F(Fib6Test, ASocketWithoutSourceIsAskedForTwice) {
  std::erase_if(host.routes, [](const Route& route) { return route.table == table_main; });
  Route only = route6("fd00:3::/64", e2);
  only.table = TableId{100};
  add(only);
  Rule rule = rule6(100, TableId{100});
  rule.from = prefix("fd00:2::/64");
  insert6(host, rule);
  const Fib6 fib(host);
  EXPECT_EQ(fib.output(to("fd00:3::1")).errnum, ENETUNREACH);
  const Lookup socket = fib.connect(to("fd00:3::1"));
  EXPECT_EQ(socket.errnum, 0);
  EXPECT_EQ(socket.link, e2);
  EXPECT_EQ(socket.source, ip("fd00:2::1"));
}

TEST_F(Fib6Test, AReceivedPacketHasASourceAlsoWhereItIsNone) {
  Rule rule = rule6(100, {});
  rule.action = RuleAction::prohibit;
  rule.from = prefix("::/96");
  insert6(host, rule);
  const Flow probe = to("ff02::1:ff00:1", "::");
  rule.priority = 0;
  host.rules.front().priority = 1;
  EXPECT_EQ(input(to("fd00:9::1", "::"), e0).errnum, EACCES);
  EXPECT_EQ(forward(to("fd00:9::1", "::"), e0).errnum, ENETUNREACH) << "RTM_GETROUTE has none";
  EXPECT_EQ(output(to("fd00:9::1")).errnum, ENETUNREACH);
  EXPECT_EQ(input(probe, e0).verdict, Verdict::multicast);
  host.rules.erase(host.rules.begin() + 1);
  insert6(host, rule);
  EXPECT_EQ(input(probe, e0).errnum, EACCES);
  const auto hears = [&](const char* sender) {
    const Fib fib(host);
    return hear_solicitation(fib, {ip(sender), ip("fd00:1::1")}, {e0}).front();
  };
  EXPECT_FALSE(hears("::").answers) << "the probe is dropped";
  EXPECT_EQ(hears("::").silent_because, Cause::no_route);
  EXPECT_TRUE(hears("fd00:1::9").answers);
  link(e0).conf6.set(Conf6::disable_ipv6, 1);
  EXPECT_EQ(hears("fd00:1::9").silent_because, Cause::disable_ipv6);
}

TEST_F(Fib6Test, Considered) {
  add(via6("fd00:a::/64", e0, "fd00:1::fe", 10));
  add(route6("fd00:a::/64", e1, 20));
  Route expired = route6("fd00:a::/64", e2, 5);
  expired.expired = true;
  add(expired);
  Route special = route6("fd00:a::/64", e2);
  special.src = prefix("fd00:2::/64");
  add(special);
  add(route6("fd00::/16", e2));
  set_neighbor(host, e0, "fd00:1::fe", nud_failed);
  const auto first = static_cast<std::uint32_t>(host.routes.size() - 5);
  const auto outcome = [&](const Flow& flow, std::uint32_t nth) {
    const auto all = Fib6(host).consider(table_main, flow);
    const auto it = std::ranges::find(all, first + nth, &Considered::route);
    return it != all.end() ? std::optional(it->outcome) : std::nullopt;
  };
  const Flow plain = to("fd00:a::1", "fd00:1::1");
  EXPECT_EQ(outcome(plain, 0), RouteOutcome::left_out);
  EXPECT_EQ(outcome(plain, 3), RouteOutcome::other_source);
  EXPECT_EQ(outcome(plain, 4), RouteOutcome::taken);
  const Flow fits = to("fd00:a::1", "fd00:2::1");
  EXPECT_EQ(outcome(fits, 3), RouteOutcome::taken);
  EXPECT_EQ(outcome(fits, 4), RouteOutcome::not_reached);
  host.routes.erase(host.routes.begin() + first + 3);
  EXPECT_EQ(outcome(plain, 0), RouteOutcome::no_answer);
  EXPECT_EQ(outcome(plain, 1), RouteOutcome::taken);
  EXPECT_EQ(outcome(plain, 2), RouteOutcome::expired);
  EXPECT_EQ(outcome(plain, 3), RouteOutcome::not_reached);
}

TEST_F(Fib6Test, DestinationsAreWhatDecideSays) {
  add(via6("fd00:a::/64", e0, "fd00:1::fe"));
  add(reject6("fd00:a::/80", RouteType::prohibit));
  Rule rule = rule6(100, TableId{100});
  rule.to = prefix("fd00:b::/48");
  insert6(host, rule);
  Flow flow;
  flow.dst = ip("::");
  flow.oif = e1;
  const Fib6 fib(host);
  const Destinations all = fib.destinations(flow);
  for (const char* dst : {"::", "::1", "::2", "fd00:a::1", "fd00:a:0:0:1::1", "fd00:b::1",
                          "fd00:1::2", "fe80::1", "ff02::1", "febf::1", "fec0::1"}) {
    flow.dst = ip(dst);
    EXPECT_EQ(all.decide(flow.dst), fib.decide(flow)) << dst;
  }
}

}  // namespace
}  // namespace retour
