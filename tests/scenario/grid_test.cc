// SPDX-License-Identifier: Apache-2.0
//
// Prediction = observation: for every combination of gates a real peer asks a real host with eight
// NICs, and everything the model said beforehand must be what the wire then shows: who answers ARP,
// where the request arrives, by which NIC the reply leaves, and whether there is one at all.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "diagnose/diagnose.h"
#include "diagnose/subnets.h"
#include "engine/transaction.h"
#include "lab/iproute2.h"
#include "lab/lab.h"
#include "os/kernel_netlink.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "plan/plan.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

using namespace std::chrono_literals;

struct Gates {
  int rp, ai, af, aa;
};

/// The cure and its proof are on trial here, not what a kill leaves.
struct NoJournal final : Journal {
  Result<std::optional<JournalEntry>> load() override { return std::nullopt; }
  Result<void> store(const JournalEntry&) override { return {}; }
  Result<void> clear() override { return {}; }
};
struct NoNames final : TableNames {
  Result<std::vector<PlannedTable>> load() override { return std::vector<PlannedTable>{}; }
  Result<void> write(std::span<const PlannedTable>) override { return {}; }
};

class Grid : public ::testing::Test {
 protected:
  void SetUp() override {
    auto up = LabGuard::up({.name = lab_name("grid"), .single_nic_peer = true});
    ASSERT_TRUE(up) << up.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*up));
    matrix_ = Matrix::open(*(*lab_)->p, (*lab_)->b);
    ASSERT_TRUE(matrix_);
    netns_ = std::make_unique<Netns>(*Netns::open((*lab_)->b.netns));
    const auto inside = InsideNetns::enter(*netns_);
    kernel_ = *NetlinkKernel::open();
    policy_.segments = SegmentsFrom::flat;
    policy_.peers = {(*lab_)->p->addresses.front()};
  }

  void set(const Gates& gates) const {
    const auto inside = InsideNetns::enter(*netns_);
    const auto write = [](const char* key, int value) {
      std::ofstream(std::string("/proc/sys/net/ipv4/conf/all/") + key) << value;
    };
    write("rp_filter", gates.rp);
    write("arp_ignore", gates.ai);
    write("arp_filter", gates.af);
    write("arp_announce", gates.aa);
  }

  /// Asks the model, then the wire, and compares; returns how many addresses answered.
  int compare(const std::string& where) {
    SCOPED_TRACE(where);
    const auto now = kernel_->snapshot();
    EXPECT_TRUE(now) << now.error().message();
    const Diagnosis predicted = diagnose(*now, policy_);
    matrix_->forget();
    ProbeOptions options;
    options.timeout = 200ms;
    options.attempts = 1;
    int answered = 0;
    for (const Crossing& crossing : matrix_->cross({0}, options)) {
      const Observation& seen = crossing.seen;
      const auto trip = std::ranges::find(predicted.round_trips, seen.pair.peer, &RoundTrip::local);
      EXPECT_NE(trip, predicted.round_trips.end());
      if (trip == predicted.round_trips.end()) continue;
      ++compared_;
      answered += seen.answered ? 1 : 0;
      SCOPED_TRACE(seen.pair.peer.str());
      EXPECT_EQ(seen.answered, trip->verdict != DoorVerdict::lost);
      EXPECT_EQ(macs(*now, trip->arp_answered_by),
                std::set(seen.arp_macs.begin(), seen.arp_macs.end()));
      if (!seen.answered) continue;
      if (trip->arrives_on) {
        EXPECT_EQ(seen.there->request, std::vector{*trip->arrives_on});
      }
      EXPECT_EQ(seen.there->reply, std::vector{trip->leaves_on.value_or(IfIndex{})});
      const bool same = seen.there->request == std::vector{trip->link} &&
                        seen.there->reply == std::vector{trip->link};
      if (trip->verdict == DoorVerdict::same_door) {
        EXPECT_TRUE(same);
      }
      if (trip->verdict == DoorVerdict::wrong_door && trip->arrives_on) {
        EXPECT_FALSE(same);
      }
    }
    return answered;
  }

  static std::set<std::vector<std::uint8_t>> macs(const Snapshot& host,
                                                  const std::vector<IfIndex>& links) {
    std::set<std::vector<std::uint8_t>> found;
    for (const IfIndex link : links) found.insert(host.link(link)->mac);
    return found;
  }

  template <class Body>
  void every_gate(Body body) {
    for (const int rp : {0, 1, 2}) {
      for (const int ai : {0, 1, 2}) {
        for (const int af : {0, 1}) {
          for (const int aa : {0, 1, 2}) {
            const Gates gates{rp, ai, af, aa};
            set(gates);
            body(gates, fmt::format("rp_filter={} arp_ignore={} arp_filter={} arp_announce={}", rp,
                                    ai, af, aa));
          }
        }
      }
    }
  }

  std::unique_ptr<LabGuard> lab_;
  std::unique_ptr<Matrix> matrix_;
  std::unique_ptr<Netns> netns_;
  std::unique_ptr<NetlinkKernel> kernel_;
  Policy policy_;
  int compared_{};
};

bool one_of_eight(const Gates& gates) { return gates.ai >= 1 && (gates.rp == 1 || gates.af == 1); }

