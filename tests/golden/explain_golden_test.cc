// SPDX-License-Identifier: Apache-2.0
//
// Golden explanations: a case with queries.txt holds one question a line, as the arguments of
// `retour explain`; explain.txt is what people are told, explain.json what programs are.
#include <nlohmann/json.hpp>

#include "golden/golden_case.h"
#include "model/fib.h"
#include "text/explanation_json.h"
#include "text/query_reader.h"
#include "text/render_explanation.h"

namespace retour::golden {
namespace {

constexpr std::string_view trip_option = "--request-from";

class GoldenExplain : public ::testing::TestWithParam<fs::path> {};

TEST_P(GoldenExplain, TextAndJson) {
  const fs::path& folder = GetParam();
  const auto host = host_of(folder);
  ASSERT_TRUE(host) << host.error().message();
  const Policy policy = policy_of(folder);
  const Fib fib(*host);
  const Style style(false);
  BatchJson batch(*host);
  std::string text;
  std::string json;
  std::istringstream lines(read(folder / "queries.txt").value());
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string_view> words;
    split_query(line, words);
    if (words.empty()) continue;
    text += (text.empty() ? "$ retour explain " : "\n$ retour explain ") + line + "\n";
    const auto option = std::find(words.begin(), words.end(), trip_option);
    if (option != words.end()) {
      ASSERT_NE(option + 1, words.end()) << line;
      const auto peer = Ip::parse(*(option + 1));
      const auto local = Ip::parse(words.front());
      ASSERT_TRUE(peer && local) << line;
      const TripExplanation found = explain_round_trip(*host, *local, *peer, policy.segments);
      text += render(*host, found, {}, style);
      json += json_report(*host, found);
      continue;
    }
    const auto query = read_query(words, *host, 0);
    ASSERT_TRUE(query) << query.error().message();
    const Explanation found = explain(fib, query->flow);
    text += render(*host, found, {}, style);
    const std::string document = json_report(*host, found, nullptr);
    json += document;
    // A line of a batch says the same, and less.
    std::string said;
    batch.append(said, found.lookup, nullptr);
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
    const auto one = nlohmann::json::parse(document);
    const auto lined = nlohmann::json::parse(said);
    for (const char* key : {"query", "verdict", "errno", "dev", "gateway", "source", "table",
                            "rule_priority", "route", "candidates", "ways"}) {
      EXPECT_EQ(lined.contains(key), one.contains(key)) << key;
      if (one.contains(key)) {
        EXPECT_EQ(lined[key], one[key]) << key;
      }
    }
  }
  compare(folder / "explain.txt", text);
  expect_narrow(text);
  compare(folder / "explain.json", json);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenExplain, ::testing::ValuesIn(cases("queries.txt")),
                         test_name);

}  // namespace
}  // namespace retour::golden
