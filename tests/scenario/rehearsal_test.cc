// SPDX-License-Identifier: Apache-2.0
//
// Hosts of every shape cloned into a namespace of no name: the clone is the host, the kernel there
// agrees with the model, what differs is noticed, and nothing is left behind.
#include "engine/rehearsal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "diagnose/diagnose.h"
#include "lab/lab.h"
#include "os/clone.h"
#include "plan/likeness.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using kernel_test::KernelHost;

/// Carrier, addresses of IPv6 and their routes: nothing moves any more.
Snapshot settled(const KernelHost& host) {
  const auto kernel = host.kernel();
  for (int i = 0; i < 300; ++i) {
    auto first = kernel->snapshot();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    auto second = kernel->snapshot();
    const bool tentative =
        second && std::ranges::any_of(second->addresses, [](const Address& each) {
          return (each.flags & 0x40U) != 0;
        });
    if (first && second && first->routes == second->routes && !tentative && i > 2) return *second;
  }
  ADD_FAILURE() << "the host does not settle";
  return {};
}

std::string lines(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& each : list) text += each + "\n";
  return text;
}

std::string lines(const std::vector<Difference>& list) {
  std::string text;
  for (const Difference& each : list) {
    text += each.what + (each.after ? " (after)" : " (before)") + ": " + each.model + " / " +
            each.kernel + "\n";
  }
  return text;
}

Plan plan_of(const Snapshot& host) {
  const Policy policy;
  return plan(host, policy, diagnose(host, policy));
}

Rehearsal rehearsal_of(const Snapshot& host) {
  auto clone = HostClone::make(host);
  EXPECT_TRUE(clone) << clone.error().message();
  auto done = rehearse_on(clone->kernel(), host, plan_of(host), clone->declined());
  EXPECT_TRUE(done) << done.error().message();
  return *done;
}

/// Cloned whole, and the model right about every flow.
void expect_agreement(const Snapshot& host) {
  const Rehearsal done = rehearsal_of(host);
  EXPECT_TRUE(done.not_cloned.empty()) << lines(done.not_cloned);
  EXPECT_TRUE(done.differences.empty()) << lines(done.differences);
  EXPECT_EQ(done.agreed, done.flows);
  EXPECT_GT(done.flows, 20U);
}

/// What of this namespace and of the machine could have been left behind; other tests have their
/// own namespaces.
std::string surroundings() {
  return kernel_test::run(
             "ip netns list | grep -v ^rt-; cut -d: -f1 /proc/net/dev | sort; ip rule; ip -6 rule")
      .text;
}

constexpr const char* two_in_one_subnet = R"(link set lo up
link add e0 type veth peer name f0
link add e1 type veth peer name f1
link add e2 type veth peer name f2
link set f0 up
link set f1 up
link set f2 up
link set e0 up
link set e1 up
link set e2 up
)";

class RehearsedHost : public ::testing::Test {
 protected:
  void build(const std::string& more) { host_.build(two_in_one_subnet + more); }
  void sysctl(const std::string& settings) const {
    const auto done = host_.exec("sysctl -qw " + settings);
    ASSERT_EQ(done.exit, 0) << done.text;
  }
  KernelHost host_;
};

