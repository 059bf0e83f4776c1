// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "diagnose/diagnose.h"
#include "engine/transaction.h"
#include "fake_kernel.h"
#include "hosts.h"

namespace retour {
namespace {

using std::chrono::seconds;
using testing::Death;
using testing::FakeClock;
using testing::FakeJournal;
using testing::FakeKernel;
using testing::FakeMemory;
using testing::FakeNames;
using testing::Fate;

struct TransactionTest : ::testing::Test {
  TransactionTest() { testing::set_gates(host, 0, 0, 0); }  // flux: sysctls, too
  [[nodiscard]] static Plan plan_for(const Snapshot& host) {
    return plan(host, {}, diagnose(host, {}));
  }
  static Snapshot without_hidden(Snapshot host) {
    host.hidden = {};
    return host;
  }
  Result<Applied> carry_out(const Plan& cure, const Policy& policy, Kernel& kernel,
                            Memory& remembered) {
    return retour::carry_out(cure, policy, {kernel, remembered, journal, names}, {});
  }
  Result<Undone> undo(Kernel& kernel, Memory& remembered) {
    return retour::undo({kernel, remembered, journal, names}, {});
  }
  Snapshot host = testing::grid_host(4);
  FakeMemory memory;
  FakeJournal journal;
  FakeNames names;
};

TEST_F(TransactionTest, AppliesRemembersAndTakesBack) {
  FakeKernel kernel(host);
  const Plan cure = plan_for(host);
  const auto applied = carry_out(cure, {}, kernel, memory);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(applied->changes, cure.changes.size());
  EXPECT_EQ(memory.records.size(), 4U);
  EXPECT_EQ(memory.records.front().original, 0);
  const auto undone = undo(kernel, memory);
  ASSERT_TRUE(undone);
  EXPECT_TRUE(undone->left_alone.empty());
  EXPECT_EQ(without_hidden(kernel.state), host);
  EXPECT_TRUE(memory.records.empty());
  EXPECT_FALSE(journal.file.content);
}

TEST_F(TransactionTest, FailingAtAnyChangeLeavesTheHostAsItWas) {
  const Plan cure = plan_for(host);
  for (std::size_t n = 0; n < cure.changes.size(); ++n) {
    FakeKernel kernel(host);
    FakeMemory fresh;
    kernel.fail_at = n;
    const auto applied = carry_out(cure, {}, kernel, fresh);
    ASSERT_FALSE(applied) << n;
    EXPECT_EQ(applied.error().errnum, EBUSY);
    EXPECT_EQ(without_hidden(kernel.state), host) << "failed at change " << n;
    EXPECT_TRUE(fresh.records.empty()) << n;
  }
}

TEST_F(TransactionTest, NothingIsTouchedWhenNothingCanBeRemembered) {
  FakeKernel kernel(host);
  memory.broken = true;
  EXPECT_FALSE(carry_out(plan_for(host), {}, kernel, memory));
  EXPECT_EQ(kernel.taken, 0U);
}

TEST_F(TransactionTest, AHostThatDoesNotEndHealthyIsTakenBack) {
  FakeKernel kernel(host);
  // Someone throws our rule away right behind us.
  kernel.after_read = [](Snapshot& state) {
    std::erase_if(state.rules, [](const Rule& rule) { return rule.priority == 31101; });
  };
  const auto applied = carry_out(plan_for(host), {}, kernel, memory);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::changed);
  EXPECT_EQ(without_hidden(kernel.state), host);
}

TEST_F(TransactionTest, UndoLeavesASysctlThatSomeoneElseChanged) {
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  kernel.state.links[1].conf.set(Conf::arp_ignore, 2);
  const auto undone = undo(kernel, memory);
  ASSERT_TRUE(undone);
  ASSERT_EQ(undone->left_alone.size(), 1U);
  EXPECT_EQ(kernel.state.links[1].conf.get(Conf::arp_ignore), 2);
  EXPECT_EQ(kernel.state.links[2].conf.get(Conf::arp_ignore), 0);
}

TEST_F(TransactionTest, TheOldestOriginalIsKept) {
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  kernel.state.links[1].conf.set(Conf::arp_ignore, 0);  // someone resets it
  const Plan again = plan_for(kernel.state);
  ASSERT_TRUE(again.pending());
  ASSERT_TRUE(carry_out(again, {}, kernel, memory));
  EXPECT_EQ(memory.records.size(), 4U);
  ASSERT_TRUE(undo(kernel, memory));
  EXPECT_EQ(without_hidden(kernel.state), host);
}

TEST_F(TransactionTest, ABridgeWithThePortsMacIsNotMistakenForIt) {
  Link bridge = host.links[1];
  bridge.index = IfIndex{9};
  bridge.name = "br0";
  host.links.push_back(bridge);
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  ASSERT_TRUE(undo(kernel, memory));
  EXPECT_EQ(without_hidden(kernel.state), host);
}

TEST_F(TransactionTest, AChangedMacIsFoundByNameAndAnAbsentNicStaysRemembered) {
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  kernel.state.links[1].mac = {2, 0, 0, 0, 0, 99};
  const Link gone = kernel.state.links[4];
  kernel.state.links.pop_back();
  const auto undone = undo(kernel, memory);
  ASSERT_TRUE(undone);
  EXPECT_FALSE(undone->complete);
  EXPECT_EQ(kernel.state.links[1].conf.get(Conf::arp_ignore), 0);
  ASSERT_EQ(memory.records.size(), 1U);
  kernel.state.links.push_back(gone);  // it is back
  const auto again = undo(kernel, memory);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->complete);
  EXPECT_EQ(kernel.state.links[4].conf.get(Conf::arp_ignore), 0);
}

