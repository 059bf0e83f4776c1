// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>

#include "diagnose/diagnose.h"
#include "engine/transaction.h"
#include "fake_kernel.h"
#include "hosts.h"
#include "plan/fingerprint.h"

namespace retour {
namespace {

struct FingerprintTest : ::testing::Test {
  using Edit = std::function<void(Snapshot&)>;
  [[nodiscard]] std::string after(const Edit& edit) const {
    Snapshot changed = host;
    edit(changed);
    return fingerprint(changed);
  }
  Snapshot host = testing::grid_host(3);
};

TEST_F(FingerprintTest, IsSixteenDigitsAndTheSameForTheSameHost) {
  EXPECT_EQ(fingerprint(host).size(), 16U);
  EXPECT_EQ(fingerprint(host), fingerprint(testing::grid_host(3)));
  EXPECT_NE(fingerprint(host), fingerprint(testing::grid_host(2)));
}

TEST_F(FingerprintTest, NoticesWhatAPlanRestsOn) {
  const std::string was = fingerprint(host);
  const std::vector<Edit> edits{
      [](Snapshot& s) { s.links[1].flags ^= 1U; },
      [](Snapshot& s) { s.links[1].flags ^= 0x10000U; },
      [](Snapshot& s) { s.links[1].mac = {2, 0, 0, 0, 0, 99}; },
      [](Snapshot& s) { s.links[1].name = "other"; },
      [](Snapshot& s) { s.links[1].master = IfIndex{7}; },
      [](Snapshot& s) { s.links[1].conf.set(Conf::arp_ignore, 3); },
      [](Snapshot& s) { s.conf_all.set(Conf::rp_filter, 2); },
      [](Snapshot& s) { s.addresses.pop_back(); },
      [](Snapshot& s) { s.addresses.back().local.length = 25; },
      [](Snapshot& s) { s.addresses.back().flags |= 1U; },
      [](Snapshot& s) { s.routes.pop_back(); },
      [](Snapshot& s) { s.routes.back().metric += 1; },
      [](Snapshot& s) {
        s.routes.back().next_hops.push_back({IfIndex{2}, {}, 0, 1});
      },
      [](Snapshot& s) {
        s.routes.front().other.push_back({8, {1}});
      },
      [](Snapshot& s) { std::swap(s.routes.front(), s.routes.back()); },
      [](Snapshot& s) { s.rules.pop_back(); },
      [](Snapshot& s) { s.rules.back().from = Prefix::parse("0.0.0.0/0"); },
      [](Snapshot& s) { s.rules.back().fwmark = 1; },
      [](Snapshot& s) { s.rules.back().suppress_prefixlength = 0; },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) EXPECT_NE(after(edits[i]), was) << i;
}

TEST_F(FingerprintTest, OverlooksWhatChangesByItself) {
  const std::string was = fingerprint(host);
  EXPECT_EQ(after([](Snapshot& s) { s.neighbors.push_back({IfIndex{2}, Ip{}, {}, 2, 0}); }), was);
  EXPECT_EQ(after([](Snapshot& s) { s.addresses.back().flags ^= 0x40U; }), was) << "tentative";
  EXPECT_EQ(after([](Snapshot& s) { s.segments.emplace(); }), was);
  EXPECT_EQ(after([](Snapshot& s) { s.host = "other"; }), was);
  EXPECT_EQ(after([](Snapshot& s) { s.table_names[TableId{7}] = "seven"; }), was);
}

TEST_F(FingerprintTest, APlanForAnotherHostIsNoticedBeforeAnythingIsDone) {
  testing::set_gates(host, 1, 1, 0);
  const Plan cure = plan(host, {}, diagnose(host, {}));
  testing::FakeKernel kernel(host);
  EXPECT_TRUE(still_as_planned(cure, kernel));
  kernel.state.rules.back().priority += 1;
  const auto still = still_as_planned(cure, kernel);
  ASSERT_FALSE(still);
  EXPECT_EQ(still.error().kind, ErrorKind::changed);
  EXPECT_EQ(kernel.taken, 0U);
}

}  // namespace
}  // namespace retour