TEST_F(RehearsedHost, SecondariesGatewaysAndLongerRoutes) {
  build(R"(addr add 10.0.0.1/24 dev e0
addr add 10.0.0.11/24 dev e0
addr add 10.0.0.12/32 dev e0
addr add 10.0.0.2/24 dev e1 metric 105
addr add 10.0.0.21/24 dev e1
addr add 192.0.2.1 peer 192.0.2.2/32 dev e2
addr add 198.51.100.0/31 dev e2
route add default via 10.0.0.254 dev e0 metric 100
route add default via 10.0.0.253 dev e1 metric 101
route add 10.0.0.128/25 via 10.0.0.253 dev e1
route add 10.0.0.77 dev e2 scope link
route add 172.16.0.0/12 via 203.0.113.1 dev e2 onlink
route add 172.17.0.0/16 nexthop via 10.0.0.3 dev e0 weight 2 nexthop via 10.0.0.4 dev e1
route append 172.18.0.0/16 via 10.0.0.5 dev e0
route append 172.18.0.0/16 via 10.0.0.6 dev e0
route append 172.18.0.0/16 dev e1 scope link
rule add priority 700 to 192.0.2.0/24 lookup 77
rule add priority 700 fwmark 0x5/0xff lookup 78
rule add priority 0 from 127.0.0.2 lookup main
rule add priority 100 lookup local
rule del priority 0 lookup local
)");
  const Snapshot host = settled(host_);
  EXPECT_TRUE(plan_of(host).pending());
  expect_agreement(host);
}

TEST_F(RehearsedHost, Ipv6WithItsRulesAndTables) {
  build(R"(addr add fd00::1/64 dev e0 nodad
addr add fd00::11/64 dev e0 nodad
addr add fd00::12/64 dev e0 nodad preferred_lft 0
addr add fd00::2/64 dev e1 nodad
addr add 2001:db8::1/128 dev lo
addr add 10.0.0.1/24 dev e0
addr add 10.0.0.2/24 dev e1
route add default via fd00::9 dev e0 metric 100
route add fd10::/16 via fd00::9 dev e1 table 100
route add blackhole fd11::/16
nexthop add id 1 via fd00::9 dev e0
nexthop add id 2 via 10.0.0.9 dev e1
nexthop add id 3 group 1
route add fd12::/16 nhid 3
route add 172.16.0.0/12 nhid 2
)");
  host_.build("rule add priority 300 from fd00::2 lookup 100\n", "-6");
  sysctl("net.ipv6.conf.all.forwarding=1 net.ipv6.conf.e2.disable_ipv6=1");
  expect_agreement(settled(host_));
}

TEST_F(RehearsedHost, LinksThatAreDownOrWithoutCarrier) {
  build(R"(addr add 10.0.0.1/24 dev e0
addr add 10.0.0.2/24 dev e1
addr add 10.0.1.1/24 dev e2
addr add fd00::1/64 dev e0 nodad
link add e3 type veth peer name f3
addr add 10.0.2.1/24 dev e3
route add 172.16.0.0/12 nexthop via 10.0.0.3 dev e0 nexthop via 10.0.1.3 dev e2
link set f1 down
link set e2 down
)");
  sysctl("net.ipv4.conf.e1.ignore_routes_with_linkdown=1 net.ipv4.conf.all.rp_filter=2");
  expect_agreement(settled(host_));
}

TEST(Rehearsal, EveryKindOfRouteRuleAndNexthopIsCloned) {
  const KernelHost host;
  kernel_test::build_rich_host(host);
  const Snapshot now = settled(host);
  auto clone = HostClone::make(now);
  ASSERT_TRUE(clone) << clone.error().message();
  EXPECT_TRUE(clone->declined().empty()) << lines(clone->declined());
  const auto there = clone->kernel().snapshot();
  ASSERT_TRUE(there) << there.error().message();
  const Unlike unlike = retour::unlike(now, *there);
  EXPECT_TRUE(unlike.empty()) << "missing:\n"
                              << lines(unlike.missing) << "surplus:\n"
                              << lines(unlike.surplus);
}

TEST(Rehearsal, SixtyFourNicsInOneSubnet) {
  const KernelHost host;
  std::string batch = "link set lo up\n";
  for (int i = 0; i < 64; ++i) {
    const std::string n = std::to_string(i);
    batch += "link add e" + n + " type veth peer name f" + n + "\nlink set f" + n +
             " up\nlink set e" + n + " up\naddr add 10.9." + n + ".1/16 dev e" + n + "\n";
  }
  host.build(batch);
  const Snapshot now = settled(host);
  ASSERT_TRUE(plan_of(now).pending());
  expect_agreement(now);
}