TEST_F(TransactionTest, AValueSetBetweenTwoAppliesIsTheNewOriginal) {
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  kernel.state.links[1].conf.set(Conf::arp_ignore, 4);  // 4 answers for everyone, as 0 does
  const Plan again = plan_for(kernel.state);
  ASSERT_TRUE(again.pending());
  ASSERT_TRUE(carry_out(again, {}, kernel, memory));
  ASSERT_TRUE(undo(kernel, memory));
  EXPECT_EQ(kernel.state.links[1].conf.get(Conf::arp_ignore), 4);
  EXPECT_EQ(kernel.state.links[2].conf.get(Conf::arp_ignore), 0);
}

TEST_F(TransactionTest, UndoThatFailsLeavesEverything) {
  FakeKernel kernel(host);
  ASSERT_TRUE(carry_out(plan_for(host), {}, kernel, memory));
  const std::size_t rules = kernel.state.rules.size();
  kernel.fail_at = kernel.taken;
  EXPECT_FALSE(undo(kernel, memory));
  EXPECT_EQ(kernel.state.rules.size(), rules);
  EXPECT_EQ(memory.records.size(), 4U);
  kernel.fail_at = static_cast<std::size_t>(-1);
  const auto again = undo(kernel, memory);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->left_alone.empty());
  EXPECT_EQ(without_hidden(kernel.state), host);
}

/// The host and its transaction; every port shares one fate.
struct World {
  explicit World(Snapshot host) : kernel(std::move(host)) { kernel.fate = &fate; }
  Fate fate;
  FakeKernel kernel;
  FakeMemory memory{&fate};
  FakeJournal journal{&fate};
  FakeNames names{&fate};
  FakeClock clock;
  [[nodiscard]] Ports ports() { return {kernel, memory, journal, names}; }
};

/// What is compared: order of routes is that of adding, and says nothing between tables.
bool same(const World& a, const World& b) {
  const auto sorted = [](Snapshot host) {
    host.hidden = {};
    std::ranges::stable_sort(host.routes, {}, [](const Route& r) { return r.table; });
    std::ranges::stable_sort(host.rules, {}, [](const Rule& r) { return r.priority; });
    return host;
  };
  return sorted(a.kernel.state) == sorted(b.kernel.state) && a.memory.records == b.memory.records &&
         a.names.tables == b.names.tables;
}

