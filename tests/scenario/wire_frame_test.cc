// SPDX-License-Identifier: Apache-2.0
#include "os/wire_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace retour {
namespace {

using Kind = WireEvent::Kind;
using Buffer = std::vector<std::uint8_t>;

constexpr std::uint16_t ipv4 = 0x0800;
constexpr std::uint16_t arp = 0x0806;

Buffer ip_packet(std::span<const std::uint8_t> icmp) {
  Buffer bytes(20 + icmp.size());
  bytes[0] = 0x45;
  bytes[3] = static_cast<std::uint8_t>(20 + icmp.size());
  bytes[9] = 1;
  bytes[12] = 10;
  bytes[15] = 1;
  bytes[16] = 10;
  bytes[19] = 2;
  std::ranges::copy(icmp, bytes.begin() + 20);
  return bytes;
}

TEST(WireFrame, EchoIsReadBack) {
  const auto icmp = echo_request(0x1234, 0x5678, 0x0123456789abcdefULL);
  EXPECT_EQ(internet_checksum(icmp), 0);
  const auto event = parse_frame(ipv4, ip_packet(icmp), true);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::echo_request);
  EXPECT_EQ(event->src.str(), "10.0.0.1");
  EXPECT_EQ(event->dst.str(), "10.0.0.2");
  EXPECT_EQ(event->id, 0x1234);
  EXPECT_EQ(event->seq, 0x5678);
  EXPECT_EQ(event->cookie, 0x0123456789abcdefULL);
}

TEST(WireFrame, PaddingIsNotPartOfThePacket) {
  auto bytes = ip_packet(echo_request(1, 2, 3));
  bytes.insert(bytes.end(), 9, 0xee);
  EXPECT_TRUE(parse_frame(ipv4, bytes, true));
}

TEST(WireFrame, DamagedEchoIsNone) {
  const auto good = ip_packet(echo_request(1, 2, 3));
  for (std::size_t i = 20; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= 0x10U;
    EXPECT_FALSE(parse_frame(ipv4, bad, true)) << i;
  }
  auto fragment = good;
  fragment[7] = 1;
  EXPECT_FALSE(parse_frame(ipv4, fragment, true));
}

TEST(WireFrame, ArpIsReadBack) {
  const std::array<std::uint8_t, 6> mac{2, 0, 0, 0, 0, 7};
  const auto bytes = arp_request(mac, *Ip::parse("10.0.0.1"), *Ip::parse("10.0.0.2"));
  const auto event = parse_frame(arp, bytes, true);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::arp_request);
  EXPECT_EQ(event->src.str(), "10.0.0.1");
  EXPECT_EQ(event->dst.str(), "10.0.0.2");
  EXPECT_EQ(event->mac, Buffer(mac.begin(), mac.end()));
}

TEST(WireFrame, MarkIsReadBack) {
  const auto event = parse_frame(ethertype_mark, mark_frame(0xfeedfacecafef00dULL, {70000}), true);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::mark);
  EXPECT_EQ(event->cookie, 0xfeedfacecafef00dULL);
  EXPECT_EQ(event->sender, IfIndex{70000});
}

TEST(WireFrame, AnyTruncationAndAnyNoiseIsSurvived) {
  const auto icmp = ip_packet(echo_request(1, 2, 3));
  const auto who = arp_request(Buffer(6, 2), Ip::v4(1), Ip::v4(2));
  const auto mark = mark_frame(1, {2});
  for (std::size_t size = 0; size < 64; ++size) {
    const auto cut = [&](const auto& bytes) {
      return std::span(bytes).first(std::min(size, bytes.size()));
    };
    EXPECT_EQ(parse_frame(ipv4, cut(icmp), true).has_value(), size >= icmp.size());
    EXPECT_EQ(parse_frame(arp, cut(who), true).has_value(), size >= who.size());
    EXPECT_EQ(parse_frame(ethertype_mark, cut(mark), true).has_value(), size >= 18);
  }
  std::mt19937 noise(1);
  for (int round = 0; round < 20000; ++round) {
    // Exact allocation: a read beyond the end is a sanitizer's finding.
    Buffer bytes(noise() % 80);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(noise());
    if (bytes.size() > 9 && round % 2 == 0) {
      bytes[0] = static_cast<std::uint8_t>(0x40U | (bytes[0] & 0xfU));
      bytes[9] = 1;
    }
    for (const std::uint16_t type : {ipv4, arp, ethertype_mark}) {
      (void)parse_frame(type, bytes, round % 4 < 2);
    }
  }
}

}  // namespace
}  // namespace retour
