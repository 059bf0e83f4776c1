// SPDX-License-Identifier: Apache-2.0
//
// The measured grid: a peer with one NIC asks each of eight addresses, under every combination of
// gates, without rules and with one rule per address. tests/scenario asks real kernels the same.
#include <gtest/gtest.h>

#include "hosts.h"
#include "model/fib.h"
#include "model/round_trip.h"

namespace retour {
namespace {

using testing::ip;

constexpr int nics = 8;

struct Expected {
  std::size_t answered_by;     ///< how many NICs answer ARP for the address of NIC j
  std::optional<int> in, out;  ///< NIC positions; no `in`: a race
  DoorVerdict verdict;
  Cause cause;
};

Expected expected(int rp, int ai, int af, bool rules, int j) {
  const int way_back = rules ? j : 0;
  const bool gated = rp == 1 || af == 1;  // then only the way back's NIC passes
  const bool owner_only = ai >= 1;
  if (gated && owner_only && way_back != j) {
    return {0, {}, {}, DoorVerdict::lost, rp == 1 ? Cause::rp_filter : Cause::arp_filter};
  }
  if (!gated && !owner_only) return {nics, {}, way_back, DoorVerdict::wrong_door, Cause::flux};
  const int in = owner_only ? j : way_back;
  if (in == j && way_back == j) return {1, in, way_back, DoorVerdict::same_door, Cause::none};
  return {1, in, way_back, DoorVerdict::wrong_door, in == j ? Cause::wrong_route : Cause::flux};
}

TEST(RoundTrip, IsTheMeasuredGrid) {
  for (const bool rules : {false, true}) {
    for (const int rp : {0, 1, 2}) {
      for (const int ai : {0, 1, 2}) {
        for (const int af : {0, 1}) {
          Snapshot host = testing::grid_host(nics);
          testing::set_gates(host, rp, ai, af);
          if (rules) testing::cure_by_hand(host);
          Segment segment;
          for (int i = 0; i < nics; ++i)
            segment.push_back(host.links[1 + static_cast<std::size_t>(i)].index);
          const Fib fib(host);
          for (int j = 0; j < nics; ++j) {
            const auto position = static_cast<std::size_t>(j);
            const RoundTrip trip = round_trip(host, fib, host.addresses[position].local.address,
                                              segment[position], ip("10.0.0.99"), {segment});
            const Expected want = expected(rp, ai, af, rules, j);
            const auto at = [&](std::optional<int> nic) {
              return nic ? std::optional(segment[static_cast<std::size_t>(*nic)]) : std::nullopt;
            };
            SCOPED_TRACE(::testing::Message() << "rp " << rp << " ai " << ai << " af " << af
                                              << " rules " << rules << " address " << j);
            EXPECT_EQ(trip.arp_answered_by.size(), want.answered_by);
            EXPECT_EQ(trip.arrives_on, at(want.in));
            EXPECT_EQ(trip.leaves_on, at(want.out));
            EXPECT_EQ(trip.verdict, want.verdict);
            EXPECT_EQ(trip.cause, want.cause);
          }
        }
      }
    }
  }
}

struct RoundTripTest : ::testing::Test {
  Snapshot host = testing::grid_host(2);
  IfIndex e0 = host.links[1].index;
  IfIndex e1 = host.links[2].index;
  [[nodiscard]] RoundTrip ask(int nic, const char* peer = "10.0.0.99") const {
    const auto i = static_cast<std::size_t>(nic);
    return round_trip(host, Fib(host), host.addresses[i].local.address, host.links[i + 1].index,
                      ip(peer), segments);
  }
  std::vector<Segment> segments{{e0, e1}};
};

TEST_F(RoundTripTest, OnRailsNobodyElseHears) {
  segments = {{e0}, {e1}};
  const RoundTrip trip = ask(1);
  EXPECT_EQ(trip.arp_answered_by, std::vector<IfIndex>{e1}) << "no flux between rails";
  EXPECT_EQ(trip.verdict, DoorVerdict::lost) << "the reply goes out where the peer is not";
  EXPECT_EQ(trip.cause, Cause::wrong_segment);
  EXPECT_EQ(ask(0).verdict, DoorVerdict::same_door);
}

TEST_F(RoundTripTest, LinkDownIsNotARoutingProblem) {
  host.links[2].flags &= ~0x10001U;
  EXPECT_EQ(ask(1).cause, Cause::link_down);
  EXPECT_FALSE(ask(1).arrives_on.has_value());
}

TEST_F(RoundTripTest, AllArpIgnoredIsTheOwnersGate) {
  testing::set_gates(host, 0, 8, 0);
  EXPECT_EQ(ask(0).verdict, DoorVerdict::lost);
  EXPECT_EQ(ask(0).cause, Cause::arp_ignore);
}

TEST_F(RoundTripTest, LooseOnOneDeviceBeatsStrictOnAll) {
  testing::set_gates(host, 1, 1, 0);
  EXPECT_EQ(ask(1).verdict, DoorVerdict::lost);
  host.links[2].conf.set(Conf::rp_filter, 2);
  EXPECT_EQ(ask(1).verdict, DoorVerdict::wrong_door);
}

TEST_F(RoundTripTest, NoWayBackIsLost) {
  std::erase_if(host.routes, [](const Route& route) { return route.table == table_main; });
  testing::set_gates(host, 0, 1, 0);
  EXPECT_EQ(ask(1).verdict, DoorVerdict::lost);
  EXPECT_EQ(ask(1).cause, Cause::no_route);
}

TEST_F(RoundTripTest, BeyondTheSubnetTheGatewayAsks) {
  testing::set_gates(host, 1, 1, 0);
  Route far = testing::route("192.0.2.0/24", e1);
  far.scope = scope_global;
  far.next_hops[0].gateway = ip("10.0.0.254");
  host.routes.push_back(far);
  // The gateway's ARP request meets the strict gate: the way back to it is e0.
  EXPECT_EQ(ask(1, "192.0.2.7").cause, Cause::rp_filter);
}

// The router towards a peer beyond the subnet asks by ARP, whichever NIC our own route to it takes.
TEST(RoundTripBeyond, TheRouterAsksOnTheWire) {
  Snapshot host = testing::grid_host(2);
  Route out = testing::route("0.0.0.0/0", host.links[1].index);
  out.scope = scope_global;
  out.next_hops[0].gateway = ip("10.0.0.254");
  host.routes.push_back(out);
  const Ip second = ip("10.0.0.22");
  const IfIndex owner = host.links[2].index;
  const std::vector<Segment> one{{host.links[1].index, owner}};
  const auto ask = [&](int rp_filter, int arp_ignore, int arp_filter) {
    testing::set_gates(host, rp_filter, arp_ignore, arp_filter);
    return round_trip(host, Fib(host), second, owner, ip("8.8.8.8"), one);
  };
  EXPECT_EQ(ask(1, 0, 0).cause, Cause::flux) << "its own NIC is silent, the other answers for it";
  EXPECT_EQ(ask(2, 1, 1).verdict, DoorVerdict::lost);
  EXPECT_EQ(ask(2, 1, 1).cause, Cause::arp_filter);
  EXPECT_EQ(ask(2, 1, 0).cause, Cause::wrong_route);
}

}  // namespace
}  // namespace retour
