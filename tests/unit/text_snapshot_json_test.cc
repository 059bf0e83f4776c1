// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "text/snapshot_json.h"

namespace retour {
namespace {

/// Snapshots with every field in use, consistent by construction.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  Snapshot snapshot() {
    Snapshot out;
    out.host = bytes(12);
    out.kernel = bytes(12);
    out.source = bytes(6);
    links(out);
    for (std::uint32_t i = below(6); i > 0; --i) out.addresses.push_back(address(out, i));
    for (std::uint32_t i = below(4); i > 0; --i) out.neighbors.push_back(neighbor(out));
    for (std::uint32_t i = below(8); i > 0; --i) out.routes.push_back(route(out));
    for (std::uint32_t i = below(8); i > 0; --i) out.rules.push_back(rule());
    std::ranges::stable_sort(out.rules, {}, &Rule::priority);
    for (std::uint32_t i = below(4); i > 0; --i) out.nexthops.push_back(nexthop(out, i));
    out.conf_all = conf();
    if (coin()) out.hidden.custom_rules_v4 = coin();
    if (coin()) out.hidden.custom_local_routes_v4 = coin();
    if (coin()) {
      out.groups.emplace();
      for (const Link& link : out.links) out.groups->push_back({link.index, Ip::v4(any32())});
    }
    for (std::uint32_t i = below(4); i > 0; --i) out.table_names[TableId{any32()}] = bytes(9);
    if (coin()) {
      auto& segments = out.segments.emplace();
      for (const Link& link : out.links) {
        if (segments.empty() || coin()) segments.emplace_back();
        segments.back().push_back(link.index);
      }
    }
    for (std::uint32_t i = below(3); i > 0; --i) out.notes.push_back(bytes(40));
    return out;
  }

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }
  bool coin() { return below(2) == 0; }
  /// Often zero or at the edge: that is where fields are left out or overflow.
  std::uint32_t any32() {
    const std::uint32_t values[] = {
        0, 1, 255, 0x7fffffffU, 0xffffffffU, static_cast<std::uint32_t>(random_())};
    return values[below(6)];
  }
  std::uint8_t any8() { return static_cast<std::uint8_t>(any32()); }
  std::uint16_t any16() { return static_cast<std::uint16_t>(any32()); }
  std::string bytes(std::uint32_t most) {
    std::string out;
    for (std::uint32_t i = below(most + 1); i > 0; --i) {
      out += coin() ? static_cast<char>('a' + below(26)) : static_cast<char>(below(256));
    }
    return out;
  }
  std::vector<std::uint8_t> data(std::uint32_t most) {
    std::vector<std::uint8_t> out(below(most + 1));
    for (auto& byte : out) byte = static_cast<std::uint8_t>(below(256));
    return out;
  }
  Family family() { return coin() ? Family::v4 : Family::v6; }
  Ip ip(Family family) {
    if (family == Family::v4) return Ip::v4(any32());
    return Ip(Family::v6, (Bits{random_()} << 96) | (Bits{random_()} << 32) | any32());
  }
  Prefix prefix(Family of) { return {ip(of), static_cast<std::uint8_t>(below(width(of) + 1U))}; }
  ConfValues conf() {
    ConfValues out;
    for (const ConfInfo& about : conf_table()) {
      if (coin()) out.set(about.conf, static_cast<std::int32_t>(any32()));
    }
    return out;
  }
  IfIndex device(const Snapshot& of) {
    return of.links[below(static_cast<std::uint32_t>(of.links.size()))].index;
  }
  std::vector<RawAttribute> other() {
    std::vector<RawAttribute> out(below(3));
    for (auto& attribute : out) attribute = {any16(), data(9)};
    return out;
  }

  void links(Snapshot& out) {
    IfIndex index{};
    for (std::uint32_t i = 0; i < 1 + below(5); ++i) {
      Link link;
      index.value += 1 + below(3);
      link.index = index;
      link.name = bytes(10) + std::to_string(i);
      std::erase_if(link.name, [](char c) { return c == '/' || c == '\0'; });
      link.kind = bytes(5);
      link.mac = data(20);
      link.flags = any32();
      link.mtu = any32();
      link.group = any32();
      link.speed_mbps = any32();
      // Also one that is not here: it may be in another namespace.
      link.master = IfIndex{coin() ? 0 : index.value + 1};
      link.conf = conf();
      out.links.push_back(std::move(link));
    }
  }
  Address address(const Snapshot& of, std::uint32_t salt) {
    Address out;
    const Family f = family();
    out.link = device(of);
    out.local = prefix(f);
    out.local.address = Ip(f, salt);  // distinct
    if (coin()) out.peer = ip(f);
    if (coin()) out.broadcast = ip(f);
    out.scope = any8();
    out.flags = any32();
    out.label = bytes(9);
    out.metric = any32();
    out.protocol = any8();
    return out;
  }
  Neighbor neighbor(const Snapshot& of) {
    return {device(of), ip(family()), data(8), any16(), any8()};
  }
  NextHop leg(const Snapshot& of, Family f) {
    NextHop out;
    if (coin()) out.link = device(of);
    if (coin()) out.gateway = ip(coin() ? Family::v6 : f);
    out.flags = any8();
    out.weight = static_cast<std::uint16_t>(1 + below(256));
    return out;
  }
  Route route(const Snapshot& of) {
    Route out;
    const Family f = family();
    out.dst = prefix(f).network();
    if (coin()) out.src = prefix(f);
    out.table = TableId{any32()};
    out.type = static_cast<RouteType>(below(12));
    out.scope = any8();
    out.protocol = any8();
    out.tos = any8();
    out.metric = any32();
    if (coin()) out.prefsrc = ip(f);
    for (std::uint32_t i = below(3); i > 0; --i) out.next_hops.push_back(leg(of, f));
    out.nexthop_id = any32();
    out.flags = any32();
    out.preference = any8();
    out.other = other();
    return out;
  }
  template <class T>
  std::optional<Range<T>> range() {
    const auto a = static_cast<T>(any32());
    const auto b = static_cast<T>(any32());
    if (coin()) return std::nullopt;
    return Range<T>{std::min(a, b), std::max(a, b)};
  }
  Rule rule() {
    Rule out;
    out.family = family();
    out.priority = any32();
    out.invert = coin();
    if (coin()) out.from = prefix(out.family);
    if (coin()) out.to = prefix(out.family);
    out.iif = bytes(9);
    out.oif = bytes(9);
    out.iif_detached = coin();
    out.oif_detached = coin();
    out.fwmark = any32();
    out.fwmask = any32();
    out.tos = any8();
    if (coin()) out.dscp = static_cast<std::uint8_t>(below(64));
    out.dscp_mask = any8();
    out.flowlabel = any32();
    out.flowlabel_mask = any32();
    out.ip_proto = any8();
    out.sport = range<std::uint16_t>();
    out.dport = range<std::uint16_t>();
    out.sport_mask = any16();
    out.dport_mask = any16();
    out.uid = range<std::uint32_t>();
    out.tun_id = (std::uint64_t{any32()} << 32) | any32();
    out.l3mdev = coin();
    out.action = static_cast<RuleAction>(any8());
    out.table = TableId{any32()};
    out.goto_target = any32();
    out.goto_unresolved = out.goto_target <= out.priority || coin();
    if (coin()) out.suppress_prefixlength = any32();
    if (coin()) out.suppress_ifgroup = any32();
    out.protocol = any8();
    out.other = other();
    return out;
  }
  NextHopObject nexthop(const Snapshot& of, std::uint32_t id) {
    NextHopObject out;
    out.id = id;
    out.family = family();
    out.leg = leg(of, out.family);
    out.blackhole = coin();
    for (std::uint32_t i = below(3); i > 0; --i) out.group.emplace_back(any32(), any16());
    out.protocol = any8();
    out.other = other();
    return out;
  }

  std::mt19937 random_;
};

