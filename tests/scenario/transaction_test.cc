// SPDX-License-Identifier: Apache-2.0
//
// Before or after, nothing between: the program killed at every system call that changes anything,
// its keeper, deadlines, foreign changes and full disks, on real hosts in namespaces.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "os/host_lock.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/open_gates_lab.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// Looks again until it is so, or the time is over.
bool soon(const std::function<bool()>& so, std::chrono::milliseconds within = 8s) {
  const auto end = Steady::now() + within;
  while (!so()) {
    if (Steady::now() > end) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

/// System calls that leave something behind, outside of the process.
bool changes_something(std::uint64_t number) {
  static const std::set<std::uint64_t> calls{SYS_sendto, SYS_sendmsg,   SYS_write, SYS_fsync,
                                             SYS_rename, SYS_renameat2, SYS_mkdir, SYS_rmdir,
                                             SYS_unlink, SYS_fchmod};
  return calls.contains(number);
}

/// The process that watches over a change to this namespace.
void kill_keepers(const std::string& netns) {
  for (const auto& process : fs::directory_iterator("/proc")) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream name_file(process.path() / "comm");
    std::ifstream line_file(process.path() / "cmdline");
    std::string name;
    std::string line;
    std::getline(name_file, name);
    std::getline(line_file, line);
    if (name == "retour-keeper" && line.find(netns) != std::string::npos) {
      kill(std::stoi(pid), SIGKILL);
    }
  }
}

/// Runs the program on the namespace and kills it where it enters the n-th such call, after its
/// keeper, if that is to go too; true if it got that far.
bool kill_at(std::size_t n, const std::string& verb, const std::string& netns, bool keeper) {
  const std::vector<std::string> arguments{"retour", verb, "-q", "--netns", netns};
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> list;
    list.reserve(arguments.size() + 1);
    for (const std::string& text : arguments) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    for (const int out : {1, 2}) dup2(open("/dev/null", O_WRONLY), out);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execv(RETOUR_BINARY, list.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);  // at the exec
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  int signal = 0;
  bool bound = false;  // what comes before the lock is not the transaction
  for (std::size_t seen = 0;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    waitpid(child, &status, 0);
    signal = 0;
    if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      continue;
    }
    __ptrace_syscall_info call{};
    ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(call), &call);
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    bound = bound || call.entry.nr == SYS_listen;
    if (bound && changes_something(call.entry.nr) && seen++ == n) {
      if (keeper) kill_keepers(netns);
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return true;
    }
  }
}

/// The lines that only one of two states has.
std::string difference(const std::string& was, const std::string& is) {
  const auto lines = [](const std::string& text) {
    std::multiset<std::string> list;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) list.insert(line);
    return list;
  };
  const auto a = lines(was);
  const auto b = lines(is);
  std::string text;
  for (const std::string& line : a) text += b.contains(line) ? "" : "- " + line + "\n";
  for (const std::string& line : b) text += a.contains(line) ? "" : "+ " + line + "\n";
  return text.empty() ? "another order only" : text;
}

class TransactionOnAHost : public OpenGatesLab {
 protected:
  TransactionOnAHost() : OpenGatesLab("txn") {}
  [[nodiscard]] std::string state() const { return whole_state(b_); }
  void expect_state(const std::string& wanted, const std::string& where = "") const {
    const std::string now = state();
    EXPECT_TRUE(now == wanted) << where << ":\n" << difference(wanted, now);
  }
  [[nodiscard]] bool journalled() const { return fs::exists(files_ / "journal.json"); }
  [[nodiscard]] Ran on_b(const std::string& verb) const { return retour(verb + " --netns " + b_); }

  /// Kills `verb` at every point; then `mend` leaves the host as it was before or as it is after.
  void kill_everywhere(const std::string& verb, bool keeper, const std::string& before,
                       const std::string& after, const std::function<void()>& mend) {
    std::size_t kept = 0;
    std::size_t taken_back = 0;
    for (std::size_t n = 0; kill_at(n, verb, b_, keeper); ++n) {
      mend();
      const std::string now = state();
      EXPECT_FALSE(journalled()) << n;
      ASSERT_TRUE(now == before || now == after) << "killed at " << n << ", against before:\n"
                                                 << difference(before, now) << "against after:\n"
                                                 << difference(after, now);
      ++(now == before ? taken_back : kept);
      if (now == before) continue;
      ASSERT_EQ(retour((verb == "apply" ? "undo -q --netns " : "apply -q --netns ") + b_).exit, 0);
      expect_state(before, std::to_string(n));
    }
    EXPECT_GT(taken_back, 20U);
    EXPECT_GT(kept, 0U) << "killed behind the commit";
  }
};

TEST_F(TransactionOnAHost, KilledAnywhereTheKeeperMendsIt) {
  ASSERT_EQ(on_b("apply -q").exit, 0);
  const std::string after = state();
  ASSERT_EQ(on_b("undo -q").exit, 0);
  expect_state(before_);
  // Nobody looks after it but the keeper.
  kill_everywhere("apply", false, before_, after, [&] {
    EXPECT_TRUE(soon([&] { return !journalled(); })) << "the keeper did not come";
  });
}

