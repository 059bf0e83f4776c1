// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/conf.h"

namespace retour {
namespace {

EffectiveConf of(Conf conf, std::optional<int> all, std::optional<int> device) {
  ConfValues a;
  ConfValues d;
  a.set(conf, all);
  d.set(conf, device);
  return effective(a, d, conf);
}

TEST(Conf, CombinesAsTheKernelDoes) {
  EXPECT_EQ(of(Conf::rp_filter, 1, 2).value, 2);
  EXPECT_EQ(of(Conf::rp_filter, 2, 1).value, 2) << "loose beats strict";
  EXPECT_EQ(of(Conf::arp_ignore, 0, 8).value, 8);
  EXPECT_EQ(of(Conf::arp_filter, 0, 1).value, 1);
  EXPECT_EQ(of(Conf::bc_forwarding, 1, 0).value, 0);
  EXPECT_EQ(of(Conf::forwarding, 1, 0).value, 0) << "the device alone decides";
}

TEST(Conf, SaysWhereTheValueCameFrom) {
  EXPECT_TRUE(of(Conf::rp_filter, 1, 0).from_all);
  EXPECT_FALSE(of(Conf::rp_filter, 1, 1).from_all);
  EXPECT_FALSE(of(Conf::arp_filter, 0, 1).from_all);
}

TEST(Conf, IsKnownOnlyWhenNothingMissingCouldChangeIt) {
  EXPECT_FALSE(of(Conf::rp_filter, std::nullopt, 1).known) << "all=2 would make it loose";
  EXPECT_TRUE(of(Conf::rp_filter, 2, std::nullopt).known);
  EXPECT_TRUE(of(Conf::arp_filter, std::nullopt, 1).known);
  EXPECT_FALSE(of(Conf::arp_filter, std::nullopt, 0).known);
  EXPECT_FALSE(of(Conf::arp_ignore, 1, std::nullopt).known);
}

TEST(Conf, TableIsInTheOrderOfTheEnum) {
  for (const ConfInfo& about : conf_table()) {
    EXPECT_EQ(info(about.conf).name, about.name);
    EXPECT_EQ(conf_by_name(about.name), about.conf);
  }
  EXPECT_FALSE(conf_by_name("no_such_key").has_value());
}

}  // namespace
}  // namespace retour
