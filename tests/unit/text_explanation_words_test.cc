// SPDX-License-Identifier: Apache-2.0
//
// What an explanation and a diagnosis say of one lookup, in words and in JSON: ways that are
// refused, tables that are one, tables that nobody gave, gates that nobody told, notes.
#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "diagnose/diagnose.h"
#include "diagnose/explanation.h"
#include "hosts.h"
#include "model/fib.h"
#include "text/explain_words.h"
#include "text/explanation_json.h"
#include "text/lines.h"
#include "text/render_diagnosis.h"
#include "text/render_explanation.h"
#include "text/report_json.h"

namespace retour {
namespace {

using nlohmann::json;
using testing::add_nic;
using testing::ip;

struct ExplanationWords : ::testing::Test {
  Snapshot host = testing::bare_host();
  IfIndex e0 = add_nic(host, "eth0", "10.0.0.1/24");
  IfIndex e1 = add_nic(host, "eth1", "10.0.0.2/24");

  static Flow to(const char* dst, const char* src = nullptr) {
    Flow flow;
    flow.dst = ip(dst);
    if (src != nullptr) flow.src = ip(src);
    return flow;
  }
  [[nodiscard]] std::string text(const Flow& flow) const {
    const Fib fib(host);
    return render(host, explain(fib, flow), {}, Style(false));
  }
  [[nodiscard]] json document(const Flow& flow) const {
    const Fib fib(host);
    return json::parse(json_report(host, explain(fib, flow), nullptr));
  }
  [[nodiscard]] json line(const Flow& flow) const {
    const Fib fib(host);
    std::string out;
    BatchJson batch(host);
    batch.append(out, fib.look(flow), nullptr);
    return json::parse(out);
  }
  [[nodiscard]] static bool has(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
  }
};

TEST_F(ExplanationWords, SomeWaysAreRefused) {
  Lookup lookup;
  lookup.flow = to("192.0.2.1");
  lookup.verdict = Verdict::unicast;
  lookup.link = e0;
  lookup.or_errnum = EINVAL;
  EXPECT_TRUE(has(outcome_words(host, lookup), ", or is refused (EINVAL), as the hash falls"));
  std::string out;
  BatchJson(host).append(out, lookup, nullptr);
  EXPECT_EQ(json::parse(out)["or_errno"], "EINVAL");
  RoundTrip trip;
  trip.reply = lookup;
  EXPECT_EQ(json::parse(json_round_trip(host, trip))["reply"]["or_errno"], "EINVAL");
  lookup.or_errnum = 0;
  EXPECT_FALSE(has(outcome_words(host, lookup), "refused"));
  out.clear();
  BatchJson(host).append(out, lookup, nullptr);
  EXPECT_FALSE(json::parse(out).contains("or_errno"));
}

TEST_F(ExplanationWords, ErrorsHaveTheirNames) {
  EXPECT_EQ(errno_name(EXDEV), "EXDEV");  // the answer of kernel 6.1 to a strict gate
  EXPECT_EQ(errno_name(EMSGSIZE), "EMSGSIZE");
  EXPECT_EQ(errno_name(EPIPE), "errno 32");
}

TEST_F(ExplanationWords, BeforeAnyLookupMeansWithoutOne) {
  host.routes.push_back(testing::route("0.0.0.0/0", e0));
  Route loopback = testing::route("127.0.0.0/8", loopback_index, table_local);
  loopback.type = RouteType::local;
  loopback.scope = scope_host;
  host.routes.push_back(loopback);
  Address own;
  own.link = loopback_index;
  own.local = testing::prefix("127.0.0.1/8");
  host.addresses.push_back(own);
  const Fib fib(host);
  const Lookup late = fib.look(to("8.8.8.8", "127.0.0.1"));
  ASSERT_EQ(late.verdict, Verdict::invalid);
  ASSERT_FALSE(late.steps.empty());
  EXPECT_EQ(outcome_words(host, late), "refused (EINVAL)");
  const Lookup early = fib.look(to("8.8.8.8", "9.9.9.9"));
  EXPECT_EQ(outcome_words(host, early), "refused before any lookup (ENETUNREACH)");
}

TEST_F(ExplanationWords, WhileLocalAndMainAreOneTheLongerPrefixWins) {
  Route broad = testing::route("10.0.0.0/16", loopback_index, table_local);
  broad.type = RouteType::local;
  broad.scope = scope_host;
  host.routes.push_back(broad);
  EXPECT_TRUE(has(text(to("10.0.0.9")), "(only the kernel's own rules: tables local and main"));
  host.hidden.custom_rules_v4 = false;
  EXPECT_TRUE(has(text(to("10.0.0.9")), "(no rule was ever added here: tables local and main"));
  host.hidden.custom_rules_v4.reset();
  const std::string said = text(to("10.0.0.9"));
  EXPECT_TRUE(has(said, "shorter prefix (local and main are one")) << said;
  // What the model takes for touched rules, the text does, too: nothing hidden was told here.
  Rule other = testing::rule(100, TableId{7});
  host.rules.insert(host.rules.begin() + 1, other);
  EXPECT_FALSE(has(text(to("10.0.0.9")), "local and main"));
}

TEST_F(ExplanationWords, OfATableThatWasNotGivenNobodyKnowsThatItIsEmpty) {
  host.rules.insert(host.rules.begin() + 1, testing::rule(100, TableId{7}));
  EXPECT_TRUE(has(text(to("10.0.0.9")), "table 7 is empty"));
  host.source = "import";
  EXPECT_TRUE(has(text(to("10.0.0.9")), "no routes of table 7 were given"));
}

TEST_F(ExplanationWords, NotesAreShown) {
  host.notes = {"routes.txt:4: not represented: mtu 1400"};
  EXPECT_TRUE(has(text(to("10.0.0.9")), "notes    routes.txt:4: not represented: mtu 1400\n"));
  const Diagnosis diagnosis = diagnose(host, {});
  EXPECT_TRUE(has(render(host, diagnosis, {}, Style(false)),
                  "note: routes.txt:4: not represented: mtu 1400\n"));
  host.notes.assign(30, std::string(100, 'x') + " and so on");
  EXPECT_TRUE(has(text(to("10.0.0.9")), "26 more; --all shows them\n"));
  EXPECT_TRUE(has(render(host, diagnosis, {}, Style(false)), "note: 22 more; --json has all\n"));
}

TEST_F(ExplanationWords, ABatchNamesTheGatesThatItAssumed) {
  Flow flow = to("10.0.0.2", "10.0.0.9");
  flow.iif = e1;
  EXPECT_EQ(line(flow)["assumed"], json::array());
  host.conf_all = {};
  for (Link& link : host.links) link.conf = {};
  EXPECT_EQ(line(flow)["assumed"], json({"rp_filter"}));
  EXPECT_EQ(
      document(flow)["gates"][0],
      (json{
          {"dev", "eth1"}, {"key", "rp_filter"}, {"value", 0}, {"from", "dev"}, {"known", false}}));
  EXPECT_TRUE(document(flow)["if_set"][0]["sysctls"][0]["before"].is_null());
  flow.src = ip("10.0.0.1");
  EXPECT_EQ(line(flow)["assumed"], json({"accept_local"}));
  flow.src = ip("192.0.2.9");
  flow.dst = ip("192.0.2.8");
  host.routes.push_back(testing::route("192.0.2.0/24", e1));
  EXPECT_EQ(line(flow)["assumed"], json({"forwarding"})) << "none is asked before that one";
  EXPECT_EQ(line(to("10.0.0.9"))["assumed"], json::array());
}

TEST_F(ExplanationWords, GatesAreThoseThatJudged) {
  const auto keys = [&](const char* dst, const char* src) {
    Flow flow = to(dst, src);
    flow.iif = e1;
    std::vector<std::string> named;
    const json whole = document(flow);
    for (const json& gate : whole["gates"]) named.push_back(gate["key"]);
    return named;
  };
  using Keys = std::vector<std::string>;
  EXPECT_EQ(keys("10.0.0.2", "10.0.0.9"), (Keys{"rp_filter", "accept_local"}));
  EXPECT_EQ(keys("127.0.0.1", "10.0.0.9"), Keys{"route_localnet"});
  host.routes.push_back(testing::route("192.0.2.0/24", e0));
  EXPECT_EQ(document([&] {
              Flow flow = to("192.0.2.8", "10.0.0.9");
              flow.iif = e1;
              return flow;
            }())["verdict"],
            "no-forward");
  EXPECT_EQ(keys("192.0.2.8", "10.0.0.9"), Keys{"forwarding"});
  EXPECT_EQ(document(to("10.0.0.9"))["gates"], json::array()) << "none judges what is sent";
}

TEST_F(ExplanationWords, CandidatesAreLinksAndWaysAreWays) {
  host.routes.push_back(testing::route("192.0.2.0/24", e0));
  Route& route = host.routes.back();
  route.scope = scope_global;
  route.next_hops = {{e0, ip("10.0.0.8"), 0, 1}, {e0, ip("10.0.0.9"), 0, 1}};
  json one = document(to("192.0.2.1"));
  EXPECT_FALSE(one.contains("candidates")) << "one NIC, by whatever gateway";
  EXPECT_EQ(one["ways"].size(), 2U);
  EXPECT_EQ(one["ways"][1]["gateway"], "10.0.0.9");
  host.routes.back().next_hops[1].link = e1;
  one = document(to("192.0.2.1"));
  EXPECT_EQ(one["candidates"], json({"eth0", "eth1"}));
  EXPECT_EQ(line(to("192.0.2.1"))["candidates"], one["candidates"]);
  const Lookup lookup = Fib(host).look(to("192.0.2.1"));
  EXPECT_EQ(ways_words(host, lookup), "eth0 or eth1");
  RoundTrip trip;
  trip.reply = lookup;
  trip.arp = {{e0, true, false, false, Cause::none}};
  const json told = json::parse(json_round_trip(host, trip));
  EXPECT_EQ(told["reply"]["candidates"], one["candidates"]);
  EXPECT_EQ(told["reply"]["ways"], one["ways"]);
  EXPECT_EQ(told["arp"][0]["certain"], false);
}

TEST_F(ExplanationWords, ADiagnosisNamesEveryNicThatAReplyMayLeaveBy) {
  host.kernel = "6.1.0";  // later ones prefer the leg of the source's own NIC
  testing::set_gates(host, 0, 1, 0);
  for (Route& route : host.routes) {
    if (route.table != table_main) continue;
    route.prefsrc.reset();
    route.next_hops = {{e0, std::nullopt, 0, 1}, {e1, std::nullopt, 0, 1}};
  }
  const Diagnosis diagnosis = diagnose(host, {});
  const std::string said = render(host, diagnosis, {}, Style(false));
  EXPECT_TRUE(has(said, "leaves by eth0 or eth1")) << said;
  ASSERT_FALSE(diagnosis.findings.empty());
  EXPECT_TRUE(has(diagnosis.findings.front().message, "leave by eth0 or eth1"))
      << diagnosis.findings.front().message;
}

}  // namespace
}  // namespace retour
