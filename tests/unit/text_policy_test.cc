// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hosts.h"
#include "text/policy_reader.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

std::string wrong(const char* text) {
  const auto read = policy_from_toml(text, "retour.toml");
  return read ? "" : read.error().message() + " | " + read.error().hint;
}

TEST(PolicyFile, EveryKeyIsOptional) {
  const auto read = policy_from_toml("", "retour.toml");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->policy.links, LinkChoice{});
  EXPECT_EQ(read->policy.gates.size(), 2U);
}

TEST(PolicyFile, AllOfIt) {
  const auto read = policy_from_toml(R"(
protect = ["10.7.0.0/16", "fd00::1"]
segments = "rails"
[links]
name = ["enp*", "rail?"]
not_name = "enp3*"
driver = "mlx5_core"
pci = "0000:17:*"
subnet = "29.28.192.0/20"
[numbers]
tables = [300, 399]
priorities = [20000, 20999]
[gates]
may_change = ["arp_filter"]
[apply]
gate = "probe"
[[fabric]]
prefix = "10.0.0.0/8"
gateway = "first"
[[fabric]]
prefix = "fd01::/16"
gateway = ["fd01:1::1", "fd01:2::1"]
)",
                                     "retour.toml");
  ASSERT_TRUE(read) << read.error().message();
  const Policy& policy = read->policy;
  EXPECT_EQ(policy.protect, (std::vector<Prefix>{prefix("10.7.0.0/16"), prefix("fd00::1")}));
  EXPECT_EQ(policy.segments, SegmentsFrom::rails);
  EXPECT_EQ(policy.links.names, (std::vector<std::string>{"enp*", "rail?"}));
  EXPECT_EQ(policy.links.not_names, std::vector<std::string>{"enp3*"});
  EXPECT_EQ(policy.links.drivers, std::vector<std::string>{"mlx5_core"});
  EXPECT_EQ(policy.links.buses, std::vector<std::string>{"0000:17:*"});
  EXPECT_EQ(policy.links.subnets, std::vector<Prefix>{prefix("29.28.192.0/20")});
  EXPECT_EQ(policy.tables, (Range<std::uint32_t>{300, 399}));
  EXPECT_EQ(policy.priorities, (Range<std::uint32_t>{20000, 20999}));
  EXPECT_EQ(policy.gates, std::vector<Conf>{Conf::arp_filter});
  EXPECT_EQ(policy.gate, CommitGate::probe);
  ASSERT_EQ(policy.fabrics.size(), 2U);
  EXPECT_EQ(policy.fabrics[0], (FabricPrefix{prefix("10.0.0.0/8"), GatewayAt::first, {}}));
  EXPECT_EQ(policy.fabrics[1].gateways, (std::vector<Ip>{ip("fd01:1::1"), ip("fd01:2::1")}));
}

TEST(PolicyFile, ErrorsNameFileLineKeyAndWhatIsAllowed) {
  EXPECT_EQ(wrong("[links]\nnmae = \"e*\"\n"),
            "read retour.toml: line 2: links.nmae: no such key | "
            "allowed here: name, not_name, driver, pci, subnet");
  EXPECT_EQ(wrong("[numbers]\n\ntables = [300, 200]\n"),
            "read retour.toml: line 3: numbers.tables: [300, 200] is impossible | "
            "[first, last] with 1 <= first <= last <= 4294967294");
  EXPECT_EQ(wrong("[numbers]\ntables = [200, 299]\n"),
            "read retour.toml: line 2: numbers.tables: the range overlaps 253 to 255, which are "
            "default, main and local | end before 253, or start after 255");
  EXPECT_EQ(wrong("[numbers]\npriorities = [1, 40000]\n"),
            "read retour.toml: line 2: numbers.priorities: [1, 40000] is impossible | "
            "[first, last] with 1 <= first <= last <= 32765");
  EXPECT_EQ(wrong("protect = [\"10.0.0.1/8\"]"),
            "read retour.toml: line 1: protect: \"10.0.0.1/8\" is not allowed | "
            "the network itself: \"10.0.0.0/8\"");
  EXPECT_EQ(wrong("segments = 3"),
            "read retour.toml: line 1: segments: 3 is not allowed | "
            "\"auto\", \"flat\" or \"rails\"");
  EXPECT_NE(wrong("[gates]\nmay_change = [\"rp_filter\"]").find("arp_ignore"), std::string::npos);
  EXPECT_NE(wrong("[[fabric]]\nprefix = \"10.0.0.0/8\"\n[[fabric]]\nprefix = \"10.0.0.0/8\"\n")
                .find("line 4: fabric.prefix: 10.0.0.0/8 is told twice"),
            std::string::npos);
  EXPECT_NE(wrong("[[fabric]]\ngateway = \"first\"\n").find("fabric.prefix: it is missing"),
            std::string::npos);
  EXPECT_NE(wrong("[links\n").find("read retour.toml: line 1"), std::string::npos);
}

TEST(PolicyFile, AWordThatMatchesNoLinkIsAnError) {
  const Snapshot host = testing::grid_host(2);
  const auto read = policy_from_toml("[links]\nname = [\"eth*\", \"enp*\"]\n", "retour.toml");
  ASSERT_TRUE(read);
  const auto checked = check_links(*read, host);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message(),
            "read retour.toml: line 2: links.name: \"enp*\" matches no link of this host");
  EXPECT_EQ(checked.error().hint, "it has eth0, eth1");
  EXPECT_TRUE(check_links(*policy_from_toml("[links]\nnot_name = \"x*\"\n", "f"), host));
}

}  // namespace
}  // namespace retour
