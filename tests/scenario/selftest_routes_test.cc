// SPDX-License-Identifier: Apache-2.0
//
// fib_tests.sh of the kernel's self-tests, case by case: what is added, appended, replaced or
// deleted, and which route is then taken. veth devices stand for the dummy ones; VRF is left out.
#include "selftests.h"

namespace retour {
namespace {

using selftests::asked;
using selftests::gateway;
using selftests::KernelHost;
using selftests::refused;

/// route_setup(): veth1 172.16.101.1/24 and veth3 172.16.103.1/24, their peers beside them.
class SelftestFib4 : public ::testing::Test {
 protected:
  SelftestFib4() {
    host.build(
        "link set lo up\n"
        "link add veth1 type veth peer name veth2\nlink add veth3 type veth peer name veth4\n"
        "link set veth2 up\nlink set veth4 up\nlink set veth1 up\nlink set veth3 up\n"
        "addr add 172.16.101.1/24 dev veth1\naddr add 172.16.103.1/24 dev veth3\n"
        "addr add 2001:db8:101::1/64 dev veth1 nodad\n");
  }
  void ip(const std::string& arguments) const { host.do_ip(arguments); }
  [[nodiscard]] std::string get(const std::string& words) const { return gateway(host, words); }
  void fresh(const std::string& route) const {
    kernel_test::run("ip -n " + host.name() + " route flush 172.16.104.0/24");
    ip("route add " + route);
  }

