// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "printed_by.h"
#include "text/import.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

NamedText file(const std::string& path) {
  std::ifstream in(std::string(RETOUR_SOURCE_DIR "/tests/") + path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {path, std::string(std::istreambuf_iterator<char>(in), {})};
}
NamedText busy(const std::string& name) { return file("unit/data/busy-host/" + name); }

Snapshot import(const ImportTexts& texts) {
  auto host = import_texts(texts);
  EXPECT_TRUE(host) << host.error().message() << " / " << host.error().hint;
  return host ? *host : Snapshot{};
}

bool notes_hold(const Snapshot& host, std::string_view words) {
  return std::ranges::any_of(
      host.notes, [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

std::vector<Route> of_table(const Snapshot& host, TableId table, Family family = Family::v4) {
  std::vector<Route> out;
  std::ranges::copy_if(host.routes, std::back_inserter(out), [&](const Route& route) {
    return route.table == table && route.family() == family;
  });
  return out;
}

TEST(ImportArticle, BeforeTheCure) {
  ImportTexts texts;
  texts.route = file("golden/article/host-b.ip-route.txt");
  texts.rule = file("golden/article/host-b.ip-rule.before.txt");
  const Snapshot host = import(texts);

  ASSERT_EQ(host.links.size(), 10U);
  EXPECT_EQ(host.links[0].name, "lo");
  EXPECT_TRUE(host.links[0].loopback() && host.links[0].up());
  EXPECT_EQ(host.links[1].name, "enp218s0");
  EXPECT_EQ(host.links[1].index, IfIndex{2});
  ASSERT_EQ(host.addresses.size(), 9U);  // lo and the eight fast ones
  for (std::size_t i = 1; i < 9; ++i) {
    EXPECT_EQ(host.addresses[i].local.length, 20);
    EXPECT_EQ(host.addresses[i].subnet(), Prefix::parse("29.28.192.0/20"));
  }
  EXPECT_EQ(host.addresses[1].local.address, Ip::parse("29.28.201.211"));
  EXPECT_EQ(host.link_name(host.addresses[1].link), "enp137s0f1");

  const auto main = of_table(host, table_main);
  ASSERT_EQ(main.size(), 9U);
  EXPECT_EQ(main[0].dst, Prefix::all(Family::v4));
  EXPECT_EQ(main[0].next_hops[0].gateway, Ip::parse("192.168.0.1"));
  EXPECT_EQ(main[0].protocol, 16);
  for (std::uint32_t i = 0; i < 9; ++i) EXPECT_EQ(main[i].metric, 104 + i);
  EXPECT_EQ(main[1].scope, scope_link);
  EXPECT_EQ(main[1].prefsrc, Ip::parse("29.28.201.211"));
  // A host route each, the subnet's broadcast each, and lo's three.
  EXPECT_EQ(of_table(host, table_local).size(), 8U + 8U + 3U);
  EXPECT_EQ(host.rules.size(), 5U);
  EXPECT_EQ(host.hidden.custom_rules_v4, std::nullopt);
  EXPECT_EQ(host.source, "import");
  EXPECT_TRUE(notes_hold(host, "inferred from the routes"));
}

TEST(ImportArticle, AfterTheCure) {
  ImportTexts texts;
  texts.route = file("golden/article/host-b.ip-route.txt");
  texts.rule = file("golden/article/host-b.ip-rule.after.txt");
  const auto nameless = import_texts(texts);
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().doing, "read golden/article/host-b.ip-rule.after.txt:2");
  EXPECT_NE(nameless.error().why.find("\"table7\""), std::string::npos);
  EXPECT_NE(nameless.error().hint.find("--rt-tables"), std::string::npos);

  texts.rt_tables = file("golden/article/host-b.rt_tables.after.txt");
  const Snapshot host = import(texts);
  ASSERT_EQ(host.rules.size(), 11U + 2U);
  EXPECT_EQ(host.rules[1].priority, 32758U);
  EXPECT_EQ(host.rules[1].from, Prefix::parse("29.28.197.165"));
  EXPECT_EQ(host.rules[1].table, TableId{207});
  EXPECT_EQ(host.rules[1].protocol, 0);
  EXPECT_EQ(host.rules[0].protocol, protocol_kernel);
  EXPECT_EQ(host.hidden.custom_rules_v4, true);
  EXPECT_EQ(host.table_names.at(TableId{203}), "table3");
}

ImportTexts busy_texts(const std::string& addr, const std::string& route, const std::string& rule,
                       const std::string& neigh) {
  ImportTexts texts;
  texts.addr = busy(addr);
  texts.route = busy(route);
  texts.rule = busy(rule);
  texts.neigh = busy(neigh);
  texts.sysctl = busy("sysctl.txt");
  return texts;
}

TEST(ImportBusyHost, TextAndJsonAreEqual) {
  Snapshot plain = import(busy_texts("addr.txt", "route.all.txt", "rule.txt", "neigh.txt"));
  Snapshot json = import(busy_texts("addr.json", "route.all.json", "rule.json", "neigh.json"));
  EXPECT_TRUE(notes_hold(json, "encap"));
  plain.notes.clear();
  json.notes.clear();
  const testing::Print without_locks{{6, 1}, true, true};
  forget_unprinted(plain, without_locks);
  forget_unprinted(json, without_locks);
  EXPECT_EQ(plain, json) << to_json(plain) << to_json(json);

  Snapshot detail = import(busy_texts("addr.d.txt", "route.all.d.txt", "rule.d.txt", "neigh.txt"));
  Snapshot detail_json =
      import(busy_texts("addr.d.json", "route.all.d.json", "rule.d.json", "neigh.json"));
  forget_unprinted(detail, without_locks);
  forget_unprinted(detail_json, without_locks);
  EXPECT_EQ(detail, detail_json) << to_json(detail) << to_json(detail_json);
  EXPECT_EQ(detail.link("eth0")->kind, "veth");
  EXPECT_EQ(detail.link("br0")->kind, "bridge");
  for (Link& link : detail.links) link.kind.clear();
  EXPECT_EQ(detail, plain) << to_json(detail) << to_json(plain);
}

TEST(ImportBusyHost, LinksAndAddresses) {
  const Snapshot host = import(busy_texts("addr.txt", "route.all.txt", "rule.txt", "neigh.txt"));
  EXPECT_EQ(host.link(host.link("p0")->master)->name, "br0");
  EXPECT_EQ(host.link("eth1")->group, 5U);
  EXPECT_EQ(host.link("eth0")->flags, 0x1U | 0x2U | 0x40U | 0x1000U | 0x10000U);
  EXPECT_FALSE(host.link("eth2")->carrier());
  EXPECT_EQ(host.link("eth2")->flags & 0x40U, 0U);  // RUNNING
  EXPECT_FALSE(host.link("p2")->up());
  EXPECT_EQ(host.link("eth1")->mac.size(), 6U);
  EXPECT_EQ(host.link("eth0")->conf.get(Conf::rp_filter).has_value(), true);
  EXPECT_EQ(host.conf_all.get(Conf::arp_ignore), 0);
  const auto address = [&](std::string_view text) {
    return *std::ranges::find(host.addresses, *Ip::parse(text),
                              [](const Address& a) { return a.local.address; });
  };
  EXPECT_TRUE(address("10.0.0.121").secondary());
  EXPECT_EQ(address("10.0.0.22").metric, 105U);
  EXPECT_EQ(address("10.0.0.22").label, "eth1");
  EXPECT_EQ(address("10.9.0.1").peer, Ip::parse("10.9.0.2"));
  EXPECT_EQ(address("10.9.0.1").local.length, 32);
  EXPECT_EQ(address("192.0.2.1").flags, 0x280U);
  EXPECT_EQ(address("10.7.0.1").flags, 0U);  // dynamic
  EXPECT_EQ(host.neighbors.size(), 5U);
}

TEST(ImportBusyHost, Routes) {
  const Snapshot host = import(busy_texts("addr.txt", "route.all.txt", "rule.txt", "neigh.txt"));
  const auto route = [&](std::string_view dst) {
    return *std::ranges::find(host.routes, *Prefix::parse(dst), &Route::dst);
  };
  EXPECT_EQ(route("10.1.0.0/16").next_hops.size(), 2U);
  EXPECT_EQ(route("10.1.0.0/16").next_hops[1].weight, 5);
  EXPECT_EQ(route("10.2.0.0/16").next_hops[0].gateway, Ip::parse("fd00::1"));
  EXPECT_EQ(route("10.4.0.0/16").type, RouteType::throw_);
  EXPECT_EQ(route("10.4.0.0/16").table, TableId{100});
  EXPECT_TRUE(route("10.4.0.0/16").next_hops.empty());
  EXPECT_EQ(route("10.10.0.0/16").tos, 0x10);
  EXPECT_EQ(route("10.10.0.0/16").protocol, protocol_retour);
  EXPECT_TRUE(route("10.10.0.0/16").next_hops[0].onlink());
  EXPECT_EQ(route("10.11.0.0/16").nexthop_id, 7U);
  EXPECT_TRUE(route("10.7.0.0/16").next_hops[0].linkdown());
  EXPECT_EQ(route("2001:db9::/32").src, Prefix::parse("fd00::/64"));
  EXPECT_EQ(route("2001:dba::/32").preference, 1);
  EXPECT_FALSE(notes_hold(host, "mtu 1400"));
  EXPECT_EQ(route("::/0").metric, 50U);
}

TEST(ImportBusyHost, Rules) {
  const Snapshot host = import(busy_texts("addr.txt", "route.all.txt", "rule.txt", "neigh.txt"));
  ASSERT_EQ(host.rules.size(), 25U);
  const auto rule = [&](std::uint32_t priority) {
    return *std::ranges::find(host.rules, priority, &Rule::priority);
  };
  EXPECT_TRUE(rule(100).invert);
  EXPECT_EQ(rule(101).fwmask, 0xffU);
  EXPECT_EQ(rule(102).fwmask, 0xffffffffU);
  EXPECT_TRUE(rule(102).oif_detached);
  EXPECT_FALSE(rule(102).iif_detached);
  EXPECT_EQ(rule(103).dport, (Range<std::uint16_t>{1000, 2000}));
  EXPECT_EQ(rule(103).ip_proto, 6);
  EXPECT_EQ(rule(104).suppress_prefixlength, 20U);
  EXPECT_TRUE(rule(105).l3mdev);
  EXPECT_TRUE(rule(107).goto_unresolved);
  EXPECT_EQ(rule(108).goto_target, 32766U);
  EXPECT_EQ(rule(109).action, RuleAction::nop);
  EXPECT_EQ(rule(112).action, RuleAction::prohibit);
  EXPECT_EQ(rule(113).suppress_ifgroup, 5U);
  EXPECT_EQ(rule(114).tun_id, 77U);
  EXPECT_EQ(rule(116).ip_proto, 89);
  EXPECT_EQ(rule(201).family, Family::v6);
  EXPECT_EQ(rule(201).tos, 0x20);
}

std::vector<std::string> sorted_text(std::vector<Route> routes) {
  std::vector<std::string> out;
  for (Route& route : routes) {
    out.push_back(route.dst.str() + " " + std::to_string(static_cast<int>(route.type)) + " " +
                  std::to_string(route.next_hops[0].link.value) + " " +
                  (route.prefsrc ? route.prefsrc->str() : "-") + " " +
                  std::to_string(route.metric) + " " + std::to_string(route.scope) + " " +
                  std::to_string(route.next_hops[0].flags) + " " + std::to_string(route.protocol));
  }
  std::ranges::sort(out);
  return out;
}

// What is inferred from the addresses must be what the kernel really had.
TEST(ImportBusyHost, InferredKernelRoutesAreTheRealOnes) {
  ImportTexts texts;
  texts.addr = busy("addr.txt");
  const Snapshot inferred = import(texts);
  texts.route = busy("route.all.txt");
  const Snapshot real = import(texts);
  for (const Family family : {Family::v4, Family::v6}) {
    EXPECT_EQ(sorted_text(of_table(inferred, table_local, family)),
              sorted_text(of_table(real, table_local, family)));
    std::vector<Route> connected = of_table(real, table_main, family);
    std::erase_if(connected, [](const Route& route) { return route.protocol != protocol_kernel; });
    EXPECT_EQ(sorted_text(of_table(inferred, table_main, family)), sorted_text(connected));
  }
}

TEST(ImportBusyHost, AddressesInferredFromRoutesAreTheRealOnes) {
  ImportTexts texts;
  texts.route = busy("route.all.txt");
  const Snapshot inferred = import(texts);
  texts.addr = busy("addr.txt");
  const Snapshot real = import(texts);
  for (const Address& address : real.addresses) {
    const auto it = std::ranges::find_if(inferred.addresses, [&](const Address& other) {
      return other.local.address == address.local.address &&
             inferred.link_name(other.link) == real.link_name(address.link);
    });
    ASSERT_NE(it, inferred.addresses.end()) << address.local.str();
    EXPECT_EQ(it->secondary(), address.secondary()) << address.local.str();
    EXPECT_EQ(it->peer, address.peer) << address.local.str();
    EXPECT_EQ(it->scope == scope_host, address.scope == scope_host);
    // A /31 without its connected route leaves no trace of its length.
    if ((address.flags & 0x200U) == 0) {
      EXPECT_EQ(it->local.length, address.local.length);
    }
  }
}

TEST(ImportBusyHost, OneLineForms) {
  ImportTexts texts;
  texts.addr = busy("addr.o.txt");
  texts.link = busy("link.txt");
  texts.route = busy("route.o.txt");
  const Snapshot one = import(texts);
  texts.addr = busy("addr.txt");
  texts.link = std::nullopt;
  EXPECT_EQ(one.links, import(texts).links);
  EXPECT_EQ(one.addresses, import(texts).addresses);
  texts.addr = busy("addr.o.txt");
  EXPECT_TRUE(import(texts).link("eth1")->up());  // assumed
  texts.addr = std::nullopt;
  texts.link = busy("link.s.txt");
  EXPECT_EQ(import(texts).link("eth1")->group, 5U);
  EXPECT_TRUE(std::ranges::any_of(import(texts).addresses, [](const Address& address) {
    return address.local == Prefix::parse("10.0.0.22/24");
  }));
}

}  // namespace
}  // namespace retour