/// A kernel that is wrong about one destination.
class Liar final : public Kernel {
 public:
  Liar(Kernel& honest, Ip about) : honest_(honest), about_(about) {}
  Result<Snapshot> snapshot() override { return honest_.snapshot(); }
  std::vector<std::optional<Error>> apply(std::span<const Change> changes) override {
    return honest_.apply(changes);
  }
  Result<std::vector<Answer>> ask(std::span<const Flow> flows) override {
    auto answers = honest_.ask(flows);
    for (std::size_t i = 0; answers && i < flows.size(); ++i) {
      if (flows[i].dst == about_) (*answers)[i].link = loopback_index;
    }
    return answers;
  }

 private:
  Kernel& honest_;
  Ip about_;
};

TEST_F(RehearsedHost, WhatDiffersIsNoticed) {
  build(
      "addr add 10.0.0.1/24 dev e0\naddr add 10.0.0.2/24 dev e1\n"
      "route add 172.16.0.0/12 via 10.0.0.9 dev e0\n");
  const Snapshot host = settled(host_);
  const Plan todo = plan_of(host);
  ASSERT_TRUE(todo.pending());
  auto clone = HostClone::make(host);
  ASSERT_TRUE(clone);

  // The host loses a route that the clone has.
  Snapshot less = host;
  std::erase_if(less.routes, [](const Route& route) { return route.dst.str() == "172.16.0.0/12"; });
  ASSERT_EQ(less.routes.size() + 1, host.routes.size());
  const auto surplus = rehearse_on(clone->kernel(), less, plan_of(less), {});
  ASSERT_TRUE(surplus);
  ASSERT_FALSE(surplus->differences.empty());
  EXPECT_NE(surplus->differences.front().what.find("172.16.0.0/12"), std::string::npos);
  EXPECT_NE(objection(*surplus).find("please report"), std::string::npos);

  // The kernel does otherwise than the model.
  clone = HostClone::make(host);
  ASSERT_TRUE(clone);
  Liar liar(clone->kernel(), *Ip::parse("172.16.0.0"));
  const auto lied = rehearse_on(liar, host, todo, {});
  ASSERT_TRUE(lied);
  EXPECT_TRUE(lied->not_cloned.empty());
  ASSERT_FALSE(lied->differences.empty());
  EXPECT_EQ(lied->differences.front().what.substr(0, 10), "172.16.0.0");

  // The clone lacks a route of the host: named, and no flow is judged by that.
  clone = HostClone::make(less);
  ASSERT_TRUE(clone);
  const auto lacking = rehearse_on(clone->kernel(), host, todo, {});
  ASSERT_TRUE(lacking);
  ASSERT_EQ(lacking->not_cloned.size(), 1U) << lines(lacking->not_cloned);
  EXPECT_NE(lacking->not_cloned.front().find("172.16.0.0/12"), std::string::npos);
  EXPECT_GT(lacking->unlike, 0U);
  EXPECT_TRUE(lacking->differences.empty()) << lines(lacking->differences);

  // A change that the kernel refuses.
  clone = HostClone::make(host);
  ASSERT_TRUE(clone);
  ASSERT_FALSE(clone->kernel().apply(std::span(todo.changes).first(1)).front());
  const auto twice = rehearse_on(clone->kernel(), host, todo, {});
  ASSERT_TRUE(twice);
  EXPECT_TRUE(std::ranges::any_of(twice->differences, [](const Difference& each) {
    return each.kernel == "File exists";
  })) << lines(twice->differences);
}

