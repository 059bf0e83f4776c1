// SPDX-License-Identifier: Apache-2.0
//
// The import, line by line: what each word becomes, and what each malformed line is told.
#include <gtest/gtest.h>

#include <algorithm>

#include "text/import.h"

namespace retour {
namespace {

enum class Part { addr, link, route, rule, neigh, rt_tables, sysctl };

ImportTexts only(Part part, std::string_view text) {
  ImportTexts texts;
  std::optional<NamedText>* const slots[] = {&texts.addr,  &texts.link,  &texts.route,
                                             &texts.rule,  &texts.neigh, &texts.rt_tables,
                                             &texts.sysctl};
  *slots[static_cast<std::size_t>(part)] = NamedText{"f", std::string(text)};
  return texts;
}

Rule first_custom(std::string_view text) {
  const auto host = import_texts(only(Part::rule, text));
  EXPECT_TRUE(host) << host.error().message();
  return host ? host->rules.front() : Rule{};
}

TEST(ImportWords, RulesOfNewerIproute2) {
  const Rule rule = first_custom(
      "7:\tfrom all sport 0x50/0xff dport 0x3/0xf lookup main suppress_ifgroup default dscp "
      "0x3/0x7\n");
  EXPECT_EQ(rule.sport, (Range<std::uint16_t>{0x50, 0x50}));
  EXPECT_EQ(rule.sport_mask, 0xff);
  EXPECT_EQ(rule.dscp, 3);
  EXPECT_EQ(rule.dscp_mask, 7);
  EXPECT_EQ(rule.suppress_ifgroup, 0U);
  EXPECT_EQ(first_custom("7: from all dscp EF lookup 5\n").dscp, 46);
  const auto labelled = import_texts(
      only(Part::rule,
           "7: from all lookup 5 flowlabel 0xfffff\n8: from all lookup 5 flowlabel 0x1/0xf\n"));
  ASSERT_TRUE(labelled) << labelled.error().message();
  const Rule& label = labelled->rules.back();
  EXPECT_EQ(label.family, Family::v6);
  EXPECT_EQ(label.flowlabel, 1U);
  EXPECT_EQ(label.flowlabel_mask, 0xfU);
  EXPECT_EQ(labelled->rules[labelled->rules.size() - 2].flowlabel_mask, 0xfffffU);
  EXPECT_FALSE(import_texts(only(Part::rule, "7: from 10.0.0.1 lookup 5 flowlabel 0x1\n")));
  EXPECT_EQ(first_custom(R"([{"priority":7,"src":"all","sport":80,"sport_mask":"0xff",
      "dscp":"CS1","dscp_mask":"0x3f","table":"main"}])"),
            first_custom("7: from all sport 0x50/0xff lookup main dscp CS1\n"));
}

TEST(ImportWords, ProtocolsOfRules) {
  EXPECT_EQ(first_custom("0: from all lookup local\n1: from all lookup main\n").protocol, 2);
  EXPECT_EQ(first_custom("5: from all lookup main\n").protocol, 0);
  EXPECT_EQ(first_custom("1000: from all lookup [l3mdev-table]\n").protocol, 2);
  const auto host = import_texts(only(Part::rule, "5: from all lookup main proto nonesuch\n"));
  ASSERT_TRUE(host);
  EXPECT_TRUE(std::ranges::any_of(host->notes, [](const std::string& note) {
    return note == "f:1: not represented: protocol nonesuch, of unknown number; 0 taken";
  }));
}

TEST(ImportWords, FamiliesOfRuleLists) {
  const std::string v4 =
      "0: from all lookup local\n32766: from all lookup main\n32767: from all lookup default\n";
  const std::string v6 = "0: from all lookup local\n32766: from all lookup main\n";
  const auto families = [](const std::string& text) {
    const auto host = import_texts(only(Part::rule, text));
    std::string out;
    for (const Rule& rule : host->rules) out += rule.family == Family::v4 ? '4' : '6';
    return out + (host->hidden.custom_rules_v4 ? "!" : "");
  };
  EXPECT_EQ(families(v4), "44466");
  EXPECT_EQ(families(v6), "44466");
  EXPECT_EQ(families(v4 + v6), "44466");
  EXPECT_EQ(families("0: from all lookup local\n9: from fd00::1 lookup 9\n" + v4), "44466");
  EXPECT_EQ(families("9: from 10.0.0.1 lookup 9\n"), "466!");
  EXPECT_FALSE(import_texts(only(Part::rule, v4 + v6 + v4)));
}

