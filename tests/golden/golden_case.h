// SPDX-License-Identifier: Apache-2.0
//
// A golden case: a folder below cases/ that holds a host as pasted text (any of addr.txt, link.txt,
// route.txt, rule.txt, rt_tables.txt, sysctl.txt) and, maybe, segments.txt ("flat" or "rails").
// RETOUR_UPDATE_GOLDEN=1 writes what is found; read the difference before committing it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "model/policy.h"
#include "text/import.h"
#include "text/style.h"

namespace retour::golden {

namespace fs = std::filesystem;

inline std::optional<std::string> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Every case that has this file.
inline std::vector<fs::path> cases(const char* file) {
  std::vector<fs::path> list;
  for (const auto& entry :
       fs::directory_iterator(fs::path(RETOUR_SOURCE_DIR) / "tests/golden/cases")) {
    if (entry.is_directory() && fs::exists(entry.path() / file)) list.push_back(entry.path());
  }
  std::sort(list.begin(), list.end());
  return list;
}

inline Result<Snapshot> host_of(const fs::path& folder) {
  const auto named = [&](const char* file) -> std::optional<NamedText> {
    auto text = read(folder / file);
    if (!text) return std::nullopt;
    return NamedText{file, std::move(*text)};
  };
  ImportTexts texts;
  texts.addr = named("addr.txt");
  texts.link = named("link.txt");
  texts.route = named("route.txt");
  texts.rule = named("rule.txt");
  texts.rt_tables = named("rt_tables.txt");
  texts.sysctl = named("sysctl.txt");
  return import_texts(texts);
}

inline Policy policy_of(const fs::path& folder) {
  Policy policy;
  if (const auto segments = read(folder / "segments.txt")) {
    policy.segments = segments->starts_with("rails") ? SegmentsFrom::rails : SegmentsFrom::flat;
  }
  return policy;
}

inline void compare(const fs::path& file, const std::string& found) {
  if (std::getenv("RETOUR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << found;
  }
  EXPECT_EQ(read(file).value_or("(no such file)"), found) << file;
}

/// No line of what people read is longer than a terminal is wide.
inline void expect_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80U) << line;
}

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string test_name(const ::testing::TestParamInfo<fs::path>& test) {
  std::string name = test.param.filename().string();
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

}  // namespace retour::golden
