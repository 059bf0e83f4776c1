// SPDX-License-Identifier: Apache-2.0
//
// The grammar of `ip route get`: every keyword, what may be shortened, and what each mistake is
// told. What iproute2 does with the same words was read in iproute_get() and tried with 6.1.
#include <gtest/gtest.h>

#include "text/query_reader.h"
#include "unit/hosts.h"

namespace retour {
namespace {

using testing::ip;

class QueryReader : public ::testing::Test {
 protected:
  QueryReader() : host_(testing::grid_host(2)) {}

  [[nodiscard]] Result<Query> read(std::string_view line, std::uint32_t uid = 0) const {
    std::vector<std::string_view> words;
    split_query(line, words);
    return read_query(words, host_, uid);
  }
  [[nodiscard]] Flow flow(std::string_view line) const {
    const auto query = read(line);
    EXPECT_TRUE(query) << line << ": " << query.error().message();
    return query ? query->flow : Flow{};
  }
  [[nodiscard]] std::string refused(std::string_view line) const {
    const auto query = read(line);
    EXPECT_FALSE(query) << line;
    if (query) return "";
    EXPECT_EQ(query.error().kind, ErrorKind::usage);
    return query.error().message();
  }

  Snapshot host_;
};

TEST_F(QueryReader, EveryKeyword) {
  const Flow all = flow(
      "to 10.0.0.9 from 10.0.0.21 iif eth0 oif eth1 mark 0x10 tos 10 ipproto tcp sport 1 dport "
      "0x16 uid 1000");
  Flow expected;
  expected.dst = ip("10.0.0.9");
  expected.src = ip("10.0.0.21");
  expected.iif = host_.link("eth0")->index;
  expected.oif = host_.link("eth1")->index;
  expected.mark = 16;
  expected.tos = 0x10;
  expected.ip_proto = 6;
  expected.sport = 1;
  expected.dport = 22;
  expected.uid = 1000;
  EXPECT_EQ(all, expected);
  EXPECT_EQ(flow("fd00::9 flowlabel 0xfffff").flowlabel, 0xfffffU);
  EXPECT_EQ(flow("10.0.0.9 dev eth1").oif, host_.link("eth1")->index);
  EXPECT_EQ(flow("from 10.0.0.21 10.0.0.9").dst, ip("10.0.0.9"));
}

TEST_F(QueryReader, WhatIsLeftUnsaidIsWhatTheKernelTakes) {
  EXPECT_EQ(flow("10.0.0.9").ip_proto, 17);
  EXPECT_EQ(flow("fd00::9").ip_proto, 0);
  EXPECT_FALSE(read("10.0.0.9")->protocol_said);
  EXPECT_TRUE(read("10.0.0.9 ipproto udp")->protocol_said);
  EXPECT_EQ(read("10.0.0.9", 1000)->flow.uid, 1000U);
  EXPECT_EQ(flow("fd00::9").src, ip("::"));
  EXPECT_EQ(flow("fd00::9").src.family(), Family::v6);
}

TEST_F(QueryReader, WordsMayBeShortenedAsIpAllows) {
  const Flow shortened = flow("10.0.0.9 f 10.0.0.21 i eth0 o eth1 m 7 d 20 ip 6 s 3 dp 4 u 5");
  EXPECT_EQ(shortened, flow("10.0.0.9 from 10.0.0.21 iif eth0 oif eth1 mark 7 tos 20 ipproto 6 "
                            "sport 3 dport 4 uid 5"));
  EXPECT_EQ(flow("10.0.0.9 dev eth1").oif, host_.link("eth1")->index) << "not dsfield";
  EXPECT_EQ(refused("10.0.0.9 de eth1"), "de: neither a keyword nor an address");
  EXPECT_EQ(refused("10.0.0.9 to"), "to: said twice");
  EXPECT_EQ(refused("to"), "to: nothing follows it");
  EXPECT_EQ(refused("10.0.0.9 flow 3"), "flow: neither a keyword nor an address");
}

TEST_F(QueryReader, NumbersAreReadAsIpReadsThem) {
  EXPECT_EQ(flow("10.0.0.9 mark 010").mark, 8U) << "octal";
  EXPECT_EQ(flow("10.0.0.9 mark 4294967295").mark, ~0U);
  EXPECT_EQ(flow("10.0.0.9 tos 1c").tos, 0x1c);
  EXPECT_EQ(flow("10.0.0.9 tos 0x1c").tos, 0x1c);
  EXPECT_EQ(flow("10.0.0.9 tos EF").tos, 0xb8);
  EXPECT_EQ(flow("10.0.0.9 tos lowdelay").tos, 0x10);
  EXPECT_EQ(flow("10.0.0.9 ipproto 010").ip_proto, 10) << "decimal, always";
  EXPECT_EQ(flow("10.0.0.9 ipproto UDP").ip_proto, 17);
  EXPECT_EQ(flow("fd00::9 ipproto ipv6-icmp").ip_proto, 58);
  EXPECT_EQ(flow("fd00::9 ipproto icmpv6").ip_proto, 58);
  for (const char* bad :
       {"mark -1", "mark 4294967296", "mark 0x", "mark 08", "mark 1x", "tos 100", "tos zz",
        "ipproto 256", "ipproto nonesuch", "sport 65536", "dport x", "uid -1", "uid 99999999999"}) {
    EXPECT_EQ(refused(std::string("10.0.0.9 ") + bad), std::string(bad) + ": not understood");
  }
  EXPECT_EQ(refused("fd00::9 flowlabel 0x100000"), "flowlabel 0x100000: not understood");
}

TEST_F(QueryReader, AddressesAreOfOneFamilyAndOneHost) {
  EXPECT_EQ(flow("10.0.0.9/32").dst, ip("10.0.0.9"));
  EXPECT_EQ(flow("fd00::9/128").dst, ip("fd00::9"));
  EXPECT_TRUE(flow("10.0.0.9 from any").src.is_unspecified());
  EXPECT_EQ(refused("10.0.0.0/24"), "to 10.0.0.0/24: a prefix, where one packet has one address");
  EXPECT_EQ(refused("fd00::9/32"), "to fd00::9/32: a prefix, where one packet has one address");
  EXPECT_EQ(refused("10.0.0.9/128"), "to 10.0.0.9/128: not an IP address");
  EXPECT_EQ(refused("10.8"), "to 10.8: not an IP address");
  EXPECT_EQ(refused("10.0.0.256"), "to 10.0.0.256: not an IP address");
  EXPECT_EQ(refused("10.0.0.9 from fd00::1"), "from fd00::1: IPv6, but 10.0.0.9 is IPv4");
  EXPECT_EQ(refused("from fd00::1 10.0.0.9"), "to 10.0.0.9: IPv4, but fd00::1 is IPv6");
  EXPECT_EQ(refused("10.0.0.9 10.0.0.8"), "10.0.0.8: a second destination");
  EXPECT_EQ(refused("10.0.0.9 to 10.0.0.8"), "to: said twice");
  EXPECT_EQ(refused("10.0.0.9 flowlabel 3"), "flowlabel: IPv4 packets have none");
}

TEST_F(QueryReader, MistakesAreToldWithWhatIsAllowed) {
  EXPECT_EQ(refused(""), "explain: no destination is named");
  EXPECT_EQ(refused("from 10.0.0.21"), "explain: no destination is named");
  EXPECT_EQ(refused("10.0.0.9 from"), "from: nothing follows it");
  EXPECT_EQ(refused("10.0.0.9 from 10.0.0.1 from 10.0.0.2"), "from: said twice");
  EXPECT_EQ(refused("10.0.0.9 oif eth0 dev eth1"), "dev: said twice");
  EXPECT_EQ(refused("10.0.0.9 iif eth9"), "iif eth9: no such device");
  EXPECT_EQ(read("10.0.0.9 iif eth9").error().hint, "this host has lo, eth0, eth1");
  EXPECT_EQ(refused("10.0.0.9 vrf red"), "vrf red: not modelled");
  EXPECT_EQ(refused("10.0.0.9 as 10.0.0.8"), "as 10.0.0.8: not modelled");
  const std::string garbage = refused("\x1b[31m" + std::string(300, 'x'));
  EXPECT_EQ(garbage.find('\x1b'), std::string::npos);
  EXPECT_LT(garbage.size(), 120U);
}

TEST_F(QueryReader, WhatChangesNoAnswerIsAccepted) {
  EXPECT_EQ(flow("10.0.0.9 notify fibmatch"), flow("10.0.0.9"));
  EXPECT_TRUE(read("10.0.0.9 connected")->connected);
}

TEST(QuerySplit, CommentsAndBlanks) {
  std::vector<std::string_view> words;
  split_query("  10.0.0.9\tfrom  10.0.0.1\r # why # not", words);
  EXPECT_EQ(words, (std::vector<std::string_view>{"10.0.0.9", "from", "10.0.0.1"}));
  split_query("# nothing", words);
  EXPECT_TRUE(words.empty());
  split_query("", words);
  EXPECT_TRUE(words.empty());
  split_query("a#b", words);
  EXPECT_EQ(words, (std::vector<std::string_view>{"a#b"})) << "a link may be called so";
}

}  // namespace
}  // namespace retour
