// SPDX-License-Identifier: Apache-2.0
#include "os/wire_frame.h"

#include <algorithm>
#include <string_view>

namespace retour {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Kind = WireEvent::Kind;

constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_arp = 0x0806;
constexpr std::string_view mark_magic = "retour";

std::uint64_t read_be(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes.subspan(at, size)) value = (value << 8) | byte;
  return value;
}

std::uint16_t read16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(read_be(bytes, at, 2));
}

Ip read_ip(Bytes bytes, std::size_t at) {
  return Ip::v4(static_cast<std::uint32_t>(read_be(bytes, at, 4)));
}

void write_be(std::span<std::uint8_t> bytes, std::size_t at, std::size_t size,
              std::uint64_t value) {
  for (std::size_t i = size; i-- > 0; value >>= 8) {
    bytes[at + i] = static_cast<std::uint8_t>(value);
  }
}

std::optional<WireEvent> parse_arp(Bytes bytes) {
  constexpr std::size_t header = 8;
  if (bytes.size() < header || read16(bytes, 2) != ethertype_ipv4) return std::nullopt;
  const std::size_t mac_size = bytes[4];
  const std::uint16_t operation = read16(bytes, 6);
  if (bytes[5] != 4 || mac_size == 0 || (operation != 1 && operation != 2)) return std::nullopt;
  if (bytes.size() < header + 2 * (mac_size + 4)) return std::nullopt;
  WireEvent event;
  event.kind = operation == 1 ? Kind::arp_request : Kind::arp_reply;
  const auto mac = bytes.subspan(header, mac_size);
  event.mac.assign(mac.begin(), mac.end());
  event.src = read_ip(bytes, header + mac_size);
  event.dst = read_ip(bytes, header + 2 * mac_size + 4);
  return event;
}

std::optional<WireEvent> parse_echo(Bytes bytes, bool whole) {
  constexpr std::size_t least = 20;
  if (bytes.size() < least || bytes[0] >> 4 != 4) return std::nullopt;
  const std::size_t header = (bytes[0] & 0xfU) * std::size_t{4};
  const std::size_t total = read16(bytes, 2);
  const bool fragment = (read16(bytes, 6) & 0x3fffU) != 0;
  if (header < least || bytes[9] != 1 || fragment || total < header + 8) return std::nullopt;
  if (bytes.size() < header + 8 || (whole && bytes.size() < total)) return std::nullopt;
  // Short frames are padded on the wire: what counts ends at the total length.
  const Bytes icmp = bytes.first(std::min(bytes.size(), total)).subspan(header);
  if ((icmp[0] != 0 && icmp[0] != 8) || icmp[1] != 0) return std::nullopt;
  if (whole && internet_checksum(icmp) != 0) return std::nullopt;
  WireEvent event;
  event.kind = icmp[0] == 8 ? Kind::echo_request : Kind::echo_reply;
  event.src = read_ip(bytes, 12);
  event.dst = read_ip(bytes, 16);
  event.id = read16(icmp, 4);
  event.seq = read16(icmp, 6);
  if (icmp.size() >= 16) event.cookie = read_be(icmp, 8, 8);
  return event;
}

std::optional<WireEvent> parse_mark(Bytes bytes) {
  const auto magic = mark_magic.size();
  if (bytes.size() < magic + 12 ||
      !std::equal(mark_magic.begin(), mark_magic.end(), bytes.begin())) {
    return std::nullopt;
  }
  WireEvent event;
  event.kind = Kind::mark;
  event.cookie = read_be(bytes, magic, 8);
  event.sender = IfIndex{static_cast<std::uint32_t>(read_be(bytes, magic + 8, 4))};
  return event;
}

}  // namespace

std::uint16_t internet_checksum(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffffU) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::array<std::uint8_t, echo_size> echo_request(std::uint16_t id, std::uint16_t seq,
                                                 std::uint64_t cookie) {
  std::array<std::uint8_t, echo_size> bytes{};
  bytes[0] = 8;
  write_be(bytes, 4, 2, id);
  write_be(bytes, 6, 2, seq);
  write_be(bytes, 8, 8, cookie);
  write_be(bytes, 2, 2, internet_checksum(bytes));
  return bytes;
}

std::array<std::uint8_t, arp_size> arp_request(Bytes sender_mac, const Ip& sender,
                                               const Ip& target) {
  std::array<std::uint8_t, arp_size> bytes{};
  write_be(bytes, 0, 2, 1);  // Ethernet
  write_be(bytes, 2, 2, ethertype_ipv4);
  bytes[4] = 6;
  bytes[5] = 4;
  write_be(bytes, 6, 2, 1);  // request
  std::copy_n(sender_mac.begin(), 6, bytes.begin() + 8);
  write_be(bytes, 14, 4, sender.v4_bits());
  write_be(bytes, 24, 4, target.v4_bits());
  return bytes;
}

std::array<std::uint8_t, mark_size> mark_frame(std::uint64_t run, IfIndex sender) {
  std::array<std::uint8_t, mark_size> bytes{};
  std::copy(mark_magic.begin(), mark_magic.end(), bytes.begin());
  write_be(bytes, mark_magic.size(), 8, run);
  write_be(bytes, mark_magic.size() + 8, 4, sender.value);
  return bytes;
}

std::optional<WireEvent> parse_frame(std::uint16_t ethertype, Bytes bytes, bool whole) {
  switch (ethertype) {
    case ethertype_arp:
      return parse_arp(bytes);
    case ethertype_ipv4:
      return parse_echo(bytes, whole);
    case ethertype_mark:
      return parse_mark(bytes);
    default:
      return std::nullopt;
  }
}

}  // namespace retour
