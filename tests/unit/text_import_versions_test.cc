// SPDX-License-Identifier: Apache-2.0
//
// One host in the words of iproute2 from 4.4 to 7.1: see data/versions/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "printed_by.h"
#include "text/import.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

using testing::Iproute2;
using testing::Print;

NamedText file(const std::string& name) {
  std::ifstream in(std::string(RETOUR_SOURCE_DIR "/tests/unit/data/versions/") + name,
                   std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {name, std::string(std::istreambuf_iterator<char>(in), {})};
}

Snapshot netlink() {
  const NamedText text = file("netlink.json");
  auto host = snapshot_from_json(text.text, text.file);
  EXPECT_TRUE(host) << host.error().message();
  return host ? *host : Snapshot{};
}

Snapshot import(const ImportTexts& texts) {
  auto host = import_texts(texts);
  EXPECT_TRUE(host) << host.error().message() << " / " << host.error().hint;
  return host ? *host : Snapshot{};
}

bool noted(const Snapshot& host, std::string_view words) {
  return std::ranges::any_of(
      host.notes, [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

template <class T>
void expect_equal(const std::vector<T>& ours, const std::vector<T>& expected, const char* what,
                  std::vector<T> Snapshot::*list) {
  ASSERT_EQ(ours.size(), expected.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    Snapshot one;
    Snapshot other;
    (one.*list) = {ours[i]};
    (other.*list) = {expected[i]};
    EXPECT_EQ(ours[i], expected[i]) << what << '[' << i << "] " << to_json(one) << to_json(other);
  }
}

void expect_equal(Snapshot ours, const Print& print) {
  Snapshot expected = netlink();
  forget_unprinted(expected, print);
  forget_unprinted(ours, print);
  expect_equal(ours.links, expected.links, "links", &Snapshot::links);
  expect_equal(ours.addresses, expected.addresses, "addresses", &Snapshot::addresses);
  expect_equal(ours.neighbors, expected.neighbors, "neighbors", &Snapshot::neighbors);
  expect_equal(ours.routes, expected.routes, "routes", &Snapshot::routes);
  expect_equal(ours.rules, expected.rules, "rules", &Snapshot::rules);
  expect_equal(ours.nexthops, expected.nexthops, "nexthops", &Snapshot::nexthops);
  EXPECT_EQ(ours, expected);
}

ImportTexts texts_of(const std::string& version, bool nexthops) {
  ImportTexts texts;
  texts.addr = file(version + "/addr.txt");
  texts.link = file(version + "/link.txt");
  texts.route = file(version + "/route.txt");
  texts.rule = file(version + "/rule.txt");
  texts.neigh = file(version + "/neigh.txt");
  if (nexthops) texts.nexthop = file(version + "/nexthop.txt");
  return texts;
}

TEST(ImportVersions, TextOfEachIsTheHostItPrinted) {
  expect_equal(import(texts_of("4.4", false)), {{4, 4}, false, true});
  expect_equal(import(texts_of("4.18", false)), {{4, 18}, false, true});
  expect_equal(import(texts_of("5.10", true)), {{5, 10}, false, true});
  expect_equal(import(texts_of("7.1", true)), {{7, 1}, false, true});
}

TEST(ImportVersions, JsonOfEachIsTheHostItPrinted) {
  for (const auto& [name, by] :
       {std::pair{"5.10", Iproute2{5, 10}}, std::pair{"7.1", Iproute2{7, 1}}}) {
    const std::string folder = std::string(name) + "/";
    ImportTexts texts;
    texts.addr = file(folder + "addr.json");
    texts.route = file(folder + "route.json");
    texts.rule = file(folder + "rule.json");
    texts.neigh = file(folder + "neigh.json");
    texts.nexthop = file(folder + "nexthop.json");
    const Snapshot host = import(texts);
    expect_equal(host, {by, true, true});
    EXPECT_TRUE(noted(host, "which route metrics are locked"));
  }
  ImportTexts texts = texts_of("4.18", false);
  texts.addr = file("4.18/addr.json");
  texts.rule = file("4.18/rule.json");
  texts.neigh = file("4.18/neigh.json");
  expect_equal(import(texts), {{4, 18}, false, true});
}

TEST(ImportVersions, NumbersInPlaceOfNames) {
  ImportTexts texts;
  texts.addr = file("7.1/addr.numeric.txt");
  texts.route = file("7.1/route.numeric.txt");
  texts.rule = file("7.1/rule.numeric.txt");
  texts.neigh = file("7.1/neigh.txt");
  texts.nexthop = file("7.1/nexthop.numeric.txt");
  expect_equal(import(texts), {{7, 1}, false, false});
}

TEST(ImportVersions, WhatWordsCannotSayIsNoted) {
  const Snapshot host = import(texts_of("7.1", true));
  EXPECT_TRUE(noted(host, "not represented: encap ip id 5")) << to_json(host);
  EXPECT_TRUE(noted(host, "not represented: realms of a leg"));
  EXPECT_TRUE(noted(host, "not represented: expires"));
  EXPECT_TRUE(noted(host, "nexthop.txt:8: not represented: buckets 32"));
  EXPECT_FALSE(noted(host, "kinds of the links"));
  ImportTexts texts = texts_of("7.1", true);
  texts.link.reset();
  texts.nexthop.reset();
  const Snapshot less = import(texts);
  EXPECT_TRUE(noted(less, "kinds of the links"));
  EXPECT_TRUE(noted(less, "8 routes go by nexthop objects"));
}

TEST(ImportVersions, BrokenJsonIsSaidToBe) {
  ImportTexts texts;
  texts.route = file("4.18/route.broken.json");
  const auto host = import_texts(texts);
  ASSERT_FALSE(host);
  EXPECT_NE(host.error().hint.find("4.17 to 4.20"), std::string::npos) << host.error().hint;
}

}  // namespace
}  // namespace retour