TEST(ImportWords, RoutesOfBothFamilies) {
  const auto host = import_texts(only(Part::route,
                                      "default via fe80::1 dev a proto ra metric 100 pref medium\n"
                                      "default dev a metric 1024 pref medium\n"
                                      "default via inet6 fe80::1 dev b\n"
                                      "default proto static \n"
                                      "\tnexthop via 10.0.0.1 dev a weight 1 onlink \n"
                                      "    nexthop via 10.0.1.1 dev b weight 3 dead linkdown \n"
                                      "unreachable default dev lo table unspec proto kernel metric "
                                      "4294967295 error -101 pref medium\n"
                                      "10.0.0.0/8 dev a expires 5sec mtu lock 1400 \r\n"));
  ASSERT_TRUE(host) << host.error().message();
  const auto& routes = host->routes;
  EXPECT_EQ(routes[0].family(), Family::v6);
  EXPECT_EQ(routes[1].family(), Family::v6);
  EXPECT_EQ(routes[2].family(), Family::v4);
  EXPECT_EQ(routes[3].next_hops.size(), 2U);
  EXPECT_EQ(routes[3].next_hops[1].flags, 17);
  EXPECT_EQ(routes[4].dst, Prefix::parse("10.0.0.0/8"));
  EXPECT_EQ(routes[4].protocol, 3);
}

TEST(ImportWords, SysctlNames) {
  ImportTexts texts = only(Part::sysctl,
                           "kernel.hostname = b\n"
                           "net.ipv4.conf.eth0/100.rp_filter = 1\n"
                           "net.ipv4.conf.eth0.100.arp_ignore = 2\n"
                           "net/ipv4/conf/eth0.100/arp_filter = 1\n"
                           "net.ipv4.conf.default.rp_filter = 2\n"
                           "net.ipv4.conf.all.rp_filter=0\n"
                           "net.ipv4.conf.all.log_martians = x\n"
                           "net.ipv4.conf.gone.rp_filter = 1\n");
  texts.route = NamedText{"r", "10.0.0.0/24 dev eth0.100 proto kernel scope link src 10.0.0.1\n"};
  const auto host = import_texts(texts);
  ASSERT_TRUE(host) << host.error().message();
  const ConfValues& conf = host->link("eth0.100")->conf;
  EXPECT_EQ(conf.get(Conf::rp_filter), 1);
  EXPECT_EQ(conf.get(Conf::arp_ignore), 2);
  EXPECT_EQ(conf.get(Conf::arp_filter), 1);
  EXPECT_EQ(conf.get(Conf::accept_local), std::nullopt);
  EXPECT_EQ(host->conf_all.get(Conf::rp_filter), 0);
  EXPECT_TRUE(std::ranges::any_of(
      host->notes, [](const std::string& note) { return note.find("gone") != std::string::npos; }));
}

TEST(ImportWords, RtTables) {
  const auto names = read_rt_tables({"t", "# c\n255 local\n 0x64 a\t# c\n100 b\n\n"});
  ASSERT_TRUE(names);
  EXPECT_EQ(names->at(TableId{100}), "b");
  EXPECT_EQ(names->size(), 2U);
  EXPECT_FALSE(read_rt_tables({"t", "100\n"}));
  EXPECT_FALSE(read_rt_tables({"t", "x y\n"}));
  EXPECT_FALSE(read_rt_tables({"t", "4294967296 y\n"}));
  ImportTexts texts = only(Part::rule, "5: from all lookup x\n");
  texts.rt_tables = NamedText{"t", "7 x\n8 x\n"};
  const auto host = import_texts(texts);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().kind, ErrorKind::contradiction);
}

struct Bad {
  Part part;
  std::string_view text;
  std::string_view doing, says;
};