TEST_F(Grid, WithoutRules) {
  every_gate([&](const Gates& gates, const std::string& where) {
    EXPECT_EQ(compare(where), one_of_eight(gates) ? 1 : 8) << where;
  });
  EXPECT_EQ(compared_, 54 * 8);
}

TEST_F(Grid, WithTheArticlesRules) {
  cure((*lab_)->b);
  every_gate(
      [&](const Gates&, const std::string& where) { EXPECT_EQ(compare(where), 8) << where; });
  EXPECT_EQ(compared_, 54 * 8);
}

TEST_F(Grid, CuredByRetourIsSameDoorAndUndoneIsAsBefore) {
  const std::string folder = ::testing::TempDir() + lab_name("memory");
  MemoryFile memory(folder, "grid");
  NoJournal journal;
  NoNames names;
  const Ports ports{*kernel_, memory, journal, names};
  every_gate([&](const Gates& gates, const std::string& where) {
    SCOPED_TRACE(where);
    const std::string before = whole_state((*lab_)->b.netns);
    const auto now = kernel_->snapshot();
    ASSERT_TRUE(now);
    const Plan todo = plan(*now, policy_, diagnose(*now, policy_));
    ASSERT_FALSE(todo.refused) << *todo.refused;
    ASSERT_TRUE(todo.pending());
    {
      const auto inside = InsideNetns::enter(*netns_);
      const auto applied = carry_out(todo, policy_, ports, {});
      ASSERT_TRUE(applied) << applied.error().message();
    }
    EXPECT_TRUE(diagnose(*kernel_->snapshot(), policy_).healthy());
    EXPECT_EQ(compare(where), 8);
    {
      const auto inside = InsideNetns::enter(*netns_);
      const auto undone = undo(ports, {});
      ASSERT_TRUE(undone) << undone.error().message();
      EXPECT_TRUE(undone->left_alone.empty());
    }
    EXPECT_EQ(whole_state((*lab_)->b.netns), before);
    if (one_of_eight(gates)) {
      EXPECT_EQ(compare(where), 1);
    }
  });
}

/// Rails: NIC k of both hosts on a segment of its own. A's rules make each of its addresses ask on
/// its own rail; what B then does is predicted and seen.
TEST(GridRails, PredictionIsObservation) {
  for (const auto& [rp, ai, af] : std::vector<std::array<int, 3>>{
           {0, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}, {1, 1, 0}, {2, 1, 0}, {2, 1, 1}}) {
    const auto set = [](const char* host, const char* key, int value) {
      return std::pair{fmt::format("{}:net.ipv4.conf.all.{}", host, key), std::to_string(value)};
    };
    const auto lab =
        LabGuard::up({.name = lab_name("rail"),
                      .nics = 4,
                      .rails = true,
                      .sysctls = {set("b", "rp_filter", rp), set("b", "arp_ignore", ai),
                                  set("b", "arp_filter", af), set("a", "arp_ignore", 1)},
                      .gates_of_article = false});
    ASSERT_TRUE(lab) << lab.error().message();
    cure((*lab)->a);
    const auto matrix = Matrix::open((*lab)->a, (*lab)->b);
    ASSERT_TRUE(matrix);
    const auto netns = Netns::open((*lab)->b.netns);
    const auto inside = InsideNetns::enter(*netns);
    auto kernel = *NetlinkKernel::open();
    auto prober = *RawProber::open();
    auto now = kernel->snapshot();
    ASSERT_TRUE(now);
    std::vector<IfIndex> links;
    Policy flat;
    flat.segments = SegmentsFrom::flat;
    for (const SharedSubnet& subnet : shared_subnets(*now, flat)) links = subnet.segments[0];
    const auto segments = prober->segments(links, 100ms);
    ASSERT_TRUE(segments);
    EXPECT_EQ(segments->size(), 4U) << "measured, not told";
    now->segments = *segments;
    Policy policy;
    policy.peers = (*lab)->a.addresses;
    const Diagnosis predicted = diagnose(*now, policy);
    matrix->forget();
    ProbeOptions options;
    options.timeout = 300ms;
    options.attempts = 1;
    options.arp = false;
    for (const Crossing& crossing : matrix->cross({0, 1, 2, 3}, options)) {
      if (crossing.from != crossing.to) continue;  // another rail: not the peer of this door
      const auto trip = std::ranges::find_if(predicted.round_trips, [&](const RoundTrip& t) {
        return t.local == crossing.seen.pair.peer && t.peer == crossing.seen.pair.local;
      });
      ASSERT_NE(trip, predicted.round_trips.end());
      EXPECT_EQ(crossing.seen.answered, trip->verdict != DoorVerdict::lost)
          << "rp " << rp << " ai " << ai << " af " << af << " rail " << crossing.to << " predicted "
          << name(trip->verdict) << " " << name(trip->cause);
      EXPECT_EQ(trip->verdict, crossing.to == 0 ? DoorVerdict::same_door : DoorVerdict::lost);
      EXPECT_NE(trip->cause, Cause::flux) << "no flux between rails";
    }
  }
}

}  // namespace
}  // namespace retour::testing
