// SPDX-License-Identifier: Apache-2.0
//
// What is said of other programs and of what keeps ours beside them, seen with the programs.
#include <gtest/gtest.h>

#include "lab/lab.h"
#include "os/networkd_files.h"
#include "plan/managers.h"
#include "scenario/programs/programs.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Beside : public ::testing::Test {
 protected:
  void SetUp() override {
    auto lab = LabGuard::up({.name = lab_name("beside"), .nics = 2});
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    b_ = (*lab_)->b.netns;
    files_ = fs::path(::testing::TempDir()) / b_;
    fs::remove_all(files_);
    fs::create_directories(files_);
    ASSERT_EQ(retour("apply --runtime --netns " + b_).exit, 0);
    ours_ = policy_state(b_);
    ASSERT_NE(ours_, "");
  }
  void TearDown() override { fs::remove_all(files_); }

  void write(const std::string& path, const std::string& text) const {
    const fs::path at = files_.string() + path;
    fs::create_directories(at.parent_path());
    std::ofstream(at) << text;
    fs::permissions(
        at, fs::perms::owner_read | fs::perms::owner_write |
                (path.ends_with(".nmconnection") ? fs::perms::none : fs::perms::others_read));
  }
  [[nodiscard]] std::string cidr() const { return (*lab_)->b.addresses.front().str() + "/20"; }
  [[nodiscard]] const std::string& nic() const { return (*lab_)->b.nics.front(); }
  void networkd_file() const {
    write("/etc/systemd/network/10-a.network", "[Match]\nName=" + nic() +
                                                   "\n[Network]\nIPv6AcceptRA=no\n"
                                                   "LinkLocalAddressing=no\nAddress=" +
                                                   cidr() + "\n");
  }
  /// systemd-networkd, then a NIC configured anew once it is done with it, then a file that says
  /// so.
  [[nodiscard]] std::string reconfigured() const {
    return "bus && { networkd & } && until networkctl list " + nic() +
           " | grep -q configured; do sleep 0.1; done; networkctl reconfigure " + nic() +
           "; sleep 1; until networkctl list " + nic() +
           " | grep -q configured; do sleep 0.1; done; echo done";
  }
  /// Its address was away for a moment, and took the route that prefers it along; no rule went, and
  /// no other route. The next apply puts it back.
  void expect_all_but_one_route() const {
    const std::string now = policy_state(b_);
    std::istringstream lines(ours_);
    std::size_t gone = 0;
    for (std::string line; std::getline(lines, line);) {
      if (now.find(line) != std::string::npos) continue;
      ++gone;
      EXPECT_NE(line.find("route {\"dev\":\"" + nic()), std::string::npos) << line;
    }
    EXPECT_EQ(gone, 1U) << now;
    EXPECT_EQ(retour("apply --json --runtime --netns " + b_).json()["changes"], 1);
    EXPECT_EQ(policy_state(b_), ours_);
  }
  void run_to_the_end(const std::string& command) const {
    Inside inside(b_, files_, command);
    EXPECT_TRUE(comes_true([&] { return inside.log().find("done\n") != std::string::npos; }, 30s))
        << inside.log();
  }

  std::unique_ptr<LabGuard> lab_;
  std::string b_;
  fs::path files_;
  std::string ours_;
};

TEST_F(Beside, NetworkdDeletesOursWhenItConfiguresANicAnew) {
  networkd_file();
  run_to_the_end(reconfigured());
  const std::string left = policy_state(b_);
  EXPECT_EQ(left.find("rule "), std::string::npos) << left;
}

TEST_F(Beside, TheDropInKeepsOurRulesBesideNetworkd) {
  networkd_file();
  ManagerTraces traces;
  traces.processes = {"systemd-network"};
  const auto found = managers(traces, Snapshot{});
  ASSERT_TRUE(found.at(0).drop_in);
  write(found[0].drop_in->path, found[0].drop_in->text);
  run_to_the_end(reconfigured());
  expect_all_but_one_route();
}

TEST_F(Beside, NetworkdTellsWhichFileItUses) {
  networkd_file();
  const fs::path out = files_ / "out";
  run_to_the_end("{ networkd & }; until grep -q NETWORK_FILE= /run/systemd/netif/links/*; do " +
                 std::string("sleep 0.1; done; mkdir ") + out.string() + "; cp -r /run " +
                 out.string() + "; echo done");
  const auto index =
      kernel_test::run("ip netns exec " + b_ + " cat /sys/class/net/" + nic() + "/ifindex");
  const auto used = networkd_files(out.string());
  ASSERT_EQ(used.size(), 1U);
  EXPECT_EQ(used.begin()->first.value, std::stoul(index.text));
  EXPECT_EQ(used.begin()->second, "/etc/systemd/network/10-a.network");
}

TEST_F(Beside, NetworkManagerLeavesOurRulesAlone) {
  write("/etc/NetworkManager/system-connections/a.nmconnection",
        "[connection]\nid=a\nuuid=8a7f6b0e-0d5c-4a53-9a86-6d0b1d0a1f01\ntype=ethernet\n"
        "interface-name=" +
            nic() + "\n[ipv4]\nmethod=manual\naddress1=" + cidr() + "\n[ipv6]\nmethod=disabled\n");
  run_to_the_end(
      "bus && { network_manager & } && until nmcli connection up a; do sleep 0.2; done; "
      "nmcli connection up a && nmcli device reapply " +
      nic() + " && sleep 1; nmcli general reload; echo done");
  expect_all_but_one_route();
}

}  // namespace
}  // namespace retour::testing
