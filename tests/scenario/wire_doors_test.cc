// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <numeric>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

using namespace std::chrono_literals;

std::vector<int> all(std::size_t count) {
  std::vector<int> positions(count);
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

std::string where(const Crossing& c) {
  return "from " + std::to_string(c.from) + " to " + std::to_string(c.to);
}

ProbeOptions impatient() {
  ProbeOptions options;
  options.timeout = 300ms;
  options.attempts = 1;
  options.arp = false;
  return options;
}

TEST(WireDoors, TheArticleBeforeTheCureAndAfter) {
  const auto lab = LabGuard::up({.name = lab_name("art")});
  ASSERT_TRUE(lab) << lab.error().message();
  const auto matrix = Matrix::open((*lab)->a, (*lab)->b);
  ASSERT_TRUE(matrix);

  // One source at a time and cold: a host that was asked for one address by one neighbour has
  // learnt that neighbour only, and the next answer would be lost on the way to the other.
  for (int i = 0; i < 8; ++i) {
    matrix->forget();
    for (const Crossing& c : matrix->cross({i}, impatient())) {
      EXPECT_EQ(c.seen.answered, c.to == 0) << where(c);
      const Path path = c.to == 0 ? Path{0, 0, 0, 0} : Path{-1, -1, -1, -1};
      EXPECT_EQ(c.path, path) << where(c);
      EXPECT_EQ(c.seen.rtt_us.has_value(), c.seen.answered) << where(c);
    }
  }

  cure((*lab)->a);
  cure((*lab)->b);
  matrix->forget();
  ProbeOptions patient;
  patient.timeout = 60s;
  patient.attempts = 16;
  const auto started = std::chrono::steady_clock::now();
  const auto cured = matrix->cross(all(8), patient);
  EXPECT_LT(std::chrono::steady_clock::now() - started, patient.timeout)
      << "all answered: no waiting";
  ASSERT_EQ(cured.size(), 64U);
  for (const Crossing& c : cured) {
    EXPECT_TRUE(c.seen.answered) << where(c);
    EXPECT_EQ(c.path, (Path{c.from, c.to, c.to, c.from})) << where(c);
    EXPECT_TRUE(c.seen.arp_answered) << where(c);
    EXPECT_EQ(c.seen.arp_macs.size(), 1U) << where(c);
    EXPECT_TRUE(c.seen.rtt_us) << where(c);
  }
}

TEST(WireDoors, AReplyThatRpFilterDropsIsSeenAndIsNoAnswer) {
  const auto lab = LabGuard::up(
      {.name = lab_name("rp"),
       .nics = 2,
       .sysctls = {{"net.ipv4.conf.all.arp_ignore", "1"}, {"a:net.ipv4.conf.all.rp_filter", "1"}},
       .gates_of_article = false});
  ASSERT_TRUE(lab) << lab.error().message();
  const LabHost& a = (*lab)->a;
  const LabHost& b = (*lab)->b;
  // b sends what is for a's second address to a's second NIC; a has its peers behind the first.
  const auto link = ip_output(a.netns, "-br link show dev " + a.nics[1]);
  ASSERT_TRUE(link) << link.error().message();
  const auto colon = link->find(':');
  ASSERT_NE(colon, std::string::npos);
  const auto taught =
      ip_batch(b.netns, "neigh replace " + a.addresses[1].str() + " lladdr " +
                            link->substr(colon - 2, 17) + " dev " + b.nics[0] + " nud permanent\n");
  ASSERT_TRUE(taught) << taught.error().message();
  const auto matrix = Matrix::open(a, b);
  ASSERT_TRUE(matrix);
  for (const Crossing& c : matrix->cross({0, 1}, impatient())) {
    EXPECT_EQ(c.seen.answered, c.from == 0) << where(c);
    EXPECT_EQ(c.path, (Path{0, c.to, 0, c.from})) << where(c);
  }
}

TEST(WireDoors, WhatTheKernelRefusesToSendSaysWhy) {
  const auto lab = LabGuard::up({.name = lab_name("err"), .nics = 1});
  ASSERT_TRUE(lab) << lab.error().message();
  const auto matrix = Matrix::open((*lab)->a, (*lab)->b);
  ASSERT_TRUE(matrix);
  const auto route = ip_batch(
      (*lab)->a.netns, "route add prohibit 198.51.100.1\nroute add unreachable 198.51.100.2\n");
  ASSERT_TRUE(route) << route.error().message();
  const Ip own = (*lab)->a.addresses[0];
  const IfIndex link = matrix->links()[0];
  const std::vector<ProbePair> pairs{{own, link, *Ip::parse("198.51.100.1")},
                                     {own, link, *Ip::parse("198.51.100.2")},
                                     {*Ip::parse("192.0.2.1"), link, (*lab)->b.addresses[0]},
                                     {own, link, (*lab)->b.addresses[0]}};
  const auto seen = matrix->prober().probe(pairs, impatient());
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_EQ((*seen)[0].send_errno, EACCES);
  EXPECT_EQ((*seen)[1].send_errno, EHOSTUNREACH);
  EXPECT_EQ((*seen)[2].send_errno, EADDRNOTAVAIL);
  EXPECT_TRUE((*seen)[3].answered);
  EXPECT_EQ((*seen)[3].send_errno, 0);
}

TEST(WireDoors, AStopGivesWhatIsKnown) {
  const auto lab = LabGuard::up({.name = lab_name("stop"), .nics = 1});
  ASSERT_TRUE(lab) << lab.error().message();
  const auto matrix = Matrix::open((*lab)->a, (*lab)->b);
  ASSERT_TRUE(matrix);
  volatile std::sig_atomic_t stop = 0;
  matrix->prober().stop_on(&stop);
  ProbeOptions options;
  options.timeout = 30s;
  options.progress = [&](std::size_t done, std::size_t) { stop = done == 1 ? 1 : 0; };
  const std::vector<ProbePair> pairs{
      {(*lab)->a.addresses[0], matrix->links()[0], (*lab)->b.addresses[0]},
      {(*lab)->a.addresses[0], matrix->links()[0], *Ip::parse("29.28.192.9")}};
  const auto started = std::chrono::steady_clock::now();
  const auto seen = matrix->prober().probe(pairs, options);
  EXPECT_LT(std::chrono::steady_clock::now() - started, options.timeout)
      << "one never answers: only the stop can end it before";
  ASSERT_TRUE(seen);
  EXPECT_TRUE((*seen)[0].answered);
  EXPECT_FALSE((*seen)[1].answered);
}

struct GridRow {
  const char* tag;
  const char* rp_filter;
  const char* arp_ignore;
  const char* arp_filter;
  int reachable;
  int arrives;  ///< -1: a race decides; 8: the NIC that owns the address
  std::size_t answer_arp;
};

class WireGrid : public ::testing::TestWithParam<GridRow> {};

/// The peer with one NIC asks for eight addresses; without rules the reply leaves by NIC 0.
TEST_P(WireGrid, PeerWithOneNic) {
  const GridRow& row = GetParam();
  const auto lab = LabGuard::up({.name = lab_name(row.tag),
                                 .sysctls = {{"b:net.ipv4.conf.all.rp_filter", row.rp_filter},
                                             {"b:net.ipv4.conf.all.arp_ignore", row.arp_ignore},
                                             {"b:net.ipv4.conf.all.arp_filter", row.arp_filter}},
                                 .gates_of_article = false,
                                 .single_nic_peer = true});
  ASSERT_TRUE(lab) << lab.error().message();
  const auto matrix = Matrix::open(*(*lab)->p, (*lab)->b);
  ASSERT_TRUE(matrix);
  ProbeOptions options = impatient();
  options.arp = true;
  const auto before = matrix->cross({0}, options);
  ASSERT_EQ(before.size(), 8U);
  int reachable = 0;
  for (const Crossing& c : before) {
    reachable += c.seen.answered ? 1 : 0;
    if (!c.seen.answered) {
      EXPECT_FALSE(c.seen.arp_answered) << where(c);
      continue;
    }
    EXPECT_EQ(c.seen.arp_macs.size(), row.answer_arp) << where(c);
    // A race may be won by any NIC, but by one.
    const int arrives = row.arrives == 8 ? c.to : row.arrives == -1 ? c.path[1] : row.arrives;
    EXPECT_GE(arrives, 0) << where(c);
    EXPECT_EQ(c.path, (Path{0, arrives, 0, 0})) << where(c);
  }
  EXPECT_EQ(reachable, row.reachable);

  cure((*lab)->b);
  matrix->forget();
  for (const Crossing& c : matrix->cross({0}, options)) {
    EXPECT_TRUE(c.seen.answered) << where(c);
    const int arrives = row.arrives == -1 ? c.path[1] : c.to;
    EXPECT_EQ(c.path, (Path{0, arrives, c.to, 0})) << where(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, WireGrid,
                         ::testing::Values(GridRow{"flux", "0", "0", "0", 8, -1, 8},
                                           GridRow{"one", "2", "0", "1", 8, 0, 1},
                                           GridRow{"back", "0", "1", "0", 8, 8, 1},
                                           GridRow{"afil", "2", "1", "1", 1, 0, 1},
                                           GridRow{"rpf", "1", "0", "0", 8, 0, 1},
                                           GridRow{"art", "1", "1", "0", 1, 0, 1}),
                         [](const auto& about) { return std::string(about.param.tag); });

TEST(WireSegments, FlatIsOneAndEveryRailIsOne) {
  for (const bool rails : {false, true}) {
    const auto lab = LabGuard::up({.name = lab_name("seg"), .rails = rails});
    ASSERT_TRUE(lab) << lab.error().message();
    const auto matrix = Matrix::open((*lab)->b, (*lab)->a);
    ASSERT_TRUE(matrix);
    const std::chrono::milliseconds wait = rails ? 300ms : 30s;
    const auto started = std::chrono::steady_clock::now();
    const auto segments = matrix->prober().segments(matrix->links(), wait);
    const auto took = std::chrono::steady_clock::now() - started;
    ASSERT_TRUE(segments) << segments.error().message();
    std::vector<Segment> expected{matrix->links()};
    if (rails) {
      expected.clear();
      for (const IfIndex link : matrix->links()) expected.push_back({link});
    } else {
      EXPECT_LT(took, wait) << "one segment: nothing to wait for";
    }
    EXPECT_EQ(*segments, expected);
  }
}

}  // namespace
}  // namespace retour::testing