TEST(ImportWords, MalformedLinesAreNamed) {
  const std::string_view good = "2: a: <UP> mtu 1500\n";
  const Bad cases[] = {
      {Part::route, "default via\n", "read f:1", "ends too early"},
      {Part::route, "10.0.0.0/8 dev a\n\n10.1.0.0/33 dev a\n", "read f:3", "\"10.1.0.0/33\""},
      {Part::route, "10.0.0.1/8 dev a\n", "read f:1", "\"10.0.0.1/8\""},
      {Part::route, "10.0.0.0/8 dev a scop link\n", "read f:1", "\"scop\""},
      {Part::route, "10.0.0.0/8 dev a metric 4294967296\n", "read f:1", "\"4294967296\""},
      {Part::route, "10.0.0.0/8\n", "read f:1", "ends too early"},
      {Part::route, "10.0.0.0/8 via 10.0.0.1\n", "read f:1", "ends too early"},
      {Part::route, "10.0.0.0/8 dev a src fd00::1\n", "read f:1", "fd00::1 is not of the family"},
      {Part::route, "10.0.0.0/8 dev a table x\x1b[2J\n", "read f:1", "x\\x1b[2J"},
      {Part::route, "10.0.0.0/8 dev a proto 256\n", "read f:1", "\"256\""},
      {Part::route, "10.0.0.0/8\n\tnexthop via 10.0.0.1 dev a weight 0\n", "read f:2", "\"0\""},
      {Part::route, "[{\"dst\":\"10.0.0.0/8\",\"dev\":\"a\"},{\"dst\":\"x\"}]", "read f [1]",
       "\"x\""},
      {Part::route, "[{\"dst\":\"10.0.0.0/8\",\n\"dev\":", "read f:2:", "unexpected end"},
      {Part::rule, "from all lookup main\n", "read f:1", "\"from\""},
      {Part::rule, "5: from all\n", "read f:1", "ends too early"},
      {Part::rule, "5: from 10.0.0.1 to fd00::1 lookup 5\n", "read f:1", "\"fd00::1\""},
      {Part::rule, "5: from all sport 9-8 lookup 5\n", "read f:1", "\"9-8\""},
      {Part::rule, "5: from all fwmark 1/x lookup 5\n", "read f:1", "\"1/x\""},
      {Part::rule, "5: from all lookup 5 bogus\n", "read f:1", "\"bogus\""},
      {Part::addr, "2: a: <UP,LOW\n", "read f:1", "\"<UP,LOW\""},
      {Part::addr, "2: a: <UP>\n", "read f:1", "ends too early"},
      {Part::addr, "2: a: <UP> mtu 1500\n    inet 10.0.0.1/24 brd\n", "read f:2", "ends too early"},
      {Part::addr, "2: a: <UP> mtu 1500\n    inet 10.0.0.1/24 sco\n", "read f:2", "ends too early"},
      {Part::addr, "2: a: <UP> mtu 1500\n    inet 10.0.0.1/24 scope global bo a\n", "read f:2",
       "\"bo\""},
      {Part::addr, "    inet 10.0.0.1/24 scope global a\n", "read f:1", "\"inet\""},
      {Part::addr, "lo UNKNOWN 127.0.0.1/8\n", "read f:1", "\"lo\""},
      {Part::addr, "[{\"ifindex\":1}]", "read f [0]", "\"ifname\""},
      {Part::neigh, "10.0.0.1 dev\n", "read f:1", "ends too early"},
      {Part::neigh, "10.0.0.1 lladdr aa:bb\n", "read f:1", "ends too early"},
      {Part::neigh, "10.0.0.1 dev a lladdr zz REACHABLE\n", "read f:1", "\"zz\""},
      {Part::sysctl, "\nnet.ipv4.conf.all.rp_filter = x\n", "read f:2", "\"x\""},
      {Part::sysctl, "net.ipv4.conf.all.rp_filter\n", "read f:1", "rp_filter"},
      {Part::rt_tables, "1 a b\n", "read f:1", "\"b\""},
  };
  for (const Bad& bad : cases) {
    const auto host = import_texts(only(bad.part, bad.text));
    ASSERT_FALSE(host) << bad.text;
    EXPECT_EQ(host.error().kind, ErrorKind::parse) << bad.text;
    EXPECT_TRUE(host.error().doing.starts_with(bad.doing)) << bad.text << host.error().message();
    EXPECT_NE(host.error().why.find(bad.says), std::string::npos)
        << bad.text << host.error().message();
    EXPECT_FALSE(host.error().hint.empty()) << bad.text;
  }
  EXPECT_TRUE(import_texts(only(Part::addr, good)));
}

TEST(ImportWords, ContradictionsAreNamed) {
  const auto refused = [](const ImportTexts& texts, std::string_view doing, std::string_view says) {
    const auto host = import_texts(texts);
    ASSERT_FALSE(host) << says;
    EXPECT_EQ(host.error().kind, ErrorKind::contradiction) << host.error().message();
    EXPECT_EQ(host.error().doing, doing);
    EXPECT_NE(host.error().why.find(says), std::string::npos) << host.error().message();
  };
  ImportTexts texts = only(Part::addr, "2: a: <UP> mtu 1500\n");
  texts.route = NamedText{"r", "10.0.0.0/8 dev a\n10.1.0.0/16 dev b\n"};
  refused(texts, "read r:2", "\"b\"");
  texts.route->text = "10.0.0.0/8 dev a src 10.0.0.1\n";
  const auto host = import_texts(texts);
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_TRUE(std::ranges::any_of(host->notes, [](const std::string& note) {
    return note == "r:1: source 10.0.0.1 is on no link";
  }));
  refused(only(Part::addr, "2: a: <UP> mtu 1500\n3: a: <UP> mtu 1500\n"), "read f:2", "link 3 a");
  refused(only(Part::addr, "2: a: <UP> mtu 1500\n2: b: <UP> mtu 1500\n"), "read f:2", "link 2 b");
  refused(only(Part::addr, "2: a: <UP> mtu 1500 master z\n"), "read f:1", "\"z\"");
  texts.route.reset();
  texts.neigh = NamedText{"n", "10.0.0.1 dev z STALE\n"};
  refused(texts, "read n:1", "\"z\"");
}

