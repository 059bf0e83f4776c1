// SPDX-License-Identifier: Apache-2.0
//
// The journal is read by another process, after a kill: nothing may be lost in it, and nothing
// malformed may be taken for less than it was.
#include <gtest/gtest.h>

#include "diagnose/diagnose.h"
#include "hosts.h"
#include "text/journal_json.h"

namespace retour {
namespace {

/// One document of a plan that touches everything.
JournalEntry entry() {
  Snapshot host = testing::grid_host(4);
  testing::set_gates(host, 0, 0, 0);
  const Plan cure = plan(host, {}, diagnose(host, {}));
  JournalEntry out;
  out.id = 0xfedcba9876543210;
  out.phase = JournalEntry::Phase::awaiting;
  out.deadline = std::chrono::nanoseconds(123456789012345);
  out.changes = cure.changes;
  for (const Change& change : inverses(cure.changes)) out.changes.push_back(change);
  out.records_before = {{"we\\ird\n%", {2, 0, 0, 0, 0, 1}, Conf::rp_filter, -1, 2},
                        {"b", {}, Conf::arp_ignore, 0, 1}};
  out.tables_before = {{TableId{200}, "retour-a", {}}};
  return out;
}

TEST(JournalJson, ComesBackAsItWas) {
  JournalEntry written = entry();
  for (int i = 0; i < 2; ++i) {
    const auto read = journal_from_json(to_json(written), "j");
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(to_json(*read), to_json(written));
    EXPECT_EQ(read->id, written.id);
    EXPECT_EQ(read->phase, written.phase);
    EXPECT_EQ(read->deadline, written.deadline);
    EXPECT_EQ(read->records_before, written.records_before);
    ASSERT_EQ(read->changes.size(), written.changes.size());
    EXPECT_EQ(read->tables_before.has_value(), written.tables_before.has_value());
    written.phase = JournalEntry::Phase::applying;
    written.tables_before.reset();
    written.changes.clear();
    written.records_before.clear();
  }
}

TEST(JournalJson, TakesBackWhatAnotherWouldTakeBack) {
  Snapshot host = testing::grid_host(4);
  testing::set_gates(host, 0, 0, 0);
  JournalEntry written = entry();
  written.changes.resize(written.changes.size() / 2);
  const auto read = journal_from_json(to_json(written), "j");
  ASSERT_TRUE(read);
  Snapshot cured = rehearse(host, written.changes);
  EXPECT_EQ(way_back(host, read->changes).size(), 0U);
  const auto back = way_back(cured, read->changes);
  EXPECT_EQ(back.size(), written.changes.size());
  Snapshot again = rehearse(cured, back);
  again.hidden = host.hidden;
  EXPECT_EQ(again, host);
}

TEST(JournalJson, CutAnywhereItIsAnErrorAndNeverLess) {
  const std::string good = to_json(entry());
  for (std::size_t cut = 0; cut + 2 < good.size(); cut += 97) {
    EXPECT_FALSE(journal_from_json(good.substr(0, cut), "j")) << cut;
  }
}

TEST(JournalJson, AnotherVersionAndWrongFieldsAreNamed) {
  const std::string good = to_json(entry());
  const auto with = [&](const std::string& old, const std::string& instead) {
    std::string text = good;
    const auto at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    text.replace(at, old.size(), instead);
    return journal_from_json(text, "the/journal");
  };
  EXPECT_EQ(with("journal/1", "journal/9").error().kind, ErrorKind::schema);
  for (const auto& [old, instead] : std::vector<std::pair<std::string, std::string>>{
           {"\"route\": 0", "\"route\": 4000"},
           {"\"op\": \"add-route\"", "\"op\": \"add-house\""},
           {"\"phase\": \"awaiting\"", "\"phase\": \"dreaming\""},
           {"fedcba9876543210", "fedcba987654321g"},
           {"\"original\": -1", "\"original\": 99999999999"},
           {"\"conf\": \"arp_ignore\"", "\"conf\": \"arp_adore\""},
           {"\"why\"", "\"hwy\""},
           {"\"changes\"", "\"chances\""},
           {"\"tables_before\"", "\"tables\""}}) {
    const auto read = with(old, instead);
    ASSERT_FALSE(read) << instead;
    EXPECT_NE(read.error().message().find("the/journal"), std::string::npos) << instead;
  }
}

}  // namespace
}  // namespace retour