TEST_F(TransactionOnAHost, UndoKilledAnywhereWithItsKeeperIsMendedByTheNext) {
  ASSERT_EQ(on_b("apply -q").exit, 0);
  const std::string after = state();
  kill_everywhere("undo", true, after, before_, [&] {
    const bool left = journalled();
    EXPECT_EQ(on_b("rollback -q").exit, left ? 0 : 1);
  });
}

TEST_F(TransactionOnAHost, WhatIsNotConfirmedIsTakenBackThoughTheCallerIsKilled) {
  int terminal = -1;
  const auto start = Steady::now();
  const pid_t shell = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (shell == 0) {
    const std::string command =
        std::string(RETOUR_BINARY) + " apply --confirm-within 2 --netns " + b_ + "; sleep 60";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  ASSERT_TRUE(soon([&] { return on_b("status").out.find("retour confirm") != std::string::npos; }));
  EXPECT_NE(state(), before_);
  kill(shell, SIGKILL);
  close(terminal);  // and a hangup for everyone on it
  waitpid(shell, nullptr, 0);
  EXPECT_TRUE(soon([&] { return !journalled(); }));
  EXPECT_GE(Steady::now() - start, 2s) << "not before its time";
  expect_state(before_);
  EXPECT_FALSE(fs::exists(files_));
  EXPECT_EQ(on_b("confirm -q").exit, 1) << "too late";
}

TEST_F(TransactionOnAHost, ACallerThatHangsOnItsTerminalKeepsNothing) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  const std::string filler(4096, '.');
  while (write(ends[1], filler.data(), filler.size()) > 0) {
  }
  fcntl(ends[1], F_SETFL, 0);  // full: who writes now waits for a reader that never comes
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    execl(RETOUR_BINARY, "retour", "apply", "--confirm-within", "1", "--netns", b_.c_str(),
          nullptr);
    _exit(127);
  }
  EXPECT_TRUE(soon([&] { return journalled(); }));
  EXPECT_TRUE(soon([&] { return !journalled(); })) << "the keeper waits for the caller";
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "it hangs still";
  expect_state(before_);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (const int end : ends) close(end);
}

TEST_F(TransactionOnAHost, WaitsForTheWordAndTakesNoOther) {
  ASSERT_EQ(on_b("apply -q --confirm-within 600").exit, 0);
  const std::string after = state();
  const auto status = on_b("status --json").json();
  EXPECT_GT(status["confirm_within_s"], 500);
  const Ran second = on_b("apply");
  EXPECT_EQ(second.exit, 3);
  EXPECT_NE(second.err.find("waits to be confirmed"), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("retour rollback"), std::string::npos) << second.err;
  expect_state(after);
  EXPECT_EQ(on_b("rollback --json").json()["rolled_back"], true);
  expect_state(before_);
  EXPECT_EQ(on_b("rollback -q").exit, 1);
  EXPECT_EQ(on_b("confirm -q").exit, 1);

  ASSERT_EQ(on_b("apply -q --confirm-within 600").exit, 0);
  EXPECT_EQ(on_b("undo -q").exit, 0);
  expect_state(before_);
  EXPECT_FALSE(journalled());
}

TEST_F(TransactionOnAHost, WhatIsConfirmedStays) {
  ASSERT_EQ(on_b("apply -q --confirm-within 1").exit, 0);
  const std::string after = state();
  const Ran confirmed = on_b("confirm --json");
  EXPECT_EQ(confirmed.exit, 0) << confirmed.err;
  EXPECT_EQ(confirmed.json()["confirmed"], true);
  // The deadline passes: there is no event of what must not happen.
  std::this_thread::sleep_for(1500ms);
  expect_state(after);
  EXPECT_EQ(on_b("diagnose -q").exit, 0);
  EXPECT_EQ(on_b("undo -q").exit, 0);
  expect_state(before_);
}

TEST_F(TransactionOnAHost, WhoHoldsTheHostIsSaid) {
  const auto netns = Netns::open(b_);
  ASSERT_TRUE(netns);
  const auto inside = InsideNetns::enter(*netns);
  const auto held = HostLock::take(0ms);
  ASSERT_TRUE(held);
  const auto second = HostLock::take(50ms);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().why.find("(process " + std::to_string(getpid()) + ")"),
            std::string::npos)
      << second.error().message();
}

