// SPDX-License-Identifier: Apache-2.0
//
// An IPv4 or IPv6 address and a prefix of addresses, as numbers in host order: comparing and
// masking are what lookups do, so the representation is one 128-bit integer.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace retour {

__extension__ using Bits = unsigned __int128;

enum class Family : std::uint8_t { v4, v6 };

[[nodiscard]] constexpr std::uint8_t width(Family family) {
  return family == Family::v4 ? 32 : 128;
}

class Ip {
 public:
  constexpr Ip() = default;  ///< 0.0.0.0
  constexpr Ip(Family family, Bits bits) : bits_(bits), family_(family) {}

  [[nodiscard]] static constexpr Ip v4(std::uint32_t host_order) {
    return Ip(Family::v4, host_order);
  }
  /// Network byte order, 4 or 16 bytes; anything else gives nothing.
  [[nodiscard]] static std::optional<Ip> from_bytes(std::span<const std::uint8_t> bytes);
  /// inet_pton() grammar: "10.0.0.1", "fd00::1". No prefix length, no zone.
  [[nodiscard]] static std::optional<Ip> parse(std::string_view text);

  [[nodiscard]] constexpr Family family() const { return family_; }
  [[nodiscard]] constexpr bool is_v4() const { return family_ == Family::v4; }
  [[nodiscard]] constexpr Bits bits() const { return bits_; }
  [[nodiscard]] constexpr std::uint32_t v4_bits() const {
    return static_cast<std::uint32_t>(bits_);
  }
  /// Writes width/8 bytes in network order; returns how many.
  std::size_t to_bytes(std::span<std::uint8_t, 16> out) const;
  [[nodiscard]] std::string str() const;

  [[nodiscard]] constexpr bool is_unspecified() const { return bits_ == 0; }
  /// 224.0.0.0/4 or ff00::/8.
  [[nodiscard]] constexpr bool is_multicast() const {
    return is_v4() ? (bits_ >> 28) == 0xe : (bits_ >> 120) == 0xff;
  }
  /// 224.0.0.0/24: of one link, whatever its scope.
  [[nodiscard]] constexpr bool is_local_multicast() const {
    return is_v4() && (bits_ >> 8) == 0xe00000;
  }
  /// 127.0.0.0/8 or ::1.
  [[nodiscard]] constexpr bool is_loopback() const {
    return is_v4() ? (bits_ >> 24) == 127 : bits_ == 1;
  }
  /// 255.255.255.255.
  [[nodiscard]] constexpr bool is_limited_broadcast() const {
    return is_v4() && bits_ == 0xffffffffU;
  }

  friend constexpr bool operator==(const Ip&, const Ip&) = default;
  friend constexpr std::strong_ordering operator<=>(const Ip& a, const Ip& b) {
    if (a.family_ != b.family_) return a.family_ <=> b.family_;
    if (a.bits_ == b.bits_) return std::strong_ordering::equal;
    return a.bits_ < b.bits_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }

 private:
  Bits bits_{};
  Family family_{Family::v4};
};

/// The network mask of `length` leading ones, in host order.
[[nodiscard]] constexpr Bits mask_bits(Family family, std::uint8_t length) {
  if (length == 0) return 0;
  const auto shift = static_cast<unsigned>(width(family) - length);
  const Bits all = family == Family::v4 ? Bits{0xffffffffU} : ~Bits{0};
  return (all >> shift) << shift;
}

/// Host bits are kept (the kernel keeps them in rules); `network()` drops them.
struct Prefix {
  Ip address{};
  std::uint8_t length{};  ///< 0 … width(family)

  /// "10.0.0.0/8", "10.0.0.1" (full length), "fd00::/64". Nothing else ("default" needs a family).
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
  [[nodiscard]] static constexpr Prefix host(const Ip& ip) { return {ip, width(ip.family())}; }
  [[nodiscard]] static constexpr Prefix all(Family family) { return {Ip(family, 0), 0}; }

  [[nodiscard]] constexpr Family family() const { return address.family(); }
  [[nodiscard]] constexpr Prefix network() const {
    return {Ip(family(), address.bits() & mask_bits(family(), length)), length};
  }
  [[nodiscard]] constexpr Ip last() const {
    const Bits mask = mask_bits(family(), length);
    const Bits all = mask_bits(family(), width(family()));
    return Ip(family(), (address.bits() & mask) | (all & ~mask));
  }
  [[nodiscard]] constexpr bool contains(const Ip& ip) const {
    return ip.family() == family() &&
           ((ip.bits() ^ address.bits()) & mask_bits(family(), length)) == 0;
  }
  [[nodiscard]] constexpr bool contains(const Prefix& other) const {
    return other.length >= length && contains(other.address);
  }
  /// "10.0.0.0/8"; a full-length prefix prints without "/32", as iproute2 does.
  [[nodiscard]] std::string str() const;

  friend constexpr bool operator==(const Prefix&, const Prefix&) = default;
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

}  // namespace retour

template <>
struct std::hash<retour::Ip> {
  std::size_t operator()(const retour::Ip& ip) const noexcept {
    const auto bits = ip.bits();
    const auto folded = static_cast<std::uint64_t>(bits) ^ static_cast<std::uint64_t>(bits >> 64);
    return std::hash<std::uint64_t>{}(folded * 0x9e3779b97f4a7c15ULL);
  }
};
