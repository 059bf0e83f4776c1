// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "diagnose/diagnose.h"
#include "hosts6.h"
#include "plan/plan.h"
#include "plan/protection.h"
#include "text/render_report.h"
#include "text/report_json.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

Connection connection(const char* local, std::uint16_t local_port, const char* peer,
                      std::uint16_t peer_port) {
  Connection made;
  made.local = ip(local);
  made.local_port = local_port;
  made.peer = ip(peer);
  made.peer_port = peer_port;
  return made;
}

struct ProtectionTest : ::testing::Test {
  ProtectionTest() { testing::set_gates(host, 1, 1, 0); }
  [[nodiscard]] Plan planned(const Policy& policy, const Connections& connections = {}) const {
    return plan(host, policy, diagnose(host, policy), connections);
  }
  // 10.0.0.21 is on eth0, by which replies of all eight go today.
  Snapshot host = testing::grid_host(8);
};

TEST_F(ProtectionTest, AnOpenConnectionOverTheWrongDoorIsNotMovedUnasked) {
  const Connection moves = connection("10.0.0.25", 22, "10.0.0.99", 50122);
  const Plan refused = planned({}, {{moves}});
  ASSERT_TRUE(refused.refused);
  EXPECT_EQ(*refused.refused,
            "it would move an established connection: SSH from 10.0.0.99:50122 to 10.0.0.25:22 "
            "would leave by eth4 instead of eth0");
  EXPECT_NE(refused.hint.find("--move-established"), std::string::npos);
  EXPECT_NE(refused.hint.find("--confirm-within"), std::string::npos);
  ASSERT_EQ(refused.impact.connections->size(), 1U);

  Policy allows;
  allows.move_established = true;
  const Plan allowed = planned(allows, {{moves}});
  EXPECT_FALSE(allowed.refused);
  EXPECT_EQ(allowed.impact.connections->size(), 1U) << "said all the same";
}

TEST_F(ProtectionTest, ConnectionsThatStayAreNoHindrance) {
  EXPECT_FALSE(planned({}, {{connection("10.0.0.21", 22, "10.0.0.99", 50122)}}).refused)
      << "by its own door today";
  EXPECT_FALSE(planned({}, {{connection("10.0.0.25", 22, "10.0.0.22", 50122)}}).refused)
      << "within this host";
  EXPECT_FALSE(planned({}, {{connection("127.0.0.1", 22, "127.0.0.1", 50122)}}).refused);
  Connection bound = connection("10.0.0.25", 22, "10.0.0.99", 50122);
  bound.bound = IfIndex{6};
  EXPECT_FALSE(planned({}, {{bound}}).refused) << "bound to its own NIC";
}

TEST_F(ProtectionTest, TheOperatorComesFirst) {
  Connection own = connection("10.0.0.27", 2222, "10.0.0.99", 60000);
  own.of_operator = true;
  const Plan refused = planned({}, {{connection("10.0.0.22", 80, "10.0.0.99", 50123),
                                     connection("10.0.0.23", 22, "10.0.0.99", 50124), own}});
  ASSERT_TRUE(refused.refused);
  EXPECT_EQ(*refused.refused,
            "it would move your own login: SSH from 10.0.0.99:60000 to 10.0.0.27:2222 would leave "
            "by eth6 instead of eth0, and 2 more");
  const auto& moved = *refused.impact.connections;
  ASSERT_EQ(moved.size(), 3U);
  EXPECT_TRUE(moved[0].connection.of_operator);
  EXPECT_EQ(moved[1].connection.local_port, 22) << "then other logins";
}

TEST_F(ProtectionTest, WhoCallsIsToldByThePorts) {
  EXPECT_EQ(describe(connection("10.0.0.25", 50000, "10.0.0.99", 443)),
            "TCP from 10.0.0.25:50000 to 10.0.0.99:443");
  EXPECT_EQ(describe(connection("fd00::1", 22, "fd00::9", 50000)),
            "SSH from [fd00::9]:50000 to [fd00::1]:22");
}

TEST_F(ProtectionTest, NoFlowToAProtectedPrefixMovesEvenIfItIsBeingCured) {
  Policy policy;
  policy.protect = {prefix("10.0.0.200/32")};
  const Plan refused = planned(policy);
  ASSERT_TRUE(refused.refused);
  EXPECT_EQ(*refused.refused,
            "it would move what is protected (10.0.0.200): from 10.0.0.22 to 10.0.0.200 would "
            "leave by eth1 instead of eth0");
  policy.protect = {prefix("10.0.0.0/8")};
  EXPECT_TRUE(planned(policy).refused) << "the subnet is inside it";
  policy.protect = {prefix("10.1.0.0/16"), prefix("fd00::/8")};
  EXPECT_FALSE(planned(policy).refused) << "nothing there moves";
  policy.protect = {prefix("10.0.0.200/32")};
  policy.move_established = true;
  EXPECT_TRUE(planned(policy).refused) << "that is of connections alone";
}

TEST_F(ProtectionTest, UnknownIsNotNone) {
  EXPECT_FALSE(planned({}).impact.connections);
  EXPECT_TRUE(planned({}, {{}}).impact.connections->empty());
  const Style style(false);
  const std::string unknown = render(host, planned({}), style);
  EXPECT_NE(unknown.find("Open TCP connections are not known"), std::string::npos) << unknown;
  EXPECT_NE(json_report(host, planned({})).find("\"connections\": null"), std::string::npos);
  EXPECT_NE(json_report(host, planned({}, {{}})).find("\"connections\": []"), std::string::npos);
}

TEST(MovedConnections, OfIPv6Too) {
  Snapshot before = testing::bare_host6();
  testing::add_nic6(before, "a", "fd00::1/64");
  const IfIndex b = testing::add_nic6(before, "b", "fd00::2/64");
  Snapshot after = before;
  Rule own = testing::rule6(31100, TableId{200});
  own.from = prefix("fd00::2");
  testing::insert6(after, own);
  Route route = testing::route6("fd00::/64", b);
  route.table = TableId{200};
  after.routes.push_back(route);
  const Connection moves = connection("fd00::2", 22, "fd00::99", 50000);
  const Connection stays = connection("fd00::1", 22, "fd00::99", 50000);
  const std::vector<Connection> both{stays, moves};
  const auto moved = moved_connections(before, after, both);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved.front().connection, moves);
  EXPECT_EQ(moved.front().after.link, b);
}

}  // namespace
}  // namespace retour