TEST(SnapshotJson, RoundTripsEveryFieldBitForBit) {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    const Snapshot before = Generator(seed).snapshot();
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
      {R"("routes":[{"dst":"10.0.0.1/8"}])", ErrorKind::contradiction, "routes[0] to 10.0.0.1/8"},
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
      {R"("rules":[{"family":"inet","priority":9},{"family":"inet","priority":8}])",
       ErrorKind::contradiction, "priority 9"},
      {R"("rules":[{"family":"inet","priority":9,"from":"fd00::1"}])", ErrorKind::contradiction,
       "fd00::1"},
      {R"("rules":[{"family":"inet","priority":9,"sport":[5,4]}])", ErrorKind::parse,
       "rules[0].sport"},
      {R"("rules":[{"family":"inet","priority":9,"action":"goto","goto":9}])",
       ErrorKind::contradiction, "goes back to 9"},
      {R"("rules":[{"family":"inet","priority":9,"dscp":64}])", ErrorKind::parse, "rules[0].dscp"},
      {R"("segments":[["a"],["a","b"]])", ErrorKind::contradiction, "segments[0]"},
      {R"("conf_all":{"rp_filter":"1"})", ErrorKind::parse, "conf_all.rp_filter"},
      {R"("conf_all":{"rp_fliter":1})", ErrorKind::parse, "conf_all.rp_fliter"},
      {R"("table_names":{"x":"y"})", ErrorKind::parse, "table_names.x"},
      {R"("nexthops":[{"id":1},{"id":1}])", ErrorKind::contradiction, "nexthop 1"},
  };
  for (const Bad& bad : cases) {
    const auto host = snapshot_from_json(head + std::string(bad.text) + "}", "host.json");
    ASSERT_FALSE(host) << bad.text;
    EXPECT_EQ(host.error().kind, bad.kind) << bad.text << "\n" << host.error().message();
    const std::string said = host.error().message() + " | " + host.error().hint;
    EXPECT_NE(said.find(bad.says), std::string::npos) << bad.text << "\n" << said;
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
