// SPDX-License-Identifier: Apache-2.0
//
// The cure of hosts of many shapes on a real kernel: what the plan promised is what is then seen on
// the wire, and what others add later is not in our way.
#include <gtest/gtest.h>

#include <algorithm>

#include "scenario/live_host.h"

namespace retour {
namespace {

using kernel_test::KernelHost;
using testing::Ran;
using testing::retour;
using testing::whole_state;

void set(const KernelHost& host, const std::string& key, int value) {
  const auto done = host.exec("echo " + std::to_string(value) + " > /proc/sys/net/" + key);
  EXPECT_EQ(done.exit, 0) << key << ": " << done.text;
}

/// A host and a router beside it, joined by `nics` veths: a0 … here, r0 … there.
struct Pair {
  explicit Pair(int nics) {
    for (const KernelHost* each : {&host, &router}) {
      set(*each, "ipv6/conf/default/accept_dad", 0);
      set(*each, "ipv6/conf/all/accept_dad", 0);
      each->do_ip("link set lo up");
    }
    for (int i = 0; i < nics; ++i) {
      const std::string n = std::to_string(i);
      host.do_ip("link add a" + n + " type veth peer name r" + n + " netns " + router.name());
      host.do_ip("link set a" + n + " up");
      router.do_ip("link set r" + n + " up");
    }
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  /// The names of its tables are in /etc, which outlives the namespace.
  ~Pair() { static_cast<void>(retour("undo --quiet --netns " + host.name())); }

  /// Frames sent by a NIC of the host.
  [[nodiscard]] std::uint64_t sent(const std::string& link) const {
    const auto stats = host.ip_json("-s link show dev " + link);
    return stats[0]["stats64"]["tx"]["packets"].get<std::uint64_t>();
  }
  /// "a2" when an echo from there is answered by that NIC, "-" when nobody answers.
  [[nodiscard]] std::string answered_by(const std::string& from, const std::string& to) const {
    constexpr int echoes = 8;
    const std::string many = std::to_string(echoes);
    const auto ping = [&](const std::string& n) {
      return router.exec("ping -c " + n + " -i 0.01 -W 1 -I " + from + " " + to).exit == 0;
    };
    if (!ping("2")) return "-";
    std::vector<std::uint64_t> before;
    const auto links = host.ip_json("link show type veth");
    for (const auto& link : links) before.push_back(sent(link["ifname"]));
    if (!ping(many)) return "-";
    for (std::size_t i = 0; i < links.size(); ++i) {
      const std::string name = links[i]["ifname"];
      if (sent(name) >= before[i] + echoes) return name;
    }
    return "?";
  }
  [[nodiscard]] Ran on_host(const std::string& arguments) const {
    return retour(arguments + " --netns " + host.name());
  }

  KernelHost host, router;
};

/// Four rails, each its own subnet with its own router address, and a fabric behind them.
struct Rails : ::testing::Test {
  Rails() {
    set(router, "ipv4/ip_forward", 1);
    router.do_ip("addr add 10.200.0.1/32 dev lo");
    set(host, "ipv4/conf/all/rp_filter", 1);
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      host.do_ip("addr add 10.1." + n + ".5/24 dev a" + n);
      router.do_ip("addr add 10.1." + n + ".1/24 dev r" + n);
      host.do_ip("route add 10.0.0.0/8 via 10.1." + n + ".1 metric 10" + n);
    }
  }
  Pair pair{4};
  const KernelHost& host = pair.host;
  const KernelHost& router = pair.router;
};

TEST_F(Rails, EachAnswersThroughItsOwnRouter) {
  const std::string before = whole_state(host.name());
  EXPECT_EQ(pair.answered_by("10.200.0.1", "10.1.0.5"), "a0");
  EXPECT_EQ(pair.answered_by("10.200.0.1", "10.1.2.5"), "-") << "strict: the way back is rail 0";
  const auto found = pair.on_host("diagnose --json");
  EXPECT_EQ(found.exit, 1);
  EXPECT_EQ(found.json()["findings"][0]["code"], "lost-rp-filter");
  const auto applied = pair.on_host("apply --quiet");
  ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
  for (const std::string n : {"0", "1", "2", "3"}) {
    EXPECT_EQ(pair.answered_by("10.200.0.1", "10.1." + n + ".5"), "a" + n);
  }
  // A peer on rail 3 asks for the address of rail 1, by way of the router.
  EXPECT_EQ(pair.answered_by("10.1.3.1", "10.1.1.5"), "a1");
  EXPECT_EQ(pair.on_host("diagnose").exit, 0);
  EXPECT_EQ(pair.on_host("apply --json").json()["changes"], 0) << "a second apply";
  EXPECT_EQ(pair.on_host("undo --quiet").exit, 0);
  EXPECT_EQ(whole_state(host.name()), before);
}

TEST_F(Rails, WhatMainLearnsLaterWins) {
  ASSERT_EQ(pair.on_host("apply --quiet").exit, 0);
  host.do_ip("link add pod0 type veth peer name pod1");
  host.do_ip("link set pod0 up");
  host.do_ip("route add 10.244.0.0/16 dev pod0");
  host.do_ip("route add 10.1.1.77/32 dev pod0");
  for (const std::string dst : {"10.244.1.2", "10.1.1.77"}) {
    const auto route = host.ip_json("route get " + dst + " from 10.1.2.5");
    EXPECT_EQ(route[0]["dev"], "pod0") << dst;
  }
  EXPECT_EQ(host.ip_json("route get 10.1.1.78 from 10.1.2.5")[0]["dev"], "a2");
}

/// Four NICs of one /64 on one wire.
struct Flat6 : ::testing::Test {
  Flat6() {
    router.do_ip("link add br0 type bridge");
    router.do_ip("link set br0 up");
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      router.do_ip("link set r" + n + " master br0");
      host.do_ip("addr add fd00:1::2" + n + "/64 dev a" + n + " nodad");
    }
    router.do_ip("addr add fd00:1::99/64 dev br0 nodad");
  }
  [[nodiscard]] std::string way(const std::string& dst, const std::string& from) const {
    return host.ip_json("-6 route get " + dst + " from " + from)[0]["dev"];
  }
  Pair pair{4};
  const KernelHost& host = pair.host;
  const KernelHost& router = pair.router;
};

TEST_F(Flat6, RepliesLeaveByTheirOwnNic) {
  const std::string before = whole_state(host.name());
  const auto found = pair.on_host("diagnose --json");
  EXPECT_EQ(found.exit, 1);
  EXPECT_EQ(found.json()["findings"][0]["code"], "wrong-door");
  ASSERT_EQ(way("fd00:1::99", "fd00:1::22"), way("fd00:1::99", "fd00:1::23"));
  const auto applied = pair.on_host("apply --quiet");
  ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
  for (const std::string n : {"0", "1", "2", "3"}) {
    EXPECT_EQ(way("fd00:1::99", "fd00:1::2" + n), "a" + n);
  }
  EXPECT_EQ(pair.on_host("diagnose").exit, 0);
  EXPECT_EQ(pair.on_host("apply --json").json()["changes"], 0) << "a second apply";
  // A pod's route, and gateways that others add later: the guards are in nobody's way.
  host.do_ip("-6 route add fd00:1::77/128 dev a0");
  EXPECT_EQ(way("fd00:1::77", "fd00:1::23"), "a0");
  host.do_ip("-6 route add fd00:9::/64 via fd00:1::99");
  host.do_ip("-6 route add default via fd00:1::99");
  host.do_ip("-6 route add fd00:8::/64 via fd00:1::98");
  host.do_ip("-6 route flush fd00:9::/64");
  host.do_ip("-6 route del default");
  host.do_ip("-6 route del fd00:8::/64");
  host.do_ip("-6 route del fd00:1::77/128");
  EXPECT_EQ(pair.on_host("undo --quiet").exit, 0);
  EXPECT_EQ(whole_state(host.name()), before);
}

TEST_F(Flat6, AFlapIsFoundAndMended) {
  ASSERT_EQ(pair.on_host("apply --quiet").exit, 0);
  set(host, "ipv6/conf/a2/keep_addr_on_down", 1);
  host.do_ip("link set a2 down");
  host.do_ip("link set a2 up");
  for (int i = 0; i < 100; ++i) {
    // The kernel's own routes of the link come back one by one.
    if (host.ip("-6 route show table local dev a2").find("ff00::/8") != std::string::npos) break;
    kernel_test::run("sleep 0.05");
  }
  EXPECT_NE(way("fd00:1::99", "fd00:1::22"), "a2");
  EXPECT_EQ(pair.on_host("diagnose").exit, 1);
  const auto again = pair.on_host("apply --quiet");
  ASSERT_EQ(again.exit, 0) << again.err;
  EXPECT_EQ(way("fd00:1::99", "fd00:1::22"), "a2");
}

TEST_F(Flat6, TheDefaultRoutersNicsEach) {
  // As router advertisements leave them: one default route a NIC, by the router's link-local name.
  router.do_ip("-6 addr add fe80::99/64 dev br0 nodad");
  for (const std::string n : {"0", "1", "2", "3"}) {
    host.do_ip("-6 route add default via fe80::99 dev a" + n + " metric 102" + n + " proto ra");
  }
  const auto applied = pair.on_host("apply --quiet");
  ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
  for (const std::string n : {"0", "1", "2", "3"}) {
    EXPECT_EQ(way("2001:db8::7", "fd00:1::2" + n), "a" + n);
    EXPECT_EQ(way("fd00:1::99", "fd00:1::2" + n), "a" + n);
  }
  // What others add later by a gateway is taken, the guard for ::/0 notwithstanding; and that
  // router is beside every NIC.
  host.do_ip("-6 route add fd00:9::/64 via fd00:1::99");
  EXPECT_EQ(way("fd00:9::1", "fd00:1::23"), "a0") << "main knows it, for now";
  ASSERT_EQ(pair.on_host("apply --quiet").exit, 0);
  EXPECT_EQ(way("fd00:9::1", "fd00:1::23"), "a3");
  EXPECT_EQ(pair.on_host("diagnose").exit, 0);
}

/// Management and fast NICs in one subnet, which has the default router.
TEST(Shapes, ManagementInTheSubnetOfTheFastNics) {
  Pair pair(4);
  const KernelHost& host = pair.host;
  const KernelHost& router = pair.router;
  router.do_ip("link add br0 type bridge");
  router.do_ip("link set br0 up");
  router.do_ip("addr add 10.3.0.1/20 dev br0");
  router.do_ip("addr add 198.51.100.7/32 dev lo");
  for (const std::string conf : {"all/rp_filter", "all/arp_ignore"}) {
    set(host, "ipv4/conf/" + conf, 1);
  }
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    router.do_ip("link set r" + n + " master br0");
    host.do_ip("addr add 10.3.0.2" + n + "/20 dev a" + n);
  }
  host.do_ip("addr add 10.3.1.22/20 dev a2");  // and a secondary
  host.do_ip("route add default via 10.3.0.1 dev a0");
  EXPECT_EQ(pair.answered_by("198.51.100.7", "10.3.0.22"), "-");
  const auto applied = pair.on_host("apply --quiet");
  ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
  for (const std::string from : {"10.3.0.1", "198.51.100.7"}) {
    for (const std::string n : {"0", "1", "2", "3"}) {
      EXPECT_EQ(pair.answered_by(from, "10.3.0.2" + n), "a" + n) << from;
    }
    EXPECT_EQ(pair.answered_by(from, "10.3.1.22"), "a2") << from;
  }
  EXPECT_EQ(host.ip_json("route get 198.51.100.9")[0]["dev"], "a0") << "unbound: as before";
  EXPECT_EQ(pair.on_host("undo --quiet").exit, 0);
}

