// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "random_snapshot.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

TEST(SnapshotJson, RoundTripsEveryFieldBitForBit) {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    const Snapshot before = testing::RandomSnapshot(seed).next();
    const std::string text = to_json(before);
    const auto after = snapshot_from_json(text, "host.json");
    ASSERT_TRUE(after) << "seed " << seed << ": " << after.error().message() << "\n" << text;
    ASSERT_EQ(*after, before) << "seed " << seed << "\n" << text;
    ASSERT_EQ(to_json(*after), text) << "seed " << seed;
  }
}

TEST(SnapshotJson, EmptySnapshot) {
  const std::string text = to_json(Snapshot{});
  EXPECT_EQ(snapshot_from_json(text, "x").value(), Snapshot{});
}

TEST(SnapshotJson, ReadsLinksInAnyOrder) {
  const auto host = snapshot_from_json(
      R"({"schema":"retour.snapshot/1","links":[{"index":3,"name":"b","master":"a"},
          {"index":2,"name":"a"}]})",
      "x");
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_EQ(host->links[0].name, "a");
  EXPECT_EQ(host->links[1].master, IfIndex{2});
}

struct Bad {
  std::string_view text;
  ErrorKind kind;
  std::string_view says;  ///< in the message or the hint
};

const std::string head = R"({"schema":"retour.snapshot/1","links":[{"index":2,"name":"a"},
 {"index":3,"name":"b"}],)";

TEST(SnapshotJson, RefusesBadDocumentsAndSaysWhere) {
  const Bad cases[] = {
      {"", ErrorKind::parse, "host.json:1:1"},
      {"{\n \"schema\": nul}", ErrorKind::parse, "host.json:2:"},
      {"[1]", ErrorKind::parse, "the document is an array"},
      {"{}", ErrorKind::parse, "schema is missing"},
      {R"({"schema":"retour.snapshot/2"})", ErrorKind::schema, "retour.snapshot/2"},
      {R"({"schema":"retour.snapshot/2"})", ErrorKind::schema, "reads retour.snapshot/1"},
      {R"({"schema":"retour.snapshot/1"})", ErrorKind::parse, "links is missing"},
      {R"({"schema":"retour.snapshot/1","links":7})", ErrorKind::parse, "links is 7"},
      {R"({"schema":"retour.snapshot/1","links":[],"links":[]})", ErrorKind::parse, "twice"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1}]})", ErrorKind::parse,
       "links[0].name is missing"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1,"name":"a/b"}]})", ErrorKind::parse,
       "links[0].name"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1,"name":"a","mtu":-1}]})",
       ErrorKind::parse, "links[0].mtu is -1"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1,"name":"a\\q"}]})", ErrorKind::parse,
       "backslash"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1,"name":"a"},{"index":1,"name":"b"}]})",
       ErrorKind::contradiction, "a and b"},
      {R"({"schema":"retour.snapshot/1","links":[{"index":1,"name":"a"},{"index":2,"name":"a"}]})",
       ErrorKind::contradiction, "same name a"},
  };
  for (const Bad& bad : cases) {
    const auto host = snapshot_from_json(bad.text, "host.json");
    ASSERT_FALSE(host) << bad.text;
    EXPECT_EQ(host.error().kind, bad.kind) << bad.text << "\n" << host.error().message();
    const std::string said = host.error().message() + " | " + host.error().hint;
    EXPECT_NE(said.find(bad.says), std::string::npos) << bad.text << "\n" << said;
  }
}