  KernelHost host;
};

constexpr const char* dst = "172.16.104.1";

TEST_F(SelftestFib4, AddIsRefusedWhereTheSamePrefixStands) {
  fresh("172.16.104.0/24 via 172.16.101.2");
  EXPECT_TRUE(refused(host, "route add 172.16.104.0/24 via 172.16.103.2"));
  EXPECT_TRUE(refused(host, "route add 172.16.104.0/24 dev veth3"));
  EXPECT_TRUE(refused(host, "route add unreachable 172.16.104.0/24"));
  EXPECT_EQ(get(dst), "172.16.101.2");
}

TEST_F(SelftestFib4, PrependComesBeforeAndAppendAfter) {
  fresh("172.16.104.0/24 via 172.16.101.2");
  ip("route prepend 172.16.104.0/24 via 172.16.103.2");
  EXPECT_EQ(get(dst), "172.16.103.2");
  fresh("172.16.104.0/24 via 172.16.101.2");
  ip("route append 172.16.104.0/24 via 172.16.103.2");
  EXPECT_EQ(get(dst), "172.16.101.2");
  ip("route del 172.16.104.0/24 via 172.16.101.2");
  EXPECT_EQ(get(dst), "172.16.103.2");
}

TEST_F(SelftestFib4, ARejectRouteStandsInLine) {
  fresh("172.16.104.0/24 via 172.16.101.2");
  ip("route append unreachable 172.16.104.0/24");
  EXPECT_EQ(get(dst), "172.16.101.2");
  fresh("unreachable 172.16.104.0/24");
  ip("route append 172.16.104.0/24 via 172.16.103.2");
  EXPECT_EQ(get(dst), "errno 113");
  EXPECT_EQ(get("172.16.104.1 oif veth3"), "on-link")
      << "whoever is bound to a device is on-link there, whatever the tables say";
}

TEST_F(SelftestFib4, ReplaceTakesTheFirstOfThePrefix) {
  fresh("172.16.104.0/24 via 172.16.101.2");
  ip("route replace 172.16.104.0/24 via 172.16.103.2");
  EXPECT_EQ(get(dst), "172.16.103.2");
  ip("route replace unreachable 172.16.104.0/24");
  EXPECT_EQ(get(dst), "errno 113");
  EXPECT_TRUE(refused(host, "route change 172.16.105.0/24 via 172.16.101.2"));
}

TEST_F(SelftestFib4, MultipathIsReplacedAsAWhole) {
  fresh("172.16.104.0/24 nexthop via 172.16.101.2 nexthop via 172.16.103.2");
  EXPECT_EQ(asked(host, dst).candidates.size(), 2U);
  ip("route replace 172.16.104.0/24 nexthop via 172.16.101.3");
  EXPECT_EQ(get(dst), "172.16.101.3");
  EXPECT_TRUE(refused(host,
                      "route replace 172.16.104.0/24 nexthop via 172.16.111.3 "
                      "nexthop via 172.16.103.3"));
  EXPECT_EQ(get(dst), "172.16.101.3") << "an invalid nexthop leaves the route as it was";
}

TEST_F(SelftestFib4, TheLowerMetricWins) {
  fresh("172.16.104.0/24 via 172.16.103.2 metric 512");
  ip("route add 172.16.104.0/24 via 172.16.103.3 metric 256");
  EXPECT_EQ(get(dst), "172.16.103.3");
  ip("route del 172.16.104.0/24 metric 256");
  EXPECT_EQ(get(dst), "172.16.103.2");
}

TEST_F(SelftestFib4, RoutesWithDsfieldLeaveTheEcnBitsOut) {
  for (const char* tos : {"0x01", "0x02", "0x03"}) {
    EXPECT_TRUE(refused(
        host, std::string("route add 172.16.102.0/24 dsfield ") + tos + " via 172.16.101.2"));
  }
  ip("route add 172.16.102.0/24 via 172.16.101.2");
  ip("route add 172.16.102.0/24 dsfield 0x10 via 172.16.103.2");
  for (const char* tos : {"0x10", "0x11", "0x12", "0x13"}) {
    EXPECT_EQ(get(std::string("172.16.102.1 tos ") + tos), "172.16.103.2") << tos;
  }
  for (const char* tos : {"0x14", "0x15", "0x16", "0x17", "0x00", "0x01", "0x02", "0x03"}) {
    EXPECT_EQ(get(std::string("172.16.102.1 tos ") + tos), "172.16.101.2") << tos;
  }
}

TEST_F(SelftestFib4, AnIpv6GatewayServes) {
  ip("route add 172.16.104.0/24 via inet6 2001:db8:101::2 dev veth1");
  EXPECT_EQ(get(dst), "2001:db8:101::2");
  ip("route replace 172.16.104.0/24 nexthop via inet6 2001:db8:101::2 dev veth1 "
     "nexthop via 172.16.103.2 dev veth3");
  const Lookup lookup = asked(host, dst);
  ASSERT_EQ(lookup.candidates.size(), 2U);
  EXPECT_EQ(lookup.candidates[1].gateway, Ip::parse("172.16.103.2"));
}

TEST_F(SelftestFib4, ALegOnADeviceThatIsDownIsDead) {
  ip("route add 203.0.113.0/24 nexthop via 172.16.101.2 dev veth1 "
     "nexthop via 172.16.103.2 dev veth3");
  ip("link set veth1 down");
  EXPECT_EQ(get("203.0.113.1"), "172.16.103.2");
  EXPECT_EQ(get("203.0.113.1 oif veth3"), "172.16.103.2");
  EXPECT_EQ(get("203.0.113.1 oif veth1"), "errno 101");
  ip("link set veth3 down");
  EXPECT_EQ(get("203.0.113.1"), "errno 101");
}

TEST_F(SelftestFib4, ADeletedDeviceTakesTheMultipathRouteAlong) {
  ip("route add 203.0.113.0/24 nexthop via 172.16.101.2 dev veth1 "
     "nexthop via 172.16.103.2 dev veth3");
  ip("link del veth1");
  EXPECT_EQ(get("203.0.113.1"), "errno 101");
}

TEST_F(SelftestFib4, WithoutCarrierARouteIsLinkdownAndStillTaken) {
  ip("link set veth2 down");
  EXPECT_EQ(get("172.16.101.7"), "on-link");
  ASSERT_EQ(host.exec("echo 1 > /proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown").exit, 0);
  EXPECT_EQ(get("172.16.101.7"), "errno 101");
  EXPECT_EQ(asked(host, "172.16.101.1").verdict, Verdict::local) << "local routes are not affected";
}

TEST_F(SelftestFib4, MainRoutesGoWithTheirSourceAndOthersStay) {
  ip("addr add 172.16.101.11/24 dev veth1");
  ip("route add 172.16.105.0/24 via 172.16.103.2 src 172.16.101.11");
  ip("route add 172.16.105.0/24 via 172.16.103.2 src 172.16.101.11 table 100");
  ip("rule add priority 10 fwmark 1 table 100");
  EXPECT_EQ(asked(host, "172.16.105.1").source, Ip::parse("172.16.101.11"));
  ip("addr del 172.16.101.11/24 dev veth1");
  EXPECT_EQ(get("172.16.105.1"), "errno 101");
  EXPECT_EQ(asked(host, "172.16.105.1 mark 1").source, Ip::parse("172.16.101.11"))
      << "a source that is nobody's";
}

TEST_F(SelftestFib4, MetricsOfARouteAreCarried) {
  ip("route add 172.16.111.0/24 via 172.16.101.2 mtu 1400");
  ip("route add 172.16.112.0/24 mtu 1400 nexthop via 172.16.101.2 nexthop via 172.16.103.2");
  EXPECT_EQ(get("172.16.111.1"), "172.16.101.2");
  const Snapshot now = host.snapshot();
  const auto with_metrics = std::ranges::count_if(now.routes, [](const Route& route) {
    return std::ranges::any_of(
        route.other, [](const RawAttribute& raw) { return raw.type == 8; });  // RTA_METRICS
  });
  EXPECT_EQ(with_metrics, 2);
}

TEST_F(SelftestFib4, RpFilterPassesLocalPacketsThatCameRound) {
  ASSERT_EQ(host.exec("for k in rp_filter accept_local route_localnet; do "
                      "echo 1 > /proc/sys/net/ipv4/conf/all/$k; done")
                .exit,
            0);
  EXPECT_EQ(asked(host, "172.16.101.1 from 172.16.101.1 iif veth1").verdict, Verdict::local);
  EXPECT_EQ(asked(host, "172.16.103.1 from 172.16.101.1 iif veth1").verdict, Verdict::local);
  EXPECT_EQ(asked(host, "172.16.103.1 from 172.16.101.1 iif veth3").verdict, Verdict::rp_filter)
      << "the way back to that source is by veth1";
}

TEST_F(SelftestFib4, TheSourceOfAPacketPrefersItsOwnLeg) {
  ip("route add 203.0.113.0/24 nexthop via 172.16.101.2 nexthop via 172.16.103.2");
  for (int i = 1; i < 20; ++i) {
    const std::string to = "203.0.113." + std::to_string(i);
    EXPECT_EQ(get(to + " from 172.16.101.1"), "172.16.101.2");
    EXPECT_EQ(get(to + " from 172.16.103.1"), "172.16.103.2");
    EXPECT_EQ(asked(host, to).candidates.size(), 2U);
  }
}

/// What IPv6 does otherwise.
class SelftestFib6 : public ::testing::Test {
 protected:
  SelftestFib6() {
    host.build(
        "link set lo up\n"
        "link add veth1 type veth peer name veth2\nlink add veth3 type veth peer name veth4\n"
        "link set veth2 up\nlink set veth4 up\nlink set veth1 up\nlink set veth3 up\n"
        "addr add 2001:db8:101::1/64 dev veth1 nodad\naddr add 2001:db8:103::1/64 dev veth3 "
        "nodad\n");
  }
  void ip(const std::string& arguments) const { host.do_ip(arguments); }
  [[nodiscard]] std::string get(const std::string& words) const { return gateway(host, words); }