TEST(Shapes, APolicyFileOfTheNamespaceIsRead) {
  Pair pair(3);
  pair.host.build(
      "addr add 10.4.0.20/24 dev a0\naddr add 10.4.0.21/24 dev a1\n"
      "addr add 10.4.0.22/24 dev a2\n");
  const std::string etc = "/etc/netns/" + pair.host.name();
  struct Remove {
    std::string path;
    ~Remove() { kernel_test::run("rm -r " + path + "; rmdir /etc/netns"); }
  } remove{etc};
  kernel_test::run("mkdir -p " + etc + "/retour");
  const std::string file = etc + "/retour/retour.toml";
  std::ofstream(file) << "[links]\nname = [\"a0\", \"a1\"]\n[numbers]\npriorities = [9000, 9999]\n";
  const auto planned = pair.on_host("plan --json");
  ASSERT_EQ(planned.exit, 1) << planned.err;
  const auto document = planned.json();
  for (const auto& change : document["changes"]) {
    if (change["op"] != "add-rule") continue;
    EXPECT_GE(change["object"]["priority"].get<int>(), 9000);
    EXPECT_LE(change["object"]["priority"].get<int>(), 9999);
  }
  std::ofstream(file) << "[links]\nname = [\"a0\", \"b*\"]\n";
  const std::string before = whole_state(pair.host.name());
  const auto refused = pair.on_host("apply");
  EXPECT_EQ(refused.exit, 2);
  EXPECT_NE(refused.err.find("\"b*\" matches no link"), std::string::npos) << refused.err;
  EXPECT_EQ(whole_state(pair.host.name()), before);
}

}  // namespace
}  // namespace retour