TEST_F(RehearsedHost, AVrfIsDeclined) {
  build("addr add 10.0.0.1/24 dev e0\naddr add 10.0.0.2/24 dev e1\n");
  Snapshot host = settled(host_);
  const auto link =
      std::ranges::find_if(host.links, [](const Link& each) { return each.name == "f2"; });
  link->kind = "vrf";
  link->name = "blue";
  const Rehearsal done = rehearsal_of(host);
  ASSERT_FALSE(done.not_cloned.empty());
  EXPECT_EQ(done.not_cloned.front().substr(0, 15), "link blue: a VR");
  EXPECT_TRUE(done.differences.empty()) << lines(done.differences);
}

TEST(Rehearsal, TheVerbLeavesNothingBehind) {
  auto lab = LabGuard::up({.name = lab_name("reh"), .nics = 3});
  ASSERT_TRUE(lab) << lab.error().message();
  const std::string b = (*lab)->b.netns;
  const std::string around = surroundings();
  const std::string before = whole_state(b);
  const Ran live = retour("plan --rehearse --json --netns " + b);
  EXPECT_EQ(live.exit, 1) << live.err;
  const auto told = live.json()["rehearsal"];
  EXPECT_GT(told["flows"], 100);
  EXPECT_EQ(told["flows"], told["agreed"]);
  EXPECT_EQ(told["changes"], live.json()["changes"].size());
  EXPECT_TRUE(told["differences"].empty()) << told["differences"];
  EXPECT_TRUE(told["not_cloned"].empty()) << told["not_cloned"];
  EXPECT_EQ(retour("plan --json --netns " + b).json().contains("rehearsal"), false);

  const std::string file = ::testing::TempDir() + b + ".json";
  std::ofstream(file) << retour("snapshot --netns " + b).out;
  const Ran offline = retour("plan --rehearse --snapshot " + file);
  EXPECT_EQ(offline.exit, 1) << offline.err;
  EXPECT_NE(offline.out.find("Rehearsed on kernel"), std::string::npos) << offline.out;
  fs::remove(file);

  EXPECT_EQ(whole_state(b), before);
  EXPECT_EQ(surroundings(), around);
  ASSERT_EQ(retour("apply -q --netns " + b).exit, 0);
  const Ran nothing = retour("plan --rehearse --netns " + b);
  EXPECT_EQ(nothing.exit, 0) << nothing.err;
  EXPECT_NE(nothing.out.find("all as the model says"), std::string::npos) << nothing.out;
}

TEST(Rehearsal, KilledAtAnyTimeItLeavesNothing) {
  auto lab = LabGuard::up({.name = lab_name("rehk"), .nics = 8});
  ASSERT_TRUE(lab) << lab.error().message();
  const std::string b = (*lab)->b.netns;
  const std::string around = surroundings();
  const std::string before = whole_state(b);
  int killed = 0;
  for (int ms = 5; ms < 150; ms += 12) {
    const pid_t child = fork();
    if (child == 0) {
      dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
      execl(RETOUR_BINARY, "retour", "plan", "--rehearse", "-q", "--json", "--netns", b.c_str(),
            nullptr);
      _exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) ? 1 : 0;
  }
  EXPECT_GT(killed, 2);
  EXPECT_EQ(whole_state(b), before);
  EXPECT_EQ(surroundings(), around);
}

TEST(Rehearsal, WithoutPrivilegeItSaysWhich) {
  auto lab = LabGuard::up({.name = lab_name("rehp"), .nics = 2});
  ASSERT_TRUE(lab) << lab.error().message();
  const std::string copy = "/tmp/" + lab_name("rehbin");
  fs::copy_file(RETOUR_BINARY, copy);
  const auto refused =
      kernel_test::run("ip netns exec " + (*lab)->b.netns +
                       " setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all " +
                       copy + " plan --rehearse");
  fs::remove(copy);
  EXPECT_EQ(refused.exit, 3) << refused.text;
  EXPECT_NE(refused.text.find("CAP_SYS_ADMIN is missing"), std::string::npos) << refused.text;
}

}  // namespace
}  // namespace retour::testing