void expect_same(const World& now, const World& wanted, const std::string& where) {
  EXPECT_TRUE(same(now, wanted)) << where;
}

struct DyingTest : TransactionTest {
  /// What a verb does, from a host in state `from`.
  using Act = std::function<void(World&)>;

  /// Killed at every point of `act`, and again at every point of the way back: at last the host is
  /// exactly what it was, or what `act` makes of it.
  void die_everywhere(const Act& prepare, const Act& act) {
    World before(host);
    prepare(before);
    World after(host);
    prepare(after);
    const std::size_t first = after.fate.points;
    act(after);
    const std::size_t points = after.fate.points - first;
    ASSERT_GE(points, 8U);
    std::size_t kept = 0;
    for (std::size_t n = 0; n < points; ++n) {
      kept += ends_whole(prepare, act, n, before, after) ? 1U : 0U;
    }
    EXPECT_GT(kept, 0U) << "killed behind the commit";
    EXPECT_LT(kept, points);
  }

 private:
  [[nodiscard]] bool ends_whole(const Act& prepare, const Act& act, std::size_t n,
                                const World& before, const World& after) const {
    for (std::size_t again = 0;; ++again) {
      World world(host);
      prepare(world);
      world.fate.dies_at = world.fate.points + n;
      EXPECT_THROW(act(world), Death) << n;
      world.fate.dies_at = world.fate.points + again;
      bool died = false;
      try {
        static_cast<void>(settle(world.ports(), world.clock));
      } catch (const Death&) {
        died = true;
      }
      world.fate.dies_at = Fate::never;
      const auto settled = settle(world.ports(), world.clock);
      EXPECT_TRUE(settled) << n;
      EXPECT_FALSE(world.journal.file.content) << n;
      const bool done = same(world, after);
      EXPECT_TRUE(done || same(world, before)) << "killed at " << n << ", then at " << again;
      if (!died) return done;
    }
  }
};

TEST_F(DyingTest, ApplyingEndsBeforeOrAfter) {
  die_everywhere(
      [](World&) {},
      [](World& world) {
        EXPECT_TRUE(retour::carry_out(plan_for(world.kernel.state), {}, world.ports(), {}));
      });
}

TEST_F(DyingTest, ApplyingOverAnOlderCureEndsBeforeOrAfter) {
  die_everywhere(
      [](World& world) {
        ASSERT_TRUE(retour::carry_out(plan_for(world.kernel.state), {}, world.ports(), {}));
        // An address moves: rules and routes of ours go, others come.
        for (Address& address : world.kernel.state.addresses) {
          if (address.link != IfIndex{3}) continue;
          address.local.address = *Ip::parse("10.0.0.99");
        }
        for (Route& route : world.kernel.state.routes) {
          if (route.next_hops.size() != 1 || route.next_hops[0].link != IfIndex{3}) continue;
          if (route.ours()) continue;
          if (route.type == RouteType::local) route.dst = *Prefix::parse("10.0.0.99/32");
          route.prefsrc = *Ip::parse("10.0.0.99");
        }
      },
      [](World& world) {
        const Plan cure = plan_for(world.kernel.state);
        const auto made = retour::carry_out(cure, {}, world.ports(), {});
        EXPECT_TRUE(made) << (made ? "" : made.error().message());
        EXPECT_TRUE(std::ranges::any_of(cure.changes, [](const Change& change) {
          return std::holds_alternative<DeleteRule>(change.operation);
        }));
      });
}

TEST_F(DyingTest, UndoingEndsBeforeOrAfter) {
  die_everywhere(
      [](World& world) {
        ASSERT_TRUE(retour::carry_out(plan_for(world.kernel.state), {}, world.ports(), {}));
      },
      [](World& world) { EXPECT_TRUE(retour::undo(world.ports(), {})); });
}

