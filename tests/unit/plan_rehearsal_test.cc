// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "diagnose/diagnose.h"
#include "engine/rehearsal.h"
#include "fake_kernel.h"
#include "hosts.h"
#include "model/fib.h"
#include "plan/likeness.h"
#include "text/render_rehearsal.h"

namespace retour {
namespace {

struct RehearsalTest : ::testing::Test {
  using Edit = std::function<void(Snapshot&)>;
  [[nodiscard]] Unlike after(const Edit& edit) const {
    Snapshot changed = host;
    edit(changed);
    return unlike(host, changed);
  }
  [[nodiscard]] Plan planned() const { return plan(host, {}, diagnose(host, {})); }
  Snapshot host = testing::grid_host(3);
};

TEST_F(RehearsalTest, LikenessNoticesWhatDecides) {
  EXPECT_TRUE(unlike(host, host).empty());
  const std::vector<Edit> edits{
      [](Snapshot& s) { s.links[1].flags ^= 1U; },
      [](Snapshot& s) { s.links[1].flags ^= 0x10000U; },
      [](Snapshot& s) { s.links[1].mtu = 9000; },
      [](Snapshot& s) { s.links[1].name = "other"; },
      [](Snapshot& s) { s.links[1].conf.set(Conf::arp_ignore, 3); },
      [](Snapshot& s) { s.conf_all.set(Conf::rp_filter, 2); },
      [](Snapshot& s) { s.addresses.pop_back(); },
      [](Snapshot& s) { s.addresses.back().flags |= 0x20U; },
      [](Snapshot& s) { s.routes.pop_back(); },
      [](Snapshot& s) { s.routes.back().metric = 77; },
      [](Snapshot& s) { s.routes.back().next_hops.front().flags = 16; },
      [](Snapshot& s) { std::swap(s.rules[0], s.rules[1]); },
      [](Snapshot& s) { s.links.pop_back(); },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    EXPECT_FALSE(after(edits[i]).missing.empty()) << "edit " << i;
  }
  EXPECT_EQ(after([](Snapshot& s) { s.rules.push_back(s.rules.back()); }).surplus.size(), 1U);
}

TEST_F(RehearsalTest, LikenessPassesOverWhatTheKernelFindsOutAndWhatIsNotTheHosts) {
  const std::vector<Edit> edits{
      [](Snapshot& s) { s.links[1].mac = {2, 0, 0, 0, 0, 99}; },
      [](Snapshot& s) { s.links[1].kind = "bond"; },
      [](Snapshot& s) { s.links.push_back(s.links[1]), s.links.back().index = IfIndex{99}; },
      [](Snapshot& s) { s.addresses.back().flags |= 0x200U; },
      [](Snapshot& s) { s.routes.back().next_hops.front().flags |= 4U; },
      [](Snapshot& s) { s.neighbors.clear(); },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    const Unlike found = after(edits[i]);
    EXPECT_TRUE(found.empty()) << "edit " << i << ": "
                               << (found.missing.empty() ? "" : found.missing.front());
  }
}

TEST_F(RehearsalTest, LikenessNoticesTheOrderOfRoutesOfOnePrefix) {
  Route first = testing::route("10.9.0.0/16", host.links[1].index);
  Route second = first;
  second.next_hops.front().link = host.links[2].index;
  Snapshot other = host;
  host.routes.insert(host.routes.end(), {first, second});
  other.routes.insert(other.routes.end(), {second, first});
  const Unlike found = unlike(host, other);
  ASSERT_EQ(found.missing.size(), 1U);
  EXPECT_EQ(found.missing.front().substr(0, 13), "the order of:");
  EXPECT_TRUE(found.surplus.empty());
}

TEST_F(RehearsalTest, EveryAddressIsAskedAboutAndWhatChangesComesFirst) {
  const Plan todo = planned();
  ASSERT_FALSE(todo.impact.changed.empty());
  const auto all = flows_to_ask(host, todo, 100000);
  for (const Address& address : host.addresses) {
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Flow& flow) {
      return flow.src == address.local.address;
    })) << address.local.str();
  }
  EXPECT_EQ(all.front().dst, todo.impact.changed.front().before.flow.dst);
  const auto some = flows_to_ask(host, todo, 60);
  EXPECT_LE(some.size(), 60U);
  EXPECT_EQ(some.front(), all.front());
  EXPECT_EQ(some.back().src.family(), Family::v4);
}

/// A kernel that answers as the model of its own state does.
class ModelKernel final : public Kernel {
 public:
  explicit ModelKernel(Snapshot host) : state(std::move(host)) {}
  Result<Snapshot> snapshot() override { return state; }
  std::vector<std::optional<Error>> apply(std::span<const Change> changes) override {
    if (!deaf) state = rehearse(std::move(state), changes);
    return std::vector<std::optional<Error>>(changes.size());
  }
  Result<std::vector<Answer>> ask(std::span<const Flow> flows) override {
    const Fib fib(state);
    std::vector<Answer> answers;
    for (const Flow& flow : flows) {
      const Lookup lookup = fib.look(flow);
      Answer& answer = answers.emplace_back();
      answer.errnum = lookup.errnum;
      answer.type = lookup.verdict == Verdict::local       ? RouteType::local
                    : lookup.verdict == Verdict::broadcast ? RouteType::broadcast
                                                           : RouteType::unicast;
      answer.table = lookup.table;
      answer.link = lookup.link;
      answer.gateway = lookup.gateway;
      if (flow.src.is_unspecified()) answer.source = lookup.source;
    }
    return answers;
  }
  Snapshot state;
  bool deaf{};  ///< says yes to changes and makes none
};

TEST_F(RehearsalTest, AgreesWithAKernelThatIsTheModel) {
  ModelKernel kernel(host);
  const Plan todo = planned();
  const auto done = rehearse_on(kernel, host, todo, {});
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->differences.empty()) << objection(*done);
  EXPECT_EQ(done->agreed, done->flows);
  EXPECT_EQ(done->changes, todo.changes.size());
  EXPECT_TRUE(objection(*done).empty());
  const std::string text = render(host, *done, Style(false));
  EXPECT_NE(text.find("all as the model says;"), std::string::npos) << text;
}

TEST_F(RehearsalTest, AKernelThatMakesNoChangeIsRefusedWithAFlowAndBothAnswers) {
  ModelKernel kernel(host);
  kernel.deaf = true;
  const auto done = rehearse_on(kernel, host, planned(), {});
  ASSERT_TRUE(done);
  EXPECT_FALSE(objection(*done).empty());
  const auto is_flow = [](const Difference& each) {
    return each.after && each.what.find(" from ") != std::string::npos &&
           each.model.find("unicast dev ") == 0 && each.kernel.find("unicast dev ") == 0;
  };
  EXPECT_TRUE(std::ranges::any_of(done->differences, is_flow)) << objection(*done);
  EXPECT_NE(objection(*done).find("please report it"), std::string::npos);
}

}  // namespace
}  // namespace retour
