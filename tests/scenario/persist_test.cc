// SPDX-License-Identifier: Apache-2.0
//
// apply --persist on a host of the lab: files below a root that is a directory of the test, all of
// them or none, and none before the host is as planned.
#include <gtest/gtest.h>

#include "lab/lab.h"
#include "scenario/programs/programs.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* unit = "/etc/systemd/system/retour.service";
constexpr const char* link = "/etc/systemd/system/multi-user.target.wants/retour.service";
constexpr const char* drop_in = "/etc/systemd/networkd.conf.d/50-retour.conf";

/// Without the breaks at 80 columns.
std::string unwrapped(std::string text) {
  for (auto at = text.find("\n  "); at != std::string::npos; at = text.find("\n  ")) {
    text.replace(at, 3, " ");
  }
  return text;
}

class Persist : public ::testing::Test {
 protected:
  void SetUp() override {
    auto lab = LabGuard::up({.name = lab_name("persist"), .nics = 2});
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    b_ = (*lab_)->b.netns;
    root_ = fs::path(::testing::TempDir()) / b_;
    fs::remove_all(root_);
    fs::create_directories(root_ / "etc");
    before_ = whole_state(b_);
  }
  void TearDown() override { fs::remove_all(root_); }

  /// The machine itself is a host of the lab: no --netns. `first`: in a mount namespace of its own.
  [[nodiscard]] Ran there(const std::string& arguments, const std::string& first = "true") const {
    const std::string errors = root_.string() + ".err";
    const auto [exit, out] =
        kernel_test::run("ip netns exec " + b_ + " unshare -m sh -c '" + first +
                             " && exec " RETOUR_BINARY " " + arguments + "'",
                         errors);
    std::ifstream in(errors);
    const std::string err(std::istreambuf_iterator<char>(in), {});
    fs::remove(errors);
    return {exit, out, unwrapped(err)};
  }
  [[nodiscard]] Ran persist(const std::string& first = "true") const {
    return there("apply --persist --root " + root_.string(), first);
  }
  [[nodiscard]] bool has(const char* path) const {
    return fs::symlink_status(root_.string() + path).type() != fs::file_type::not_found;
  }
  [[nodiscard]] std::string text(const char* path) const {
    std::ifstream in(root_.string() + path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    for (const auto& each : fs::recursive_directory_iterator(root_)) {
      count += each.is_directory() ? 0U : 1U;
    }
    return count;
  }
  void expect_as_before(const Ran& ran, const std::string& words) const {
    EXPECT_EQ(ran.exit, 3) << ran.out;
    EXPECT_NE(ran.err.find(words), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("nothing was changed"), std::string::npos) << ran.err;
    EXPECT_EQ(whole_state(b_), before_);
    EXPECT_EQ(files(), 0U);
  }

  std::unique_ptr<LabGuard> lab_;
  std::string b_;
  fs::path root_;
  std::string before_;
};

TEST_F(Persist, WritesAUnitThatMakesTheSameAgain) {
  const Ran ran = persist();
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_NE(ran.out.find("Made again at boot: " + root_.string() + unit), std::string::npos)
      << ran.out;
  EXPECT_EQ(fs::read_symlink(root_.string() + link), "../retour.service");
  EXPECT_FALSE(has(drop_in));  // nobody is here that it would tell anything
  EXPECT_EQ(files(), 2U);
  const std::string made = policy_state(b_);
  EXPECT_NE(made, "");
  EXPECT_TRUE(there("status --json --root " + root_.string()).json()["persisted"]);

  // A second time nothing is to be done, and all stays.
  const std::string was = text(unit);
  const Ran again = persist();
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_EQ(text(unit), was);

  // What the unit runs makes a host that has lost it what it was.
  ASSERT_EQ(retour("undo --netns " + b_).exit, 0);
  EXPECT_EQ(policy_state(b_), "");
  EXPECT_EQ(files(), 2U);  // they are not of a namespace
  const auto start = was.find("ExecStart=") + 10;
  const std::string command = was.substr(start, was.find('\n', start) - start);
  EXPECT_EQ(kernel_test::run("ip netns exec " + b_ + " " + command).exit, 0) << command;
  EXPECT_EQ(policy_state(b_), made);

  const Ran undone = there("undo --json --root " + root_.string());
  EXPECT_EQ(undone.exit, 0) << undone.err;
  EXPECT_EQ(undone.json()["files"], 2);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(policy_state(b_), "");
  EXPECT_FALSE(there("status --json --root " + root_.string()).json()["persisted"]);
}

TEST_F(Persist, SystemdFindsNoFaultWithTheUnit) {
  ASSERT_EQ(persist().exit, 0);
  Inside inside(b_, root_, "systemd-analyze verify " + std::string(unit));
  EXPECT_EQ(inside.wait(), 0);
  EXPECT_EQ(inside.log().find("retour"), std::string::npos) << inside.log();
}

TEST_F(Persist, TellsNetworkdToLeaveOursAlone) {
  fs::create_directories(root_ / "run/systemd/netif");
  std::ofstream(root_ / "run/systemd/netif/state") << "ADMIN_STATE=configured\n";
  const auto before = there("status --json --root " + root_.string()).json();
  ASSERT_EQ(before["coexistence"].size(), 1U);
  EXPECT_TRUE(before["coexistence"][0]["removes_ours"]);
  EXPECT_EQ(before["coexistence"][0]["drop_in"]["path"], drop_in);
  const Ran ran = persist();
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_TRUE(has(drop_in));
  EXPECT_NE(ran.err.find("systemctl restart systemd-networkd"), std::string::npos) << ran.err;
  const auto after = there("status --json --root " + root_.string()).json();
  EXPECT_FALSE(after["coexistence"][0]["removes_ours"]);
  ASSERT_EQ(there("undo --root " + root_.string()).exit, 0);
  EXPECT_FALSE(has(drop_in));
  EXPECT_FALSE(fs::exists(root_ / "etc/systemd/networkd.conf.d"));
}

TEST_F(Persist, AReadOnlyEtcIsSaidBeforeTheHostIsTouched) {
  const std::string etc = (root_ / "etc").string();
  expect_as_before(persist("mount -t tmpfs -o ro none " + etc), "Read-only file system");
}

TEST_F(Persist, AFullDiskIsSaidBeforeTheHostIsTouched) {
  const std::string etc = (root_ / "etc").string();
  expect_as_before(persist("mount -t tmpfs -o size=8k none " + etc +
                           " && head -c 8192 /dev/zero >" + etc + "/full"),
                   "No space left on device");
}

TEST_F(Persist, WithoutSystemdItIsSaidBeforeTheHostIsTouched) {
  expect_as_before(there("apply --persist", "mount -t tmpfs none /run"),
                   "systemd did not start this machine");
}

TEST_F(Persist, AUnitThatIsNotOursStays) {
  fs::create_directories(root_ / "etc/systemd/system");
  std::ofstream(root_.string() + unit) << "[Service]\nExecStart=/bin/true\n";
  const Ran ran = persist();
  EXPECT_EQ(ran.exit, 3);
  EXPECT_NE(ran.err.find("not of retour's making"), std::string::npos) << ran.err;
  EXPECT_EQ(whole_state(b_), before_);
  EXPECT_EQ(files(), 1U);
  const Ran undone = there("undo --root " + root_.string());
  EXPECT_EQ(undone.exit, 0);
  EXPECT_NE(undone.err.find("left as it is"), std::string::npos) << undone.err;
  EXPECT_TRUE(has(unit));
}

TEST_F(Persist, WhatCannotLastIsDeclined) {
  for (const std::string& arguments :
       {"apply --persist --netns " + b_, std::string("apply --persist --confirm-within 5"),
        std::string("apply --persist --runtime"), std::string("apply")}) {
    const Ran ran = there(arguments + " --root " + root_.string());
    EXPECT_EQ(ran.exit, 2) << arguments << ran.err;
    EXPECT_EQ(whole_state(b_), before_) << arguments;
  }
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace retour::testing
