// SPDX-License-Identifier: Apache-2.0
//
// Golden directories: every folder below cases/ is a host as pasted text and what retour says to
// it. A case holds any of addr.txt, link.txt, route.txt, rule.txt, rt_tables.txt, sysctl.txt and
// segments.txt ("flat" or "rails"), and is compared with diagnosis.txt and plan.txt.
// RETOUR_UPDATE_GOLDEN=1 writes what it finds; read the difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "diagnose/diagnose.h"
#include "plan/plan.h"
#include "text/import.h"
#include "text/render_diagnosis.h"
#include "text/render_report.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::optional<NamedText> named(const fs::path& folder, const char* file) {
  auto text = read(folder / file);
  if (!text) return std::nullopt;
  return NamedText{file, std::move(*text)};
}

std::vector<fs::path> cases() {
  std::vector<fs::path> list;
  for (const auto& entry :
       fs::directory_iterator(fs::path(RETOUR_SOURCE_DIR) / "tests/golden/cases")) {
    if (entry.is_directory()) list.push_back(entry.path());
  }
  std::sort(list.begin(), list.end());
  return list;
}

class Golden : public ::testing::TestWithParam<fs::path> {};

void compare(const fs::path& file, const std::string& found) {
  if (std::getenv("RETOUR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << found;
  }
  EXPECT_EQ(read(file).value_or("(no such file)"), found) << file;
}

/// No line of what people read is longer than a terminal is wide.
void expect_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80U) << line;
}

TEST_P(Golden, SnapshotFindingsPlanUndo) {
  const fs::path& folder = GetParam();
  ImportTexts texts;
  texts.addr = named(folder, "addr.txt");
  texts.link = named(folder, "link.txt");
  texts.route = named(folder, "route.txt");
  texts.rule = named(folder, "rule.txt");
  texts.rt_tables = named(folder, "rt_tables.txt");
  texts.sysctl = named(folder, "sysctl.txt");
  const auto host = import_texts(texts);
  ASSERT_TRUE(host) << host.error().message();
  const auto again = snapshot_from_json(to_json(*host), "snapshot.json");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *host);

  Policy policy;
  if (const auto segments = read(folder / "segments.txt")) {
    policy.segments = segments->starts_with("rails") ? SegmentsFrom::rails : SegmentsFrom::flat;
  }
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

INSTANTIATE_TEST_SUITE_P(Cases, Golden, ::testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param.filename().string();
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace retour