TEST(SnapshotJson, RefusesBadObjectsByPath) {
  const Bad cases[] = {
      {R"("routes":[{"dst":"10.0.0.0/8"},{"dst":"10.0.0.300/8"}])", ErrorKind::parse,
       "routes[1].dst is \"10.0.0.300/8\""},
      {R"("routes":[{"dst":"10.0.0.1/8"}])", ErrorKind::contradiction,
       "routes[0]: the route to 10.0.0.1/8"},
      {R"("routes":[{"dst":"10.0.0.0/8","nexthops":[{"dev":"zz"}]}])", ErrorKind::contradiction,
       "routes[0].nexthops[0].dev is \"zz\""},
      {R"("routes":[{"dst":"10.0.0.0/8","nexthops":[{"dev":9}]}])", ErrorKind::contradiction, "#9"},
      {R"("routes":[{"dst":"10.0.0.0/8","nexthops":[{"dev":"a","weight":0}]}])",
       ErrorKind::contradiction, "weight 0"},
      {R"("routes":[{"dst":"10.0.0.0/8","src":"fd00::1"}])", ErrorKind::contradiction, "famil"},
      {R"("routes":[{"dst":"10.0.0.0/8","tabel":7}])", ErrorKind::parse, "routes[0].tabel"},
      {R"("routes":[{"dst":"10.0.0.0/8","type":"unicats"}])", ErrorKind::parse, "routes[0].type"},
      {R"("routes":[{"dst":"10.0.0.0/8","table":4294967296}])", ErrorKind::parse,
       "routes[0].table is 4294967296"},
      {R"("addresses":[{"dev":9,"local":"10.0.0.1/8"}])", ErrorKind::contradiction, "10.0.0.1/8"},
      {R"("addresses":[{"dev":"a","local":"10.0.0.1/8"},{"dev":"a","local":"10.0.0.1/8"}])",
       ErrorKind::contradiction, "twice on link a"},
      {R"("addresses":[{"dev":"a","local":"fd00::1/64"},{"dev":"a","local":"fd00::1/48"}])",
       ErrorKind::contradiction, "addresses[1]: fd00::1/48 is twice"},
      {R"("routes":[{"dst":"10.0.0.0/8"}])", ErrorKind::contradiction, "has no leg"},
      {R"("routes":[{"dst":"10.0.0.0/8","nexthops":[{"via":"10.0.0.1"}]}])",
       ErrorKind::contradiction, "leg without a link"},
      {R"("routes":[{"dst":"10.0.0.0/8","type":"prohibit","nexthops":[{"dev":"a"}]}])",
       ErrorKind::contradiction, "rejects, and has a leg"},
      {R"("routes":[{"dst":"fd00::/8","nexthops":[{"dev":"a","via":"10.0.0.1"}]}])",
       ErrorKind::contradiction, "gateway 10.0.0.1"},
      {R"("routes":[{"dst":"10.0.0.0/8","from":"10.1.0.0/16","nexthops":[{"dev":"a"}]}])",
       ErrorKind::contradiction, "which only IPv6 has"},
      {R"("routes":[{"dst":"fd00::/8","from":"fd01::1/16","nexthops":[{"dev":"a"}]}])",
       ErrorKind::contradiction, "source prefix fd01::1/16"},
      {R"("nexthops":[{"id":1,"blackhole":true}],"routes":[{"dst":"10.0.0.0/8","nhid":2}])",
       ErrorKind::contradiction, "nexthop 2, and there is no such object"},
      {R"("nexthops":[{"id":1}])", ErrorKind::contradiction, "nexthop 1 has a leg without a link"},
      {R"("nexthops":[{"id":1,"group":[{"id":2,"weight":1}]}])", ErrorKind::contradiction,
       "member 2"},
      {R"("nexthops":[{"id":1,"blackhole":true},{"id":2,"leg":{"dev":"a"}},
          {"id":3,"group":[{"id":2,"weight":1},{"id":1,"weight":1}]}])",
       ErrorKind::contradiction, "a blackhole, which must be the only one"},
      {R"("nexthops":[{"id":2,"leg":{"dev":"a"}},{"id":3,"group":[{"id":2,"weight":0}]}])",
       ErrorKind::contradiction, "weight 0"},
      {R"("nexthops":[{"id":2,"leg":{"dev":"a"}},{"id":3,"group":[{"id":2,"weight":1}]},
          {"id":4,"group":[{"id":3,"weight":1}]}])",
       ErrorKind::contradiction, "itself a group"},
      {R"("nexthops":[{"id":1,"blackhole":true},{"id":1,"blackhole":true}])",
       ErrorKind::contradiction, "nexthop 1 is there twice"},
      {R"("segments":[["a"],["a","b"]])", ErrorKind::contradiction, "segments[0]"},
      {R"("conf_all":{"rp_filter":"1"})", ErrorKind::parse, "conf_all.rp_filter"},
      {R"("conf_all":{"rp_fliter":1})", ErrorKind::parse, "conf_all.rp_fliter"},
      {R"("table_names":{"x":"y"})", ErrorKind::parse, "table_names.x"},
  };
  for (const Bad& bad : cases) {
    const auto host = snapshot_from_json(head + std::string(bad.text) + "}", "host.json");
    ASSERT_FALSE(host) << bad.text;
    EXPECT_EQ(host.error().kind, bad.kind) << bad.text << "\n" << host.error().message();
    const std::string said = host.error().message() + " | " + host.error().hint;
    EXPECT_NE(said.find(bad.says), std::string::npos) << bad.text << "\n" << said;
  }
}

