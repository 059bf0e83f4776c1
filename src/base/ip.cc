// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace retour {

std::optional<Ip> Ip::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  Bits bits = 0;
  for (const std::uint8_t byte : bytes) bits = (bits << 8) | byte;
  return Ip(bytes.size() == 4 ? Family::v4 : Family::v6, bits);
}

std::optional<Ip> Ip::parse(std::string_view text) {
  // inet_pton wants a terminated string; no address is longer than this.
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size()) return std::nullopt;
  text.copy(buffer.data(), text.size());
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, buffer.data(), bytes.data()) == 1) {
    return from_bytes(std::span(bytes).first(4));
  }
  if (inet_pton(AF_INET6, buffer.data(), bytes.data()) == 1) return from_bytes(bytes);
  return std::nullopt;
}

std::size_t Ip::to_bytes(std::span<std::uint8_t, 16> out) const {
  const std::size_t size = width(family_) / 8U;
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(bits_ >> (8 * (size - 1 - i)));
  }
  return size;
}

std::string Ip::str() const {
  std::array<std::uint8_t, 16> bytes{};
  to_bytes(bytes);
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = Ip::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  if (slash == std::string_view::npos) return host(*ip);
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length > width(ip->family())) return std::nullopt;
  return Prefix{*ip, static_cast<std::uint8_t>(length)};
}

std::string Prefix::str() const {
  if (length == width(family())) return address.str();
  return address.str() + "/" + std::to_string(length);
}

}  // namespace retour
