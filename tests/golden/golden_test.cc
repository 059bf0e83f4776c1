// SPDX-License-Identifier: Apache-2.0
//
// Golden directories: every folder below cases/ is a host as pasted text and what retour says to
// it: diagnosis.txt and plan.txt.
#include "diagnose/diagnose.h"
#include "golden/golden_case.h"
#include "plan/plan.h"
#include "text/render_diagnosis.h"
#include "text/render_report.h"
#include "text/snapshot_json.h"

namespace retour::golden {
namespace {

class Golden : public ::testing::TestWithParam<fs::path> {};

TEST_P(Golden, SnapshotFindingsPlanUndo) {
  const fs::path& folder = GetParam();
  const auto host = host_of(folder);
  ASSERT_TRUE(host) << host.error().message();
  const auto again = snapshot_from_json(to_json(*host), "snapshot.json");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *host);

  const Policy policy = policy_of(folder);
  const Style style(false);
  const Diagnosis found = diagnose(*host, policy);
  const std::string diagnosis = render(*host, found, {}, style);
  compare(folder / "diagnosis.txt", diagnosis);
  expect_narrow(diagnosis);

  const Plan cure = plan(*host, policy, found);
  const std::string planned = render(*host, cure, style);
  compare(folder / "plan.txt", planned);
  expect_narrow(planned);
  if (cure.refused || !cure.pending()) return;
  EXPECT_FALSE(plan(cure.rehearsed, policy, cure.after).pending())
      << "a second plan has nothing to do";
  const Snapshot back = rehearse(cure.rehearsed, inverses(cure.changes));
  EXPECT_EQ(back.rules.size(), host->rules.size());
  EXPECT_EQ(back.routes.size(), host->routes.size());
  EXPECT_EQ(back.links, host->links);
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, ::testing::ValuesIn(cases("diagnosis.txt")), test_name);

}  // namespace
}  // namespace retour::golden
