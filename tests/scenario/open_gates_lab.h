// SPDX-License-Identifier: Apache-2.0
//
// A small lab for a test: two NICs a host and every gate open, so that a cure has routes, rules and
// sysctls; where its files are, and its state before.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "os/memory_file.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {

class OpenGatesLab : public ::testing::Test {
 protected:
  explicit OpenGatesLab(std::string tag) : tag_(std::move(tag)) {}
  void SetUp() override {
    auto lab = LabGuard::up(
        {.name = lab_name(tag_),
         .nics = 2,
         .sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    b_ = (*lab_)->b.netns;
    const auto netns = Netns::open(b_);
    ASSERT_TRUE(netns);
    files_ = std::filesystem::path(MemoryFile::default_base()) / MemoryFile::key_of(*netns);
    before_ = whole_state(b_);
  }

  std::unique_ptr<LabGuard> lab_;
  std::string b_;
  std::filesystem::path files_;
  std::string before_;

 private:
  std::string tag_;
};

}  // namespace retour::testing