TEST(ImportWords, ATextThatHoldsNothingOfItsKindIsRefused) {
  const auto refused = [](Part part, std::string_view text, std::string_view why) {
    ImportTexts texts = only(part, text);
    if (part != Part::addr) texts.addr = NamedText{"a", "2: a: <UP> mtu 1500\n"};
    const auto host = import_texts(texts);
    ASSERT_FALSE(host) << why;
    EXPECT_EQ(host.error().kind, ErrorKind::parse);
    EXPECT_EQ(host.error().message(), "read f: it holds no " + std::string(why));
    EXPECT_FALSE(host.error().hint.empty());
  };
  for (const std::string_view empty : {"", "\n \n"}) {
    refused(Part::addr, empty, "link");
    refused(Part::link, empty, "link");
    refused(Part::rule, empty, "rule");
    refused(Part::sysctl, empty, "sysctl of net.ipv4 or net.ipv6");
  }
  refused(Part::rule, "[]", "rule");
  refused(Part::link, "[{}]", "link");
  refused(Part::sysctl, "default via 10.0.0.9 dev a\n", "sysctl of net.ipv4 or net.ipv6");
  // Of other keys it may be whole; and these may truly be empty.
  ImportTexts texts = only(Part::sysctl, "net.ipv4.ip_forward = 1\n");
  texts.addr = NamedText{"a", "2: a: <UP> mtu 1500\n"};
  EXPECT_TRUE(import_texts(texts));
  for (const Part part : {Part::neigh, Part::rt_tables, Part::route}) {
    texts = only(part, "");
    texts.addr = NamedText{"a", "2: a: <UP> mtu 1500\n"};
    EXPECT_TRUE(import_texts(texts));
  }
}

TEST(ImportWords, CountersAreNoKind) {
  const auto host = import_texts(only(
      Part::link,
      "2: a: <UP> mtu 1500\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0\n"
      "    RX:  bytes packets errors dropped  missed   mcast\n"
      "    9801       87       0       0       0       0\n"  // as older iproute2 has it
      "    TX:  bytes packets errors dropped carrier collsns\n"
      "    9801       87       0       0       0       0\n"
      "3: b: <UP> mtu 1500\n    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 0\n"
      "    veth addrgenmode eui64\n    RX:  bytes packets\n    9801      87\n"));
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_EQ(host->link("a")->kind, "");
  EXPECT_EQ(host->link("b")->kind, "veth");
}

TEST(ImportWords, WhatJsonSaysBesidesIsNoted) {
  const auto notes = [](Part part, std::string_view text) {
    ImportTexts texts = only(part, text);
    if (part != Part::addr) texts.addr = NamedText{"a", "2: a: <UP> mtu 1500\n"};
    const auto host = import_texts(texts);
    EXPECT_TRUE(host) << host.error().message();
    std::vector<std::string> kept;
    if (!host) return kept;
    std::ranges::copy_if(host->notes, std::back_inserter(kept), [](const std::string& note) {
      return note.find("not represented") != std::string::npos;
    });
    return kept;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(notes(Part::neigh,
                  R"([{"dst":"10.0.0.1","dev":"a","lladdr":"02:00:00:00:00:09","protocol":"xorp",
                       "used":1,"confirmed":2,"updated":3,"probes":1,"router":null,
                       "state":["STALE"]}])"),
            Texts{"f [0]: not represented: proto xorp"});
  EXPECT_EQ(notes(Part::neigh, "10.0.0.1 dev a lladdr 02:00:00:00:00:09 proto xorp STALE\n"),
            Texts{"f:1: not represented: proto xorp"});
  EXPECT_EQ(notes(Part::addr, R"([{"ifindex":2,"ifname":"a","flags":["UP"],"mtu":1500,"addr_info":[
                  {"family":"inet6","local":"fd00::1","prefixlen":64,"anycast":"fd00::","scope":
                   "global","dynamic":true,"valid_life_time":60,"preferred_life_time":30}]}])"),
            Texts{"f [0]: not represented: any fd00::"});
}

TEST(ImportWords, NothingGiven) {
  const auto host = import_texts({});
  ASSERT_TRUE(host);
  EXPECT_EQ(host->links.size(), 1U);
  EXPECT_EQ(host->rules.size(), 5U);
  EXPECT_EQ(host->routes.size(), 3U);  // lo's own
}

}  // namespace
}  // namespace retour
