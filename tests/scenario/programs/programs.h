// SPDX-License-Identifier: Apache-2.0
//
// Programs that configure networks, run on a host of the lab by themselves: unpacked, not installed
// (cmake/prepare.sh), in namespaces of their own, so that they never see this machine.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "scenario/live_host.h"

namespace retour::testing {

/// Looks again until it is so, or the time is over.
inline bool comes_true(const std::function<bool()>& so, std::chrono::milliseconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

/// A shell command inside (programs/inside.sh), and all that it starts; over when its scope is.
class Inside {
 public:
  Inside(const std::string& netns, const std::filesystem::path& files, const std::string& command)
      : work_(files.string() + ".work"), log_(files.string() + ".log") {
    std::filesystem::create_directories(work_);
    const std::string programs = RETOUR_SOURCE_DIR "/build/programs";
    EXPECT_TRUE(std::filesystem::exists(programs + "/usr")) << programs << ": ./test unpacks them";
    const std::string inside = RETOUR_SOURCE_DIR "/tests/scenario/programs/inside.sh";
    const std::string line = "exec ip netns exec " + netns +
                             " unshare --mount --pid --fork --kill-child --mount-proc " + inside +
                             " " + programs + " " + work_.string() + " " + files.string() + " '" +
                             command + "' >" + log_.string() + " 2>&1 </dev/null";
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no daemon behind
    execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(127);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() {
    // The first process of the PID namespace goes with its parent, and the namespace with it.
    if (!ended_) kill(pid_, SIGKILL);
    wait();
    std::error_code ignored;
    std::filesystem::remove_all(work_, ignored);
    std::filesystem::remove(log_, ignored);
  }

  /// Its exit code, once it ends by itself.
  int wait() {
    if (!ended_) waitpid(pid_, &status_, 0);
    ended_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }
  /// What it said so far.
  [[nodiscard]] std::string log() const {
    std::ifstream in(log_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path work_, log_;
  pid_t pid_{};
  int status_{};
  bool ended_{};
};

/// Rules but for those every host has, and routes of tables of ours, a line each, sorted: what they
/// decide, not who made them.
inline std::string policy_state(const std::string& netns) {
  using nlohmann::json;
  std::vector<std::string> lines;
  for (const char* family : {"-4", "-6"}) {
    const std::string in = "ip -n " + netns + " -j -N " + family;
    const auto read = [&](const std::string& what) {
      const std::string text = kernel_test::run(in + " " + what, "/dev/null").text;
      return text.empty() ? json::array() : json::parse(text);
    };
    for (json rule : read("rule")) {
      const int priority = rule.value("priority", 0);
      if (priority == 0 || priority == 32766 || priority == 32767) continue;
      rule.erase("protocol");
      lines.push_back("rule " + rule.dump());
    }
    for (json route : read("route show table all")) {
      const std::string table = route.value("table", "254");
      if (table == "254" || table == "255" || table == "253") continue;
      route.erase("protocol");
      lines.push_back("route " + route.dump());
    }
  }
  std::ranges::sort(lines);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace retour::testing
