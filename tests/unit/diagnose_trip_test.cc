// SPDX-License-Identifier: Apache-2.0
//
// Round trips where no wire is asked, or nobody is there to hear: tunnels, addresses without a NIC,
// owners that are down; and what a trip says of what it rests on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diagnose/diagnose.h"
#include "diagnose/explanation.h"
#include "diagnose/remedies.h"
#include "hosts.h"
#include "model/fib.h"
#include "text/explanation_json.h"
#include "text/render_explanation.h"

namespace retour {
namespace {

using testing::add_nic;
using testing::ip;

constexpr std::uint32_t iff_pointopoint = 0x10;
constexpr std::uint32_t iff_noarp = 0x80;

struct DiagnoseTrip : ::testing::Test {
  Snapshot host = testing::bare_host();
  IfIndex e0 = add_nic(host, "eth0", "10.0.0.1/24");
  IfIndex e1 = add_nic(host, "eth1", "10.0.0.2/24");

  Link& link(IfIndex index) { return *std::ranges::find(host.links, index, &Link::index); }
  [[nodiscard]] TripExplanation trip(const char* local, const char* peer,
                                     SegmentsFrom from = SegmentsFrom::snapshot) const {
    return explain_round_trip(host, ip(local), ip(peer), from);
  }
  [[nodiscard]] std::string text(const char* local, const char* peer) const {
    return render(host, trip(local, peer), {}, Style(false));
  }
  [[nodiscard]] nlohmann::json json(const char* local, const char* peer) const {
    return nlohmann::json::parse(json_report(host, trip(local, peer)));
  }
};

TEST_F(DiagnoseTrip, ThroughATunnelNobodyAsks) {
  const IfIndex wg = add_nic(host, "wg0", "10.8.0.1/24");
  Link& tunnel = link(wg);
  tunnel.flags = (tunnel.flags & ~0x1002U) | iff_pointopoint | iff_noarp;
  const RoundTrip found = trip("10.8.0.1", "10.8.0.7").trip;
  EXPECT_EQ(found.verdict, DoorVerdict::same_door) << name(found.cause);
  EXPECT_EQ(found.arrives_on, wg);
  EXPECT_TRUE(found.arp.empty());
  EXPECT_NE(text("10.8.0.1", "10.8.0.7").find("nobody asks: wg0 is the end of a tunnel"),
            std::string::npos);
  tunnel.flags &= ~1U;
  EXPECT_EQ(trip("10.8.0.1", "10.8.0.7").trip.cause, Cause::link_down);
}

TEST_F(DiagnoseTrip, UnknownGatesThatDecideNothingAreOneLine) {
  host.conf_all = {};
  for (Link& each : host.links) each.conf = {};
  EXPECT_NE(text("10.0.0.2", "10.0.0.9").find("rp_filter=0 arp_ignore=1 arp_filter=1"),
            std::string::npos);
  const IfIndex lone = add_nic(host, "eth2", "192.168.1.5/24");
  link(lone).conf = {};
  const std::string said = text("192.168.1.5", "192.168.1.9");
  EXPECT_NE(said.find("it is the same\n         with any values."), std::string::npos) << said;
  EXPECT_EQ(said.find("arp_ignore="), std::string::npos) << said;
}

TEST_F(DiagnoseTrip, AnAddressWithoutANicHasNoDoor) {
  Address lone;
  lone.link = loopback_index;
  lone.local = testing::prefix("192.0.2.1/32");
  host.addresses.push_back(lone);
  EXPECT_TRUE(doors_of(host, ip("192.0.2.1")).empty());
  const IfIndex dummy = add_nic(host, "dummy0", "192.0.2.2/32");
  link(dummy).flags |= iff_noarp;
  EXPECT_TRUE(doors_of(host, ip("192.0.2.2")).empty());
  EXPECT_EQ(doors_of(host, ip("10.0.0.2")), std::vector<IfIndex>{e1});
  // Where a NIC has it, too, the trip is by that one.
  lone.local = testing::prefix("10.0.0.2/32");
  host.addresses.insert(host.addresses.begin(), lone);
  EXPECT_EQ(trip("10.0.0.2", "10.0.0.9").trip.link, e1);
  EXPECT_EQ(trip("10.0.0.2", "10.0.0.9").also_on, std::vector<IfIndex>{loopback_index});
}

TEST_F(DiagnoseTrip, ADeadOwnerHearsNothing) {
  link(e1).flags &= ~0x10000U;
  std::string said = text("10.0.0.2", "10.0.0.9");
  EXPECT_NE(said.find("lost (link-down): eth1 hears nothing: no carrier"), std::string::npos)
      << said;
  EXPECT_EQ(said.find("arrives"), std::string::npos) << said;
  EXPECT_EQ(said.find("reply"), std::string::npos) << said;
  link(e1).flags &= ~1U;
  EXPECT_NE(text("10.0.0.2", "10.0.0.9").find("eth1 hears nothing: it is down"), std::string::npos);
  link(e1).flags |= 0x10001U;
  link(e1).master = e0;
  EXPECT_NE(text("10.0.0.2", "10.0.0.9").find("eth1 hears nothing: it is a port of eth0"),
            std::string::npos);
}

TEST_F(DiagnoseTrip, NoTableThroughALinkThatIsDown) {
  const auto table = [&] { return own_table(host, ip("10.0.0.2"), e1, ip("10.0.0.9")); };
  EXPECT_TRUE(table());
  link(e1).flags &= ~0x10000U;
  EXPECT_FALSE(table()) << "no carrier";
  link(e1).flags = (link(e1).flags | 0x10000U) & ~1U;
  EXPECT_FALSE(table()) << "down";
}

TEST_F(DiagnoseTrip, AnAnycastRouteIsAWayBack) {
  testing::set_gates(host, 0, 1, 0);
  for (Route& route : host.routes) {
    if (route.table == table_main) route.type = RouteType::anycast;
  }
  const TripExplanation found = trip("10.0.0.1", "10.0.0.9");
  EXPECT_EQ(found.trip.reply.verdict, Verdict::anycast);
  EXPECT_EQ(found.trip.verdict, DoorVerdict::same_door) << name(found.trip.cause);
  const auto document = json("10.0.0.1", "10.0.0.9");
  EXPECT_EQ(document["reply"]["verdict"], "anycast");
  EXPECT_EQ(document["round_trip"]["reply"]["verdict"], "unicast") << "as version 1 has it";
}

TEST_F(DiagnoseTrip, SaysWhatItsSegmentsRestOn) {
  EXPECT_NE(text("10.0.0.2", "10.0.0.9").find("segments one (assumed)\n"), std::string::npos)
      << text("10.0.0.2", "10.0.0.9");
  EXPECT_EQ(json("10.0.0.2", "10.0.0.9")["segments_known"], "assumed");
  EXPECT_EQ(trip("10.0.0.2", "10.0.0.9", SegmentsFrom::rails).segments_known, SegmentsKnown::told);
  host.segments = {{e0, e1}};
  EXPECT_EQ(json("10.0.0.2", "10.0.0.9")["segments_known"], "measured");
  // Of an address whose subnet no other NIC shares, too.
  const IfIndex lone = add_nic(host, "eth2", "192.168.1.5/24");
  EXPECT_EQ(json("192.168.1.5", "192.168.1.9")["segments_known"], "assumed");
  host.segments->push_back({lone});
  EXPECT_EQ(json("192.168.1.5", "192.168.1.9")["segments_known"], "measured");
}

TEST_F(DiagnoseTrip, GatesAreListedWithWhatTheyRestOn) {
  testing::set_gates(host, 1, 1, 0);
  auto document = json("10.0.0.2", "10.0.0.9");
  const auto gate = [&](const char* dev, const char* key) {
    for (const auto& each : document["gates"]) {
      if (each["dev"] == dev && each["key"] == key) return each;
    }
    return nlohmann::json();
  };
  EXPECT_EQ(document["round_trip"]["cause"], "rp_filter");
  EXPECT_EQ(gate("eth1", "rp_filter")["from"], "all");
  EXPECT_EQ(gate("eth1", "rp_filter")["value"], 1);
  EXPECT_EQ(gate("eth1", "rp_filter")["known"], true);
  EXPECT_EQ(gate("eth0", "arp_ignore")["value"], 1) << "who stayed silent, too";
  EXPECT_EQ(document["if_set"], nlohmann::json::array());

  // Nobody told the gates: none of them has a former value.
  host.conf_all = {};
  for (Link& each : host.links) each.conf = {};
  document = json("10.0.0.2", "10.0.0.9");
  EXPECT_EQ(gate("eth1", "rp_filter")["known"], false);
  EXPECT_EQ(gate("eth1", "rp_filter")["value"], 1) << "as it was taken to be";
  std::size_t settings = 0;
  for (const auto& remedy : document["remedies"]) {
    for (const auto& setting : remedy["sysctls"]) {
      EXPECT_TRUE(setting["before"].is_null()) << setting;
      ++settings;
    }
  }
  EXPECT_GT(settings, 0U);
  const std::string said = text("10.0.0.2", "10.0.0.9");
  EXPECT_LT(said.find("\nunknown "), said.find("\nARP ")) << said;
}

}  // namespace
}  // namespace retour
