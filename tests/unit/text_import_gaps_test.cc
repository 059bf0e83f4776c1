// SPDX-License-Identifier: Apache-2.0
//
// What a text does not say: tables, families, objects that were not pasted. Inferred where only one
// thing can be meant, told by the user, or noted; and what cannot be, at the line that says it.
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/describe.h"
#include "text/import.h"

namespace retour {
namespace {

Snapshot import(const ImportTexts& texts) {
  auto host = import_texts(texts);
  EXPECT_TRUE(host) << host.error().message() << " / " << host.error().hint;
  return host ? *host : Snapshot{};
}

bool noted(const Snapshot& host, std::string_view words) {
  return std::ranges::any_of(
      host.notes, [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

ImportTexts routes(std::string text) {
  ImportTexts texts;
  texts.route = NamedText{"r", std::move(text)};
  return texts;
}

ImportTexts links_and(std::string routes = "") {
  ImportTexts texts;
  texts.addr = NamedText{
      "a", "2: a: <UP> mtu 1500\n    inet 10.0.0.1/24 scope global a\n3: b: <UP> mtu 1500\n"};
  if (!routes.empty()) texts.route = NamedText{"r", std::move(routes)};
  return texts;
}

TEST(ImportGaps, TableOfAListingIsTold) {
  ImportTexts texts = routes("default via 10.0.0.1 dev a\n");
  texts.rt_tables = NamedText{"t", "201 two\n"};
  texts.rule = NamedText{"u",
                         "0: from all lookup local\n5: from 10.0.0.2 lookup 200\n"
                         "6: from 10.0.0.3 lookup two\n7: from 10.0.0.4 lookup 202\n"};
  texts.route_tables = {{"200", {"t200", "default via 10.0.0.2 dev a\n"}},
                        {"two",
                         {"t201",
                          "[{\"dst\":\"default\",\"gateway\":\"10.0.0.3\","
                          "\"dev\":\"a\",\"flags\":[]}]"}}};
  const Snapshot host = import(texts);
  const auto gateway = [&](std::uint32_t table) {
    const auto it = std::ranges::find(host.routes, TableId{table}, &Route::table);
    return it == host.routes.end() ? std::nullopt : it->next_hops[0].gateway;
  };
  EXPECT_EQ(gateway(254), Ip::parse("10.0.0.1"));
  EXPECT_EQ(gateway(200), Ip::parse("10.0.0.2"));
  EXPECT_EQ(gateway(201), Ip::parse("10.0.0.3"));
  EXPECT_TRUE(noted(host, "rules look up table 202, of which no routes were given"));

  texts.route_tables = {{"three", {"t203", "default via 10.0.0.2 dev a\n"}}};
  const auto nameless = import_texts(texts);
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().message(), "read t203: no table is known by the name \"three\"");
}

TEST(ImportGaps, TableLocalIsInferred) {
  const Snapshot host =
      import(routes("broadcast 10.0.0.255 dev a proto kernel scope link\n"
                    "local 10.0.0.1 dev a proto kernel scope host\n"
                    "local 10.9.0.0/16 dev lo scope host\n"));
  EXPECT_EQ(host.routes[0].table, table_local);
  EXPECT_EQ(host.routes[1].table, table_local);
  EXPECT_EQ(host.routes[2].table, table_main);  // somebody put it there
  EXPECT_TRUE(noted(host, "2 routes of the kernel's own types stand without a table"));
}

TEST(ImportGaps, TablesThatShowAllAreNotMissed) {
  ImportTexts texts = routes("default via 10.0.0.1 dev a\nlocal 10.0.0.1 dev a table local\n");
  texts.rule = NamedText{"u", "5: from 10.0.0.2 lookup 200\n"};
  EXPECT_FALSE(noted(import(texts), "rules look up"));
  texts.route->text = "default via 10.0.0.1 dev a\n";
  EXPECT_TRUE(noted(import(texts), "rules look up table 200, of which"));
}

TEST(ImportGaps, FamilyOfADefaultRoute) {
  const auto family = [](const std::string& line) {
    return import(routes(line + "\n")).routes.front().family();
  };
  EXPECT_EQ(family("default dev a scope link"), Family::v4);
  EXPECT_EQ(family("default dev a metric 5"), Family::v6);  // 4.0 knew no `pref`
  EXPECT_EQ(family("default dev a metric 5\n1.0.0.0/8 dev a pref medium"), Family::v4);
  EXPECT_EQ(family("default dev a metric 5 pref medium"), Family::v6);
  EXPECT_EQ(family("unreachable default metric 4278198272"), Family::v4);
  EXPECT_EQ(family("unreachable default dev lo metric 4278198272 error -101"), Family::v6);
  EXPECT_EQ(family("blackhole default nhid 3 dev lo"), Family::v4);
  EXPECT_EQ(family("default nhid 3 via inet6 fe80::1 dev a"), Family::v4);
  EXPECT_EQ(family("default via fe80::1 dev a"), Family::v6);
}

TEST(ImportGaps, FamilyOfRules) {
  ImportTexts texts;
  const auto first = [&](const std::string& rules) {
    texts.rule = NamedText{"u", rules};
    const Snapshot host = import(texts);
    return std::ranges::find(host.rules, 9U, &Rule::priority)->family;
  };
  const std::string end = "32766: from all lookup main\n";
  EXPECT_EQ(first("0: from all lookup local\n9: from all fwmark 0x1 lookup 5\n" + end), Family::v6);
  EXPECT_TRUE(noted(import(texts), "taken as IPv6 rules"));
  EXPECT_EQ(first("9: from all fwmark 0x1 lookup 5\n" + end + "32767: from all lookup default\n"),
            Family::v4);
  EXPECT_EQ(first("9: from all fwmark 0x1 lookup 5\n"), Family::v4);
  EXPECT_TRUE(noted(import(texts), "taken as IPv4 rules"));
  EXPECT_EQ(first("9: from all fwmark 0x1 lookup 5 flowlabel 0x1\n"), Family::v6);
}

TEST(ImportGaps, MetricsAreReadAsTheyAreSaid) {
  const std::string metrics =
      "mtu lock 1400 window 3000 rtt 100ms rttvar lock 25ms ssthresh 3 cwnd 4 advmss 1200 "
      "reordering 5 hoplimit 6 initcwnd 7 features ecn tcp_usec_ts rto_min 2500ms initrwnd 9 "
      "quickack 1 congctl lock reno fastopen_no_cookie 1 realms 1/2";
  const Snapshot host = import(routes("10.0.0.0/8 dev a scope link " + metrics + "\n"));
  const Change change{AddRoute{host.routes.front()}, ""};
  EXPECT_EQ(ip_command(change, host),
            "route add 10.0.0.0/8 dev a table 254 " + metrics + " scope link protocol 3");
  for (const char* wrong : {"rtt x", "rtt -1ms", "congctl a-name-too-long-for-the-kernel", "mtu",
                            "realms", "mtu 4294967296", "rtt 5000000s"}) {
    EXPECT_FALSE(import_texts(routes(std::string("10.0.0.0/8 dev a ") + wrong + "\n"))) << wrong;
  }
}

TEST(ImportGaps, LifetimesThatAreOver) {
  const Snapshot host =
      import(routes("fd00::/64 dev a metric 256 expires -3sec pref medium\n"
                    "fd01::/64 dev a metric 256 expires 9sec pref medium\n"));
  EXPECT_TRUE(host.routes[0].expired);
  EXPECT_FALSE(host.routes[1].expired);
  EXPECT_TRUE(noted(host, "not represented: expires 9sec"));
}

TEST(ImportGaps, StickyBitsThatShow) {
  ImportTexts texts = routes("local 10.9.0.0/16 dev lo table 5 scope host\n");
  EXPECT_EQ(import(texts).hidden.custom_local_routes_v4, true);
  EXPECT_EQ(import(texts).hidden.custom_rules_v6, std::nullopt);
  texts.route->text = "local 10.9.0.0/16 dev lo table local proto kernel scope host\n";
  texts.rule = NamedText{"u", "5: from fd00::1 lookup main\n"};
  EXPECT_EQ(import(texts).hidden.custom_local_routes_v4, std::nullopt);
  EXPECT_EQ(import(texts).hidden.custom_rules_v6, true);
}

TEST(ImportGaps, DevicesThatOnlyRulesName) {
  ImportTexts texts = routes("10.0.0.0/8 dev a scope link\n");
  texts.rule = NamedText{"u", "5: from all iif c lookup main\n6: from all oif d [detached] nop\n"};
  const Snapshot host = import(texts);
  EXPECT_NE(host.link("c"), nullptr);
  EXPECT_EQ(host.link("d"), nullptr);
  ImportTexts given = links_and();
  given.rule = texts.rule;
  EXPECT_TRUE(noted(import(given), "rules name c, which is not among the links"));
}

TEST(ImportGaps, NexthopObjects) {
  ImportTexts texts = links_and("10.5.0.0/16 nhid 7 via 10.0.0.9 dev a\n");
  EXPECT_TRUE(noted(import(texts), "1 routes go by nexthop objects"));
  texts.nexthop = NamedText{"n",
                            "id 7 via 10.0.0.9 dev a scope link\nid 8 dev b scope host\n"
                            "id 9 dev b scope link\nid 10 blackhole\nid 11 group 7,300/8\n"
                            "id 12 via fd00::1 fdb\n"};
  const Snapshot host = import(texts);
  ASSERT_EQ(host.nexthops.size(), 6U);
  EXPECT_EQ(host.link_name(host.nexthops[0].leg.link), "a");
  EXPECT_EQ(host.nexthops[1].family, Family::v4);
  EXPECT_EQ(host.nexthops[2].family, Family::v6);
  EXPECT_EQ(host.nexthops[4].group[0], (std::pair<std::uint32_t, std::uint16_t>{7, 300}));
  EXPECT_TRUE(noted(host, "n:4: `ip nexthop` does not say the family of a blackhole"));
  EXPECT_FALSE(noted(host, "go by nexthop objects"));

  const auto refused = [&](const std::string& text, std::string_view says) {
    texts.nexthop->text = text;
    const auto result = import_texts(texts);
    ASSERT_FALSE(result) << text;
    EXPECT_NE(result.error().message().find(says), std::string::npos) << result.error().message();
    EXPECT_FALSE(result.error().hint.empty());
  };
  refused("id 7 dev z scope link\n", "read n:1: device \"z\"");
  refused("id 8 dev a scope host\n", "read r:1: the route to 10.5.0.0/16 goes by nexthop 7");
  refused("id 7 dev a\nid 9 group 7/8\n", "read n:2: nexthop 9 has the member 8");
  refused("id 7 dev a\nid 9 group 7,x\n", "read n:2: \"7,x\"");
  refused("id 7 group\n", "read n:1: ends too early");
  refused("id 7\n", "read n:1: ends too early");
  refused("7 dev a\n", "read n:1: \"7\"");
  refused("id 7 dev a type odd\n", "read n:1: \"odd\"");
  refused("[{\"id\":7,\"dev\":\"a\"},{\"id\":\"x\"}]", "read n [1]: \"x\"");
}

TEST(ImportGaps, ContradictionsAreAtTheirLines) {
  const auto refused = [](const ImportTexts& texts, std::string_view says) {
    const auto host = import_texts(texts);
    ASSERT_FALSE(host) << says;
    EXPECT_EQ(host.error().kind, ErrorKind::contradiction) << host.error().message();
    EXPECT_NE(host.error().message().find(says), std::string::npos) << host.error().message();
    EXPECT_FALSE(host.error().hint.empty());
  };
  ImportTexts texts = links_and();
  texts.rule = NamedText{"u", "5: from 10.0.0.1 lookup 7\n9: from all goto 9\n"};
  refused(texts, "read u:2: the rule of priority 9 goes back to 9");
  texts.rule->text = "5: from 10.0.0.1 lookup 7\n9: from all goto 10\n";
  refused(texts, "read u:2: the rule of priority 9 goes to 10, and there is no such rule");
  texts.rule->text = "5: from 10.0.0.1 iif a [detached] lookup 7\n";
  refused(texts, "read u:1: the rule of priority 5 is detached from a");
  texts.rule->text = "[{\"priority\":5,\"src\":\"10.0.0.1\",\"tos\":\"0x20\",\"table\":\"main\"}]";
  refused(texts, "read u [0]: the rule of priority 5 has tos 0x20");
  texts.rule.reset();
  texts.addr->text += "    inet6 fd00::1/64 scope global\n    inet6 fd00::1/48 scope global\n";
  refused(texts, "read a:5: fd00::1/48 is twice on link b");
}

}  // namespace
}  // namespace retour
