// SPDX-License-Identifier: Apache-2.0
//
// What a change needs and does not get: privilege, a disk with room, a file system that can be
// written, files, descriptors, memory. It says what, where and what to do, and the host is exactly
// as it was.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <thread>

#include "lab/lab.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/open_gates_lab.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Resources : public OpenGatesLab {
 protected:
  Resources() : OpenGatesLab("res") {}
  void TearDown() override {
    retour("undo -q --netns " + b_);
    EXPECT_FALSE(fs::exists(files_));
  }

  /// In the namespace, with mounts of its own.
  [[nodiscard]] kernel_test::Output inside(const std::string& script) const {
    return kernel_test::run("ip netns exec " + b_ + " sh -c '" + script + "'");
  }
  [[nodiscard]] Ran on_b(const std::string& verb) const { return retour(verb + " --netns " + b_); }

  void expect_refused(const kernel_test::Output& done, std::initializer_list<const char*> words,
                      const std::string& state) const {
    EXPECT_EQ(done.exit, 3) << done.text;
    std::string text;  // without its line breaks
    std::istringstream in(done.text);
    for (std::string word; in >> word;) text += word + " ";
    for (const char* word : words) {
      EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << done.text;
    }
    EXPECT_EQ(whole_state(b_), state) << done.text;
  }
};

constexpr const char* apply = "exec " RETOUR_BINARY " apply -q";
constexpr const char* undo = "exec " RETOUR_BINARY " undo -q";

TEST_F(Resources, ReadOnlyRun) {
  expect_refused(
      inside(std::string("mount -t tmpfs -o ro none /run && ") + apply),
      {"/run/retour", "Read-only file system", "make it writable", "nothing was changed"}, before_);
}

TEST_F(Resources, NoInodeLeftInRun) {
  expect_refused(inside(std::string("mount -t tmpfs -o nr_inodes=1 none /run && ") + apply),
                 {"/run/retour", "No space left on device", "make room", "nothing was changed"},
                 before_);
}

TEST_F(Resources, AFullDiskLeavesTheCureToUndo) {
  ASSERT_EQ(on_b("apply -q").exit, 0);
  const std::string cured = whole_state(b_);
  // The memory is there and can be read; the journal has no room.
  const std::string full =
      "cp -a " + files_.string() + " /tmp/" + b_ + " && mount -t tmpfs -o size=8k none " +
      files_.string() + " && cp /tmp/" + b_ + "/* " + files_.string() + " && rm -r /tmp/" + b_ +
      " && { head -c 8192 /dev/zero >" + files_.string() + "/filler; } 2>/dev/null; ";
  expect_refused(inside(full + undo),
                 {"journal.json", "No space left on device", "make room", "nothing was changed"},
                 cured);
  EXPECT_EQ(on_b("undo -q").exit, 0);
  EXPECT_EQ(whole_state(b_), before_);
}

TEST_F(Resources, ReadOnlyEtcCostsTheNamesOfTablesAlone) {
  // `ip netns exec` has the namespace's own iproute2 mounted there.
  const std::string read_only =
      "mount --rbind /etc /etc && mount -o remount,ro,bind /etc && "
      "mount -o remount,ro,bind /etc/iproute2 && ";
  const auto applied = inside(read_only + apply);
  EXPECT_EQ(applied.exit, 0) << applied.text;
  for (const char* word : {"warning", "rt_tables.d", "Read-only file system"}) {
    EXPECT_NE(applied.text.find(word), std::string::npos) << word << " in: " << applied.text;
  }
  EXPECT_EQ(on_b("diagnose -q").exit, 0);
  const auto undone = inside(read_only + undo);
  EXPECT_EQ(undone.exit, 0) << undone.text;
  EXPECT_EQ(whole_state(b_), before_);

  // Names that were written and cannot be taken away are said.
  ASSERT_EQ(inside(apply).exit, 0);
  const auto left = inside(read_only + undo);
  EXPECT_EQ(left.exit, 0) << left.text;
  EXPECT_NE(left.text.find("rt_tables.d"), std::string::npos) << left.text;
  EXPECT_EQ(inside(undo).exit, 0);
  EXPECT_EQ(whole_state(b_), before_);
}

TEST_F(Resources, ALimitOnTheSizeOfFiles) {
  expect_refused(inside(std::string("ulimit -f 0; ") + apply),
                 {"journal.json", "File too large", "ulimit -f", "nothing was changed"}, before_);
}

TEST_F(Resources, WithoutPrivilege) {
  const std::string copy = "/tmp/" + lab_name("resbin");
  fs::copy_file(RETOUR_BINARY, copy);
  const std::string nobody = "exec setpriv --reuid 65534 --regid 65534 --clear-groups ";
  for (const char* verb : {" apply", " undo", " rollback", " confirm"}) {
    expect_refused(inside(nobody + "--inh-caps=-all " + copy + verb),
                   {"CAP_NET_ADMIN is missing", "run it as root", "nothing was changed"}, before_);
  }
  // Root of a container.
  expect_refused(
      inside("exec setpriv --bounding-set=-net_admin --inh-caps=-net_admin " + copy + " apply"),
      {"CAP_NET_ADMIN is missing", "nothing was changed"}, before_);
  // May change the network, and may not write to /run.
  expect_refused(
      inside(nobody + "--inh-caps=+net_admin --ambient-caps=+net_admin " + copy + " apply"),
      {"/run/retour", "Permission denied", "run retour as root", "nothing was changed"}, before_);
  // Not even into the namespace.
  expect_refused(kernel_test::run("setpriv --reuid 65534 --regid 65534 --clear-groups "
                                  "--inh-caps=-all " +
                                  copy + " apply --netns " + b_),
                 {"CAP_SYS_ADMIN"}, before_);
  fs::remove(copy);
}

/// Whatever becomes of it: before or after, and said.
TEST_F(Resources, TooFewDescriptorsOrTooLittleMemory) {
  ASSERT_EQ(on_b("apply -q").exit, 0);
  const std::string after = whole_state(b_);
  ASSERT_EQ(on_b("undo -q").exit, 0);
  std::vector<std::string> limits;
  for (int files = 3; files <= 20; ++files) limits.push_back(fmt::format("ulimit -n {}", files));
  for (int kb = 8000; kb <= 40000; kb += 4000) limits.push_back(fmt::format("ulimit -v {}", kb));
  int refused = 0;
  for (const std::string& limit : limits) {
    const auto done = inside(limit + "; " + apply);
    if (done.exit == 3) {
      ++refused;
      EXPECT_NE(done.text.find("retour: "), std::string::npos) << limit << ": " << done.text;
    }
    for (int i = 0; i < 300 && fs::exists(files_ / "journal.json"); ++i) {
      std::this_thread::sleep_for(10ms);  // the keeper is at it
    }
    const std::string now = whole_state(b_);
    EXPECT_TRUE(now == before_ || now == after) << limit << ": " << done.text;
    EXPECT_EQ(now == after, done.exit == 0) << limit << ": " << done.exit << done.text;
    if (now == after) {
      ASSERT_EQ(on_b("undo -q").exit, 0);
    }
  }
  EXPECT_GT(refused, 3);
}

}  // namespace
}  // namespace retour::testing