  KernelHost host;
};

constexpr const char* dst6 = "2001:db8:104::1";

TEST_F(SelftestFib6, AppendMakesOneMultipathRoute) {
  ip("route add 2001:db8:104::/64 via 2001:db8:101::2");
  EXPECT_TRUE(refused(host, "route add 2001:db8:104::/64 via 2001:db8:103::2"));
  ip("-6 route append 2001:db8:104::/64 via 2001:db8:103::2");
  EXPECT_EQ(asked(host, dst6).candidates.size(), 2U);
  ip("-6 route replace 2001:db8:104::/64 via 2001:db8:101::3");
  EXPECT_EQ(get(dst6), "2001:db8:101::3");
  ip("-6 route replace unreachable 2001:db8:104::/64");
  EXPECT_EQ(get(dst6), "errno 113");
}

TEST_F(SelftestFib6, ADeletedDeviceTakesItsLegAlone) {
  ip("-6 route add 2001:db8:104::/64 nexthop via 2001:db8:101::2 nexthop via 2001:db8:103::2");
  ip("link del veth1");
  EXPECT_EQ(get(dst6), "2001:db8:103::2");
  ip("link del veth3");
  EXPECT_EQ(get(dst6), "errno 101");
}

TEST_F(SelftestFib6, ALegOnADeviceThatIsDownIsDead) {
  ip("-6 route add 2001:db8:104::/64 nexthop via 2001:db8:101::2 nexthop via 2001:db8:103::2");
  ip("link set veth1 down");
  EXPECT_EQ(get(dst6), "2001:db8:103::2");
  EXPECT_EQ(get("2001:db8:104::1 oif veth3"), "2001:db8:103::2");
  EXPECT_EQ(get("2001:db8:104::1 oif veth1"), "errno 101");
}

TEST_F(SelftestFib6, RoutesWithDsfieldAreRefused) {
  EXPECT_TRUE(refused(host, "-6 route add 2001:db8:102::/64 dsfield 0x04 via 2001:db8:101::2"));
}

}  // namespace
}  // namespace retour
