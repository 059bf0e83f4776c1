// SPDX-License-Identifier: Apache-2.0
//
// The few frames that prove a way: ARP, ICMP echo and our own marked broadcast. Pure bytes in both
// directions, from the network header on (the link header is the kernel's affair: it differs
// between Ethernet and InfiniBand).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/id.h"
#include "base/ip.h"

namespace retour {

/// "IEEE Std 802 - Local Experimental Ethertype 1": no switch and no host gives it a meaning.
inline constexpr std::uint16_t ethertype_mark = 0x88B5;

struct WireEvent {
  enum class Kind : std::uint8_t { arp_request, arp_reply, echo_request, echo_reply, mark };

  IfIndex link{};  ///< in the namespace of the tap that saw it
  bool outgoing{};
  Kind kind{};
  Ip src{};                       ///< ARP: sender address
  Ip dst{};                       ///< ARP: target address
  std::vector<std::uint8_t> mac;  ///< ARP: sender hardware address; else the link-layer source
  std::uint16_t id{};             ///< ICMP echo identifier
  std::uint16_t seq{};            ///< ICMP echo sequence
  std::uint64_t cookie{};         ///< first 8 bytes of echo data; a mark's run
  IfIndex sender{};               ///< mark: the link it was sent from
  std::chrono::nanoseconds at{};  ///< CLOCK_REALTIME, stamped by the kernel
};

inline constexpr std::size_t echo_size = 8 + 24;  ///< ICMP header and data, no IP header
inline constexpr std::size_t arp_size = 28;
inline constexpr std::size_t mark_size = 46;  ///< fills a minimal Ethernet frame

/// RFC 1071. Zero over a message that carries its own correct checksum.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

[[nodiscard]] std::array<std::uint8_t, echo_size> echo_request(std::uint16_t id, std::uint16_t seq,
                                                               std::uint64_t cookie);
/// REQUIRES: `sender_mac` has 6 bytes, both addresses are IPv4.
[[nodiscard]] std::array<std::uint8_t, arp_size> arp_request(
    std::span<const std::uint8_t> sender_mac, const Ip& sender, const Ip& target);
[[nodiscard]] std::array<std::uint8_t, mark_size> mark_frame(std::uint64_t run, IfIndex sender);

/// Fills kind, addresses, mac (ARP only), id, seq, cookie and sender. Nothing for any other
/// packet, a fragment, a wrong length or a wrong checksum. `whole`: `bytes` is not truncated, so
/// that the ICMP checksum can be and is checked.
[[nodiscard]] std::optional<WireEvent> parse_frame(std::uint16_t ethertype,
                                                   std::span<const std::uint8_t> bytes, bool whole);

}  // namespace retour
