// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "hosts6.h"
#include "text/render_impact.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

struct ImpactText : ::testing::Test {
  ImpactText() {
    for (int i = 0; i < 40; ++i) {
      testing::add_nic(host, ("eth" + std::to_string(i)).c_str(),
                       ("10.0.0." + std::to_string(i + 1) + "/24").c_str());
    }
    impact.classes = 1000;
    impact.connections.emplace();
  }
  PathChange& move(const char* from, const char* to, std::uint32_t before, std::uint32_t after,
                   bool expected) {
    PathChange path;
    if (from != nullptr) path.source = ip(from);
    path.destinations = prefix(to);
    path.before.verdict = path.after.verdict = Verdict::unicast;
    path.before.link = IfIndex{before};
    path.after.link = IfIndex{after};
    path.expected = expected;
    impact.changed.push_back(path);
    return impact.changed.back();
  }
  [[nodiscard]] std::string text() const {
    std::string all = render(host, impact, Style(false));
    std::istringstream lines(all);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
    return all;
  }
  Snapshot host = testing::bare_host();
  Impact impact;
};

TEST_F(ImpactText, FewOwnDoorsAreALineEachAndManyAreOne) {
  for (std::uint32_t i = 1; i < 8; ++i) {
    move(("10.0.0." + std::to_string(i + 1)).c_str(), "10.0.0.0/24", 2, i + 2, true);
  }
  EXPECT_NE(text().find("  10.0.0.3  10.0.0.0/24  eth0    eth2\n"), std::string::npos) << text();
  for (std::uint32_t i = 8; i < 40; ++i) {
    move(("10.0.0." + std::to_string(i + 1)).c_str(), "10.0.0.0/24", 2, i + 2, true);
  }
  EXPECT_NE(text().find("10.0.0.2 and 38 more  10.0.0.0/24  eth0    each its own NIC"),
            std::string::npos)
      << text();
}

TEST_F(ImpactText, WhatSaysTheSameIsOneLineAndWhatNobodyExpectedComesFirst) {
  for (const char* to : {"10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0"}) {
    for (const char* from : {"10.0.0.1", "10.0.0.2"}) move(from, to, 2, 3, false);
  }
  move("10.0.0.2", "10.0.0.0/24", 2, 3, true);
  const std::string all = text();
  const auto line =
      all.find("  10.0.0.1, 10.0.0.2  10.1.0.0/16 and 2 more  eth0    eth1   UNEXPECTED\n");
  const auto cured = all.find("and what is being cured:");
  EXPECT_NE(line, std::string::npos) << all;
  EXPECT_LT(line, cured);
  EXPECT_EQ(all.find("Nothing else moves"), std::string::npos);
}

TEST_F(ImpactText, AnOrdinaryFlowStandsForTheSameOneWithAMark) {
  move(nullptr, "10.1.0.0/16", 2, 3, false);
  move(nullptr, "10.1.0.0/16", 2, 3, false).before.flow.mark = 7;
  EXPECT_EQ(text().find("mark"), std::string::npos) << text();
  impact.changed.erase(impact.changed.begin());
  EXPECT_NE(text().find("unbound mark 0x7"), std::string::npos) << text();
}

TEST_F(ImpactText, LongAddressesFitTheScreen) {
  const char* from = "2001:db8:1111:2222:3333:4444:5555:6666";
  move(from, "2001:db8:aaaa:bbbb:cccc:dddd::/96", 2, 3, false);
  impact.changed.back().after.gateway = ip("fe80::1111:2222:3333:4444");
  Connection connection;
  connection.local = ip(from);
  connection.peer = ip("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
  connection.local_port = 22;
  connection.peer_port = 50122;
  connection.of_operator = true;
  impact.connections->push_back(
      {connection, impact.changed.back().before, impact.changed.back().after});
  const std::string all = text();
  EXPECT_NE(all.find("UNEXPECTED from 2001"), std::string::npos) << all;
  EXPECT_NE(all.find("your own login"), std::string::npos) << all;
}

}  // namespace
}  // namespace retour
