// SPDX-License-Identifier: Apache-2.0
#include "text/address_words.h"

#include <fmt/format.h>

#include <array>

namespace retour {

bool LinkFlags::add(std::string_view name) {
  if (name == "NO-CARRIER") {
    no_carrier_ = true;
  } else if (const auto bit = value_of(link_flag_words(), name)) {
    bits_ |= *bit;
  } else if (const auto bits = parse_number(fmt::format("0x{}", name), 0xffffffffU)) {
    // print_link_flags() ends with the bits it has no name for, in bare hexadecimal.
    bits_ |= static_cast<std::uint32_t>(*bits);
  } else {
    return name == "M-DOWN";
  }
  return true;
}

// iproute2 does not print RUNNING; it prints its absence on a link that is up.
std::uint32_t LinkFlags::bits() const {
  constexpr std::uint32_t up = 0x1;
  constexpr std::uint32_t running = 0x40;
  return (bits_ & up) != 0 && !no_carrier_ ? bits_ | running : bits_;
}

bool add_address_flag(Address& address, std::string_view name) {
  constexpr std::uint32_t ifa_secondary = 0x01;
  if (name == "dynamic") {
    address.flags &= ~ifa_permanent;
  } else if (name == "temporary") {
    address.flags |= ifa_secondary;
  } else if (const auto bit = value_of(address_flag_words(), name)) {
    address.flags |= *bit;
  } else {
    return false;
  }
  return true;
}

std::uint32_t read_group(std::string_view text, const Where& where, Notes& notes) {
  if (text == "default") return 0;
  if (const auto number = parse_number(text, 0xffffffffU)) {
    return static_cast<std::uint32_t>(*number);
  }
  notes.not_represented(where, fmt::format("group {}, of unknown number; 0 taken", text));
  return 0;
}

Words address_protocol_words() {
  static constexpr std::array<Word, 5> words{
      {{"unspec", 0}, {"kernel_lo", 1}, {"kernel_ra", 2}, {"kernel_ll", 3}, {"none", 0}}};
  return words;
}

}  // namespace retour