TEST_F(DyingTest, AnyFileThatCannotBeWrittenLeavesTheHostAsItWas) {
  std::size_t failures = 0;
  for (std::size_t n = 0;; ++n) {
    World world(host);
    world.fate.fails_at = n;
    const auto applied = retour::carry_out(plan_for(host), {}, world.ports(), {});
    if (world.fate.files <= n) break;
    ++failures;
    if (applied && applied->names) continue;  // names are no reason to take a cure back
    ASSERT_FALSE(applied) << n;
    EXPECT_EQ(applied.error().errnum, ENOSPC);
    world.fate.fails_at = Fate::never;
    EXPECT_TRUE(settle(world.ports(), world.clock));
    expect_same(world, World(host), "file " + std::to_string(n));
  }
  EXPECT_EQ(failures, 4U);  // the journal, the memory, the names, the journal again
}

TEST_F(TransactionTest, AChangeThatAwaitsIsTakenBackAtItsDeadlineOnly) {
  World world(host);
  const auto applied =
      retour::carry_out(plan_for(host), {}, world.ports(), {7, seconds(60), &world.clock, {}});
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->deadline, world.clock.now + seconds(60));
  EXPECT_EQ(world.names.tables.size(), 4U);
  const Snapshot cured = world.kernel.state;
  world.clock.now += seconds(59);
  auto settled = settle(world.ports(), world.clock);
  ASSERT_TRUE(settled);
  ASSERT_TRUE(settled->waiting);
  EXPECT_EQ(settled->waiting->id, 7U);
  EXPECT_EQ(world.kernel.state, cured);
  world.clock.now += seconds(1);
  settled = settle(world.ports(), world.clock);
  ASSERT_TRUE(settled);
  ASSERT_TRUE(settled->rolled_back);
  EXPECT_EQ(settled->why, "was not confirmed in time");
  EXPECT_TRUE(world.names.tables.empty());
  expect_same(world, World(host), "");
}

TEST_F(TransactionTest, TheGateDecides) {
  World world(host);
  Terms terms;
  terms.gate = [&]() -> Result<void> {
    EXPECT_NE(world.kernel.state, host) << "asked when the change is made";
    return fail({ErrorKind::changed, 0, "probe", "peer lost", {}});
  };
  const auto applied = retour::carry_out(plan_for(host), {}, world.ports(), terms);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().why, "peer lost");
  expect_same(world, World(host), "");
}

TEST_F(TransactionTest, TheWayBackLeavesForeignChangesAlone) {
  World world(host);
  ASSERT_TRUE(
      retour::carry_out(plan_for(host), {}, world.ports(), {7, seconds(60), &world.clock, {}}));
  world.kernel.state.links[1].conf.set(Conf::arp_ignore, 2);
  Rule foreign;
  foreign.priority = 500;
  foreign.table = TableId{77};
  world.kernel.state = rehearse(world.kernel.state, std::vector{Change{AddRule{foreign}, ""}});
  std::erase_if(world.kernel.state.routes, [](const Route& r) { return r.table == TableId{201}; });
  const auto back = roll_back(*world.journal.file.content, world.ports());
  ASSERT_TRUE(back);
  World wanted(rehearse(host, std::vector{Change{AddRule{foreign}, ""}}));
  wanted.kernel.state.links[1].conf.set(Conf::arp_ignore, 2);
  expect_same(world, wanted, "");
}

TEST_F(TransactionTest, WhatCannotBeTakenBackIsSaidAndStaysInTheJournal) {
  World world(host);
  world.kernel.after_read = [&](Snapshot&) { world.kernel.refuse_all = true; };
  Terms terms;
  terms.gate = [] { return fail({ErrorKind::changed, 0, "probe", "peer lost", {}}); };
  const auto applied = retour::carry_out(plan_for(host), {}, world.ports(), terms);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().hint.find("COULD NOT BE TAKEN BACK"), std::string::npos);
  EXPECT_TRUE(world.journal.file.content);
  world.kernel.after_read = {};
  world.kernel.refuse_all = false;
  EXPECT_TRUE(settle(world.ports(), world.clock));
  expect_same(world, World(host), "");
}

}  // namespace
}  // namespace retour
