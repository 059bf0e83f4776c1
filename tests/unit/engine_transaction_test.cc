// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "diagnose/diagnose.h"
#include "engine/transaction.h"
#include "fake_kernel.h"
#include "hosts.h"

namespace retour {
namespace {

using testing::FakeKernel;
using testing::FakeMemory;

struct TransactionTest : ::testing::Test {
  TransactionTest() { testing::set_gates(host, 0, 0, 0); }  // flux: sysctls, too
  [[nodiscard]] static Plan plan_for(const Snapshot& host) {
    return plan(host, {}, diagnose(host, {}));
  }
  static Snapshot without_hidden(Snapshot host) {
    host.hidden = {};
    return host;
  }
  Snapshot host = testing::grid_host(4);
  FakeMemory memory;
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

TEST_F(TransactionTest, UndoThatFailsAtASysctlLeavesTheRest) {
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

}  // namespace
}  // namespace retour
