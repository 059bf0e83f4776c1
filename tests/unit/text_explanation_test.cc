// SPDX-License-Identifier: Apache-2.0
//
// Explanations as text and as JSON: what is many is folded unless all is wanted, no line is wider
// than a terminal, and names from strangers do no harm.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model/fib.h"
#include "text/explanation_json.h"
#include "text/printable.h"
#include "text/render_explanation.h"
#include "text/style.h"
#include "unit/hosts.h"

namespace retour {
namespace {

using nlohmann::json;
using testing::ip;

Flow sent(const char* dst) {
  Flow flow;
  flow.dst = ip(dst);
  flow.ip_proto = 17;
  return flow;
}

std::string text_of(const Snapshot& host, const Flow& flow, bool all = false) {
  std::string text = render(host, explain(Fib(host), flow), {all}, Style(false));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), 80U) << line;
    EXPECT_EQ(printable(line), line);
  }
  return text;
}

json line_of(const Snapshot& host, const Flow& flow, bool all = false) {
  BatchJson batch(host, all);
  std::string line;
  batch.append(line, Fib(host).output(flow), nullptr);
  EXPECT_TRUE(line.ends_with("}\n"));
  return json::parse(line);
}

/// `count` rules that do not match, between those for local and main.
Snapshot ruled_host(std::uint32_t count) {
  Snapshot host = testing::grid_host(2);
  std::vector<Rule> rules;
  for (std::uint32_t i = 0; i < count; ++i) {
    Rule rule = testing::rule(1000 + i, TableId{500});
    if (i % 4 == 0) {
      rule.fwmark = 7;
      rule.fwmask = ~0U;
    } else {
      rule.from = Prefix::host(Ip::v4(0xc0000200U + i));
    }
    rules.push_back(rule);
  }
  host.rules.insert(host.rules.begin() + 1, rules.begin(), rules.end());
  host.hidden.custom_rules_v4 = true;
  return host;
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(ExplanationText, AThousandRulesThatDoNotMatchAreOneLine) {
  const Snapshot host = ruled_host(1000);
  const std::string text = text_of(host, sent("10.0.0.9"));
  EXPECT_EQ(count(text, "\n"), 10U) << text;
  EXPECT_EQ(count(text, "rules 1000 to 1999: none of these 1000 matches (250 by fwmark, 750 by"),
            1U)
      << text;
  const std::string all = text_of(host, sent("10.0.0.9"), true);
  EXPECT_EQ(count(all, "no, source unset"), 750U);
  EXPECT_EQ(count(all, "no, mark 0x0"), 250U);
}

TEST(ExplanationText, FewRulesAreToldOneByOne) {
  const std::string text = text_of(ruled_host(8), sent("10.0.0.9"));
  EXPECT_EQ(count(text, ": no, "), 8U) << text;
}

TEST(ExplanationText, RoutesThatLostForOneReasonAreCounted) {
  Snapshot host = testing::grid_host(2);
  for (std::uint32_t i = 1; i <= 100; ++i) {
    host.routes.push_back(testing::route("10.0.0.0/24", host.links[1].index));
    host.routes.back().metric = i;
  }
  const std::string text = text_of(host, sent("10.0.0.9"));
  EXPECT_EQ(count(text, "higher metric"), 3U) << text;
  EXPECT_EQ(count(text, "nor 98 more: higher metric"), 1U) << text;
  EXPECT_EQ(count(text, "listed later"), 1U) << text;
  EXPECT_EQ(count(text_of(host, sent("10.0.0.9"), true), "higher metric"), 100U);
}

TEST(ExplanationText, NamesDoNoHarm) {
  Snapshot host = testing::grid_host(2);
  host.links[1].name = "e\x1b[31m\n\"\\x";
  const std::string text = text_of(host, sent("10.0.0.9"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  const json said = line_of(host, sent("10.0.0.9"));
  EXPECT_EQ(unescape(said["dev"].get<std::string>()), host.links[1].name);
  const auto document =
      json::parse(json_report(host, explain(Fib(host), sent("10.0.0.9")), nullptr));
  EXPECT_EQ(document["dev"], said["dev"]);
}

TEST(ExplanationJson, ManyStepsAreFoldedInABatchAlone) {
  const Snapshot host = ruled_host(1000);
  const json said = line_of(host, sent("10.0.0.9"));
  ASSERT_EQ(said["steps"].size(), 3U) << said;
  EXPECT_EQ(said["steps"][1], (json{{"rule_priority", 1000},
                                    {"last_priority", 1999},
                                    {"rules", 1000},
                                    {"outcome", "no-match"}}));
  EXPECT_EQ(line_of(host, sent("10.0.0.9"), true)["steps"].size(), 1002U);
  const auto document =
      json::parse(json_report(host, explain(Fib(host), sent("10.0.0.9")), nullptr));
  EXPECT_EQ(document["steps"].size(), 1002U);
  EXPECT_EQ(document["steps"][1]["selector"], "fwmark");
  EXPECT_EQ(document["steps"][1]["why"], "mark 0x0");
}

TEST(ExplanationJson, ALineInErrorIsAnObject) {
  std::string line;
  BatchJson::append_error(line, 7, {ErrorKind::usage, 0, "mark \"\x01", "not understood", "a\\b"});
  const json said = json::parse(line);
  EXPECT_EQ(said["line"], 7);
  EXPECT_EQ(said["error"], "mark \"\\x01: not understood");
  EXPECT_EQ(said["hint"], "a\\b");
}

TEST(ExplanationText, TheCheckSaysTheSameOrDiffers) {
  const Snapshot host = testing::grid_host(2);
  const Lookup lookup = Fib(host).output(sent("10.0.0.9"));
  Answer answer;
  answer.type = RouteType::unicast;
  answer.link = host.links[1].index;
  KernelCheck said{answer, ""};
  const auto check = [&] { return render_check(host, lookup, said, Style(false)); };
  EXPECT_TRUE(check().starts_with("check    the kernel says the same: unicast dev eth0"));
  said.differs = "device: eth0, the kernel says eth1";
  EXPECT_TRUE(check().starts_with("check    THE KERNEL DIFFERS: device: eth0"));
  said.differs.reset();
  EXPECT_TRUE(check().starts_with("check    not compared"));
}

TEST(ExplanationText, OfAReceivedIPv6PacketTheKernelJudgesTablesAlone) {
  const Snapshot host = testing::grid_host(1);
  Lookup lookup;
  lookup.flow.dst = ip("fd00::1");
  lookup.flow.iif = host.links[1].index;
  EXPECT_NE(render_check(host, lookup, {Answer{}, ""}, Style(false)).find("tables alone"),
            std::string::npos);
}

}  // namespace
}  // namespace retour
