// SPDX-License-Identifier: Apache-2.0
//
// apply, again and again, while others add and delete routes, rules and addresses and set a link
// down and up as fast as the kernel takes it: nothing of theirs is touched, and of ours there is
// nothing or the whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "lab/lab.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// One `ip -batch` that is fed until it is closed; what it is told last about a thing holds.
class Feed {
 public:
  explicit Feed(const std::string& netns)
      : pipe_(popen(("ip -n " + netns + " -force -batch - >/dev/null 2>&1").c_str(), "w")) {}
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  ~Feed() { close(); }

  void say(const std::string& line) {
    fputs((line + "\n").c_str(), pipe_);
    fflush(pipe_);
  }
  /// Everything said is done when this returns.
  void close() {
    if (pipe_ != nullptr) pclose(pipe_);
    pipe_ = nullptr;
  }

 private:
  FILE* pipe_;
};

/// Addresses in the subnet that is being cured; the last digit is missing.
constexpr const char* extra = "29.28.192.20";

/// Others at work on a host. Each object is added and deleted in turn; which of them are there in
/// the end is known.
class Storm {
 public:
  Storm(std::string netns, std::string steady, std::string flapping, unsigned seed)
      : netns_(std::move(netns)),
        steady_(std::move(steady)),
        flapping_(std::move(flapping)),
        seed_(seed),
        objects_([this] { change_objects(); }),
        flaps_([this] { flap(); }) {}
  ~Storm() { end(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  void end() {
    over_ = true;
    if (objects_.joinable()) objects_.join();
    if (flaps_.joinable()) flaps_.join();
  }
  /// After end(): what was last added, and what was last deleted; in the words of `ip`.
  [[nodiscard]] const std::map<std::string, bool>& there() const { return there_; }
  [[nodiscard]] std::size_t changes() const { return changes_; }

 private:
  void change_objects() {
    std::mt19937 random(seed_);
    Feed feed(netns_);
    while (!over_) {
      // Bursts with pauses of all lengths: apply is to meet any part of it, and now and then none.
      const auto burst = random() % (random() % 4 == 0 ? 400 : 12);
      for (unsigned i = 0; i < burst && !over_; ++i) {
        // The first is one that makes a plan wrong; what follows keeps the host from being read.
        const std::string object = i == 0 ? needed(random() % 4) : some_object(random);
        bool& is = there_[object];
        is = !is;
        const auto space = object.find(' ');
        feed.say(object.substr(0, space) + (is ? " add" : " del") + object.substr(space));
        ++changes_;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
    }
  }

  std::string some_object(std::mt19937& random) const {
    const auto n = random() % 40;
    switch (random() % 4) {
      case 0:
        return fmt::format("route 198.18.{}.0/24 dev {} table 77", n, steady_);
      case 1:
        return fmt::format("route 198.19.{}.0/24 dev {} metric 7", n, steady_);
      case 2:
        return fmt::format("rule priority {} to 198.18.{}.0/24 lookup 77", 600 + n % 7, n);
      default:
        return fmt::format("addr 198.51.100.{}/32 dev {}", 1 + n, steady_);
    }
  }

  /// An address that needs a rule of ours.
  std::string needed(std::mt19937::result_type n) const {
    return fmt::format("addr {}{}/20 dev {}", extra, n, steady_);
  }

  void flap() {
    std::mt19937 random(seed_ + 1);
    Feed feed(netns_);
    while (!over_) {
      feed.say("link set " + flapping_ + " down");
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 80));
      feed.say("link set " + flapping_ + " up");
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    }
  }

  std::string netns_, steady_, flapping_;
  unsigned seed_;
  std::atomic<bool> over_{false};
  std::map<std::string, bool> there_;
  std::size_t changes_{};
  std::thread objects_, flaps_;
};

/// Lines of `ip` about it, "protocol 213" or not.
std::multiset<std::string> rules_of(const std::string& netns, bool ours) {
  std::multiset<std::string> list;
  for (const char* family : {"-4", "-6"}) {
    std::istringstream in(kernel_test::run("ip -n " + netns + " -N " + family + " rule show").text);
    for (std::string line; std::getline(in, line);) {
      if ((line.find("proto 213") != std::string::npos) == ours) list.insert(line);
    }
  }
  return list;
}

std::string text_of(const std::multiset<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// Without priorities and without what the storm's own addresses have: numbers depend on those.
std::multiset<std::string> ours_of(const std::string& netns) {
  std::multiset<std::string> list;
  for (const std::string& line : rules_of(netns, true)) {
    if (line.find(extra) == std::string::npos) list.insert(line.substr(line.find('\t') + 1));
  }
  return list;
}

/// All that is ours but routes of a link that flaps: the kernel takes those.
std::string left_to_us(const std::string& netns, const std::string& flapping) {
  std::string text = text_of(rules_of(netns, true));
  std::istringstream in(
      kernel_test::run("ip -n " + netns + " -N route show table all proto 213").text);
  for (std::string line; std::getline(in, line);) {
    if (line.find(flapping) == std::string::npos) text += line + "\n";
  }
  return text;
}

TEST(Storm, AppliesAmongForeignChangesLeaveNothingOrTheWhole) {
  const char* wanted_seed = std::getenv("RETOUR_STORM_SEED");
  const unsigned seed = wanted_seed != nullptr
                            ? static_cast<unsigned>(std::strtoul(wanted_seed, nullptr, 10))
                            : std::random_device()();
  std::printf("RETOUR_STORM_SEED=%u\n", seed);
  auto lab = LabGuard::up(
      {.name = lab_name("storm"),
       .nics = 3,
       .sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
  ASSERT_TRUE(lab) << lab.error().message();
  const LabHost& b = (*lab)->b;
  const auto netns = Netns::open(b.netns);
  ASSERT_TRUE(netns);
  const fs::path journal =
      fs::path(MemoryFile::default_base()) / MemoryFile::key_of(*netns) / "journal.json";
  const auto on_b = [&](const std::string& verb) { return retour(verb + " --netns " + b.netns); };
  const auto link = [&](const char* state) {
    kernel_test::run("ip -n " + b.netns + " link set " + b.nics[2] + " " + state);
  };
  // Somebody's objects that nobody changes: they are there to the end.
  for (const char* object : {"rule add priority 500 to 203.0.113.0/24 lookup 99",
                             "rule add priority 40000 fwmark 0x7 lookup 99 proto 99",
                             "route add 203.0.113.0/24 dev lo table 99 proto 99"}) {
    ASSERT_EQ(kernel_test::run("ip -n " + b.netns + " " + object).exit, 0);
  }
  const auto foreign_before = rules_of(b.netns, false);

  // What is whole depends on how many NICs are up when apply looks.
  std::set<std::multiset<std::string>> wholes{{}};
  for (const char* state : {"up", "down"}) {
    link(state);
    ASSERT_EQ(on_b("apply -q").exit, 0);
    wholes.insert(ours_of(b.netns));
    ASSERT_EQ(on_b("undo -q").exit, 0);
  }
  link("up");
  const std::size_t nothing_and_whole = wholes.size();
  EXPECT_GE(nothing_and_whole, 2U);

  std::map<int, int> exits;
  std::map<std::string, int> reasons;
  {
    Storm storm(b.netns, b.nics[0], b.nics[2], seed);
    const auto end = Steady::now() + 7s;
    while (Steady::now() < end) {
      // Without the time that it takes to measure segments it is done now and then.
      for (const char* verb :
           {"apply", "apply --segments flat", "undo", "apply --segments flat", "undo"}) {
        const std::string had = left_to_us(b.netns, b.nics[2]);
        const Ran ran = on_b(std::string(verb) + " -q");
        ++exits[ran.exit];
        EXPECT_TRUE(ran.exit == 0 || ran.exit == 3) << ran.exit << ": " << ran.err;
        if (ran.exit == 3) {
          EXPECT_EQ(ran.err.substr(0, 8), "retour: ") << ran.err;
          ++reasons[ran.err];
          if (!fs::exists(journal)) {
            EXPECT_EQ(left_to_us(b.netns, b.nics[2]), had) << ran.err;
          }
        }
        const auto ours = ours_of(b.netns);
        // What could not be taken back in the storm waits in the journal.
        EXPECT_TRUE(wholes.contains(ours) || fs::exists(journal))
            << verb << " " << ran.exit << " " << ran.err << text_of(ours);
      }
    }
    storm.end();
    std::printf("%zu foreign changes; %d times done, %d times refused\n", storm.changes(), exits[0],
                exits[3]);
    for (const auto& [reason, times] : reasons) std::printf("%d times %s", times, reason.c_str());
    EXPECT_GT(storm.changes(), 500U);

    // Everything as it was left by the storm, and nothing else.
    auto expected = foreign_before;
    std::set<std::string> addresses;
    std::set<std::string> routes;
    for (const auto& [object, is] : storm.there()) {
      if (!is) continue;
      std::istringstream in(object);
      std::string kind, word, to, what;
      in >> kind >> word;
      if (kind == "addr") addresses.insert(word);
      if (kind == "route") routes.insert(word);
      if (kind != "rule") continue;
      in >> to >> what >> what;  // priority N to PREFIX
      expected.insert(fmt::format("{}:\tfrom all to {} lookup 77", to, what));
    }
    std::multiset<std::string> rules;
    for (std::string line : rules_of(b.netns, false)) {
      line.erase(line.find_last_not_of(" \n") + 1);
      rules.insert(line);
    }
    std::multiset<std::string> trimmed;
    for (std::string line : expected) {
      line.erase(line.find_last_not_of(" \n") + 1);
      trimmed.insert(line);
    }
    EXPECT_EQ(text_of(rules), text_of(trimmed));
    const std::string all_routes =
        kernel_test::run("ip -n " + b.netns + " -N route show table 77; ip -n " + b.netns +
                         " -N route show table 254")
            .text;
    for (int n = 0; n < 40; ++n) {
      for (const char* net : {"198.18.", "198.19."}) {
        const std::string prefix = fmt::format("{}{}.0/24", net, n);
        EXPECT_EQ(all_routes.find(prefix + " ") != std::string::npos, routes.contains(prefix))
            << prefix;
      }
    }
    const std::string all_addresses =
        kernel_test::run("ip -n " + b.netns + " -4 addr show dev " + b.nics[0]).text;
    for (int n = 0; n < 40; ++n) {
      for (const std::string& address :
           {fmt::format("198.51.100.{}/32", 1 + n), fmt::format("{}{}/20", extra, n % 4)}) {
        EXPECT_EQ(all_addresses.find(address + " ") != std::string::npos,
                  addresses.contains(address))
            << address;
      }
    }
  }

  // A calm host is cured by one more apply, and rid of us by one undo.
  EXPECT_EQ(on_b("apply -q").exit, 0);
  EXPECT_EQ(on_b("diagnose -q").exit, 0);
  EXPECT_FALSE(fs::exists(journal));
  EXPECT_EQ(on_b("plan -q").exit, 0);
  EXPECT_EQ(on_b("undo -q").exit, 0);
  EXPECT_FALSE(fs::exists(journal));
  EXPECT_TRUE(rules_of(b.netns, true).empty());
  EXPECT_EQ(kernel_test::run("ip -n " + b.netns + " route show table all proto 213").text, "");
  EXPECT_NE(kernel_test::run("ip -n " + b.netns + " route show table 99").text.find("203.0.113.0"),
            std::string::npos);
  for (const std::string& nic : b.nics) {
    EXPECT_EQ(kernel_test::run("ip netns exec " + b.netns + " sysctl -n net.ipv4.conf." + nic +
                               ".arp_ignore")
                  .text,
              "0\n")
        << nic;
  }
}

}  // namespace
}  // namespace retour::testing
