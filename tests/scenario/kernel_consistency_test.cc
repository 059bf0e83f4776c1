// SPDX-License-Identifier: Apache-2.0
//
// A snapshot is consistent or an error, whatever happens meanwhile and whoever reads.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <set>
#include <thread>

#include "kernel_host.h"

namespace retour::kernel_test {
namespace {

TEST(KernelSnapshot, HiddenBitOfCustomRules) {
  const KernelHost host;
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v4, std::nullopt);  // nothing to ask about
  host.build("link set lo up\n");
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v4, false);
  host.build("rule add priority 5 lookup 9\nrule del priority 5\n");
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v4, true);
}

TEST(KernelSnapshot, NeedsNoPrivilege) {
  const KernelHost host;
  build_rich_host(host);
  const pid_t child = fork();
  if (child == 0) {
    auto netns = Netns::open(host.name());
    const bool ready = netns && netns->enter() && setuid(65534) == 0;
    auto kernel = NetlinkKernel::open();
    const auto read = ready && kernel ? (*kernel)->snapshot() : fail({});
    _exit(read && read->links.size() > 16 && read->conf_all.get(Conf::arp_ignore) == 2 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

/// Ends the child whatever the test does.
class Storm {
 public:
  template <class Body>
  explicit Storm(Body&& body) : child_(fork()) {
    if (child_ == 0) {
      while (true) body();
    }
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;
  ~Storm() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_;
};

TEST(KernelSnapshot, StormOfRulesNeverGivesHalfAList) {
  // Two rules are always there between them: the new one is added before the old one goes. A torn
  // read would show none, or a standing rule missing.
  const KernelHost host;
  Change a{AddRule{}, ""};
  auto& rule = std::get<AddRule>(a.operation).rule;
  rule.priority = 1000;
  rule.table = TableId{50};
  rule.protocol = protocol_retour;
  constexpr std::uint32_t standing_rules = 2000;  // a dump of several datagrams, so it can tear
  std::vector<Change> standing;
  for (std::uint32_t i = 0; i < standing_rules; ++i) {
    Rule each = rule;
    each.priority = 2000 + i;
    standing.push_back({AddRule{each}, ""});
  }
  standing.push_back(a);
  const auto kernel = host.kernel();
  for (const auto& error : kernel->apply(standing)) ASSERT_FALSE(error) << error->message();
  const auto storm_kernel = host.kernel();
  int turn = 0;
  int good = 0;
  int refused = 0;
  std::set<std::size_t> seen;
  {
    const Storm storm([&] {
      Rule gone = rule;
      Rule fresh = rule;
      (turn++ % 2 == 0 ? fresh : gone).priority = 1001;
      const std::array<Change, 2> swap{Change{AddRule{fresh}, ""}, Change{DeleteRule{gone}, ""}};
      static_cast<void>(storm_kernel->apply(swap));
      // An odd number, so that the pauses, when a busy machine reads, meet both states.
      if (turn % 65 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    });
    const auto start = std::chrono::steady_clock::now();
    const auto lasted = [&] { return std::chrono::steady_clock::now() - start; };
    while (lasted() < std::chrono::seconds(4) ||
           (seen.size() < 2 && lasted() < std::chrono::seconds(60))) {
      const auto read = kernel->snapshot();
      if (!read) {
        ASSERT_EQ(read.error().kind, ErrorKind::changed) << read.error().message();
        ++refused;
        continue;
      }
      ++good;
      std::vector<std::uint32_t> priorities;
      for (const Rule& each : read->rules) {
        if (each.protocol == protocol_retour) priorities.push_back(each.priority);
      }
      const std::set<std::uint32_t> distinct(priorities.begin(), priorities.end());
      const auto moving = distinct.count(1000) + distinct.count(1001);
      seen.insert(distinct.count(1000) * 2 + distinct.count(1001));
      EXPECT_GE(moving, 1U);
      EXPECT_EQ(distinct.size(), standing_rules + moving);  // none skipped
      EXPECT_EQ(priorities.size(), distinct.size());        // none twice
    }
  }
  EXPECT_GT(seen.size(), 1U);  // it did storm
  EXPECT_GT(good, 0);
  fmt::print("{} consistent snapshots, {} refused\n", good, refused);
  EXPECT_TRUE(kernel->snapshot().has_value());
}

}  // namespace
}  // namespace retour::kernel_test