TEST_F(TransactionOnAHost, AFullOrReadOnlyDiskLeavesTheHostAsItWas) {
  const bool there = fs::exists(MemoryFile::default_base());
  const auto apply_on = [&](const std::string& mount, const std::string& then) {
    fs::create_directories(MemoryFile::default_base());
    return kernel_test::run("unshare -m sh -c 'mount -t tmpfs -o " + mount + " none " +
                            MemoryFile::default_base() + " && " + then + RETOUR_BINARY +
                            " apply -q --netns " + b_ + "'");
  };
  std::size_t refused = 0;
  for (const char* size : {"size=4k", "size=8k", "size=12k", "size=16k", "size=64k",
                           "size=64k,nr_inodes=2", "size=64k,nr_inodes=3"}) {
    const auto done = apply_on(size, "");
    if (done.exit == 0) {
      EXPECT_NE(state(), before_) << size;
      // Its memory went with the mount: put back by hand.
      for (const std::string& nic : (*lab_)->b.nics) {
        kernel_test::run("ip netns exec " + b_ + " sysctl -qw net.ipv4.conf." + nic +
                         ".arp_ignore=0");
      }
      EXPECT_EQ(on_b("undo -q").exit, 0);
      expect_state(before_, size);
      continue;
    }
    ++refused;
    EXPECT_EQ(done.exit, 3) << size << ": " << done.text;
    EXPECT_NE(done.text.find("No space left"), std::string::npos) << size << ": " << done.text;
    expect_state(before_, size);
  }
  EXPECT_GT(refused, 2U);
  const auto read_only =
      apply_on("size=64k", "mount -o remount,ro " + MemoryFile::default_base() + " && ");
  EXPECT_EQ(read_only.exit, 3) << read_only.text;
  EXPECT_NE(read_only.text.find("read-only"), std::string::npos) << read_only.text;
  expect_state(before_);
  if (!there) fs::remove(MemoryFile::default_base());
}

TEST_F(TransactionOnAHost, AStormOfForeignChangesEndsBeforeOrAfter) {
  ASSERT_EQ(on_b("apply -q").exit, 0);
  const std::string after = state();
  ASSERT_EQ(on_b("undo -q").exit, 0);
  for (int round = 0; round < 6; ++round) {
    const std::string nic = (*lab_)->b.nics[0];
    std::string lines;
    for (int i = 0; i < 2000; ++i) {
      const std::string net = "198.18." + std::to_string(i % 250) + ".0/24 ";
      lines += "route add " + net + "dev " + nic + " table 77\nrule add priority " +
               std::to_string(600 + i % 9) + " to " + net + "lookup 77\nroute del " + net + "dev " +
               nic + " table 77\nrule del priority " + std::to_string(600 + i % 9) + " to " + net +
               "lookup 77\n";
    }
    std::thread storm([&] { EXPECT_TRUE(ip_batch(b_, lines)); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * round));
    const Ran applied = on_b("apply -q");
    storm.join();
    EXPECT_TRUE(soon([&] { return !journalled(); }));
    EXPECT_TRUE(applied.exit == 0 || applied.exit == 3) << applied.err;
    expect_state(applied.exit == 0 ? after : before_, applied.err);
    ASSERT_EQ(on_b("undo -q").exit, 0);
    expect_state(before_);
  }
}

TEST_F(TransactionOnAHost, TheProbeGateKeepsNoChangeThatSilencesAnyone) {
  const LabHost& a = (*lab_)->a;
  const LabHost& b = (*lab_)->b;
  const std::string gated = "apply --gate probe --peer " + a.addresses[0].str();
  // B's second NIC reaches nobody: its address is answered for by the first, until that is cured.
  const std::string net = "ip -n " + (*lab_)->options.name + "-net link set ";
  for (const char* port : {"a1", "a2", "b2"}) {
    ASSERT_EQ(kernel_test::run(net + port + " type bridge_slave isolated on").exit, 0);
  }
  const Ran refused = on_b(gated);
  EXPECT_EQ(refused.exit, 3) << refused.out;
  EXPECT_NE(refused.err.find(b.addresses[1].str()), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("taken back"), std::string::npos) << refused.err;
  expect_state(before_);
  EXPECT_FALSE(journalled());

  ASSERT_EQ(kernel_test::run(net + "b2 type bridge_slave isolated off").exit, 0);
  const Ran passed = on_b(gated + " --json");
  EXPECT_EQ(passed.exit, 0) << passed.err;
  EXPECT_EQ(passed.json()["probed"], "2 of 2 pairs answered before, 2 of 2 after");
  EXPECT_EQ(on_b("undo -q").exit, 0);
}

TEST_F(TransactionOnAHost, AHostThatChangedSinceThePlanIsRefused) {
  const std::string seen = on_b("plan --json").json()["fingerprint"];
  EXPECT_EQ(on_b("plan --json").json()["fingerprint"], seen);
  kernel_test::run("ip -n " + b_ + " rule add priority 700 to 192.0.2.0/24 lookup 77");
  const std::string other = state();
  const Ran refused = on_b("apply --expect " + seen);
  EXPECT_EQ(refused.exit, 3);
  EXPECT_NE(refused.err.find("the host changed since the plan"), std::string::npos) << refused.err;
  expect_state(other);
  kernel_test::run("ip -n " + b_ + " rule del priority 700");
  EXPECT_EQ(on_b("apply -q --expect " + seen).exit, 0);
}

}  // namespace
}  // namespace retour::testing