TEST(SnapshotJson, RefusesRulesThatNoKernelTakes) {
  const Bad cases[] = {
      {R"("priority":9,"from":"fd00::1","table":5)", ErrorKind::contradiction, "fd00::1"},
      {R"("priority":9,"sport":[5,4],"table":5)", ErrorKind::parse, "rules[0].sport"},
      {R"("priority":9,"dscp":64,"table":5)", ErrorKind::parse, "rules[0].dscp"},
      {R"("priority":9,"action":"goto","goto":9)", ErrorKind::contradiction, "goes back to 9"},
      {R"("priority":9,"action":"goto","goto":8,"unresolved":true)", ErrorKind::contradiction,
       "goes back to 8"},
      {R"("priority":9,"action":"goto","goto":10)", ErrorKind::contradiction,
       "goes to 10, and there is no such rule"},
      {R"("priority":9,"action":"goto","goto":10,"unresolved":true},
          {"family":"inet","priority":10,"action":"nop")",
       ErrorKind::contradiction, "unresolved goto to 10, and there is such a rule"},
      {R"("priority":9,"action":"nop","goto":10)", ErrorKind::contradiction, "another action"},
      {R"("priority":9)", ErrorKind::contradiction, "priority 9 looks up no table"},
      {R"("priority":9,"l3mdev":true,"table":5)", ErrorKind::contradiction, "l3mdev and a table"},
      {R"("priority":9,"iif":"a","iif_detached":true,"table":5)", ErrorKind::contradiction,
       "detached from a, and there is such a link"},
      {R"("priority":9,"tos":32,"table":5)", ErrorKind::contradiction, "tos 0x20"},
      {R"("priority":9,"tos":16,"dscp":4,"table":5)", ErrorKind::contradiction,
       "both tos and dscp"},
      {R"("priority":9,"dscp":4,"dscp_mask":3,"table":5)", ErrorKind::contradiction,
       "outside its mask 0x3"},
      {R"("priority":9,"flowlabel_mask":3,"table":5)", ErrorKind::contradiction,
       "which only IPv6 has"},
      {R"("priority":9,"sport":[0,4],"table":5)", ErrorKind::contradiction, "1 to 65534"},
      {R"("priority":9,"dport":[4,65535],"table":5)", ErrorKind::contradiction, "1 to 65534"},
      {R"("priority":9,"dport":[4,5],"dport_mask":255,"table":5)", ErrorKind::contradiction,
       "a range and a mask"},
      {R"("priority":9,"dport":[256,256],"dport_mask":255,"table":5)", ErrorKind::contradiction,
       "outside its mask 0xff"},
      {R"("priority":9,"table":5},{"family":"inet","priority":8,"table":5)",
       ErrorKind::contradiction, "rules[1]: the rule of priority 8 stands behind"},
  };
  for (const Bad& bad : cases) {
    const std::string text = R"("rules":[{"family":"inet",)" + std::string(bad.text) + "}]}";
    const auto host = snapshot_from_json(head + text, "host.json");
    ASSERT_FALSE(host) << text;
    EXPECT_EQ(host.error().kind, bad.kind) << text << "\n" << host.error().message();
    EXPECT_NE(host.error().message().find(bad.says), std::string::npos) << text << "\n"
                                                                        << host.error().message();
    EXPECT_FALSE(host.error().hint.empty());
  }
}

// Odd, but a kernel has it so.
TEST(SnapshotJson, TakesWhatAKernelCanHold) {
  for (
      const std::string_view text : {
          R"("rules":[{"family":"inet","priority":9,"table":5}])",  // no such table
          R"("rules":[{"family":"inet","priority":9,"table":5,"iif":"z","iif_detached":true}])",
          R"("rules":[{"family":"inet","priority":9,"table":5,"iif":"an-altname"}])",
          R"("rules":[{"family":"inet","priority":9,"action":"goto","goto":10,"unresolved":true}])",
          R"("rules":[{"family":"inet","priority":9,"table":5},
                       {"family":"inet","priority":9,"table":5}])",
          R"("rules":[{"family":"inet","priority":9,"action":99}])",
          R"("rules":[{"family":"inet","priority":9,"table":5,"fwmark":16,"fwmask":15}])",
          R"("rules":[{"family":"inet","priority":9,"table":5,"from":"10.0.0.1/8"}])",
          R"("rules":[{"family":"inet6","priority":9,"table":5,"tos":184}])",
          R"("rules":[])",
          R"("routes":[{"dst":"10.0.0.0/8","src":"192.0.2.1","nexthops":[{"dev":"a"}]}])",
          R"("routes":[{"dst":"fd00::/8","type":"blackhole","nexthops":[{"dev":"a"}]}])",
          R"("routes":[{"dst":"10.0.0.0/8","nhid":7}])",  // objects were not read
          R"("addresses":[{"dev":"a","local":"10.0.0.1/8"},{"dev":"a","local":"10.0.0.1/16"},
                           {"dev":"b","local":"10.0.0.1/8"}])",
          R"("neighbors":[{"address":"10.0.0.1","flags":["proxy"]}])",
      }) {
    const auto host = snapshot_from_json(head + std::string(text) + "}", "host.json");
    EXPECT_TRUE(host) << text << "\n" << host.error().message();
  }
}

TEST(SnapshotJson, BoundsDepth) {
  const std::string deep(100000, '[');
  const auto host = snapshot_from_json(deep, "x");
  ASSERT_FALSE(host);
  EXPECT_NE(host.error().why.find("nested deeper"), std::string::npos);
}

TEST(SnapshotJson, DocumentIsSafeOnATerminal) {
  Snapshot host;
  Link link;
  link.index = IfIndex{2};
  link.name = "a\x1b[2J\xff\\";
  host.links.push_back(link);
  const std::string text = to_json(host);
  EXPECT_NE(text.find(R"("a\\x1b[2J\\xff\\\\")"), std::string::npos) << text;
  EXPECT_EQ(snapshot_from_json(text, "x").value(), host);
}

}  // namespace
}  // namespace retour
