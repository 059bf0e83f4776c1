// SPDX-License-Identifier: Apache-2.0
#include "text/import_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace retour {

Words route_protocol_words() {
  static constexpr std::array<Word, 26> words{
      {{"unspec", 0},      {"redirect", 1}, {"kernel", 2}, {"boot", 3},    {"static", 4},
       {"gated", 8},       {"ra", 9},       {"mrt", 10},   {"zebra", 11},  {"bird", 12},
       {"dnrouted", 13},   {"xorp", 14},    {"ntk", 15},   {"dhcp", 16},   {"mrouted", 17},
       {"keepalived", 18}, {"babel", 42},   {"ovn", 84},   {"openr", 99},  {"bgp", 186},
       {"isis", 187},      {"ospf", 188},   {"rip", 189},  {"eigrp", 192}, {"retour", 213},
       {"none", 0}}};
  return words;
}

Words rule_action_words() {
  static constexpr std::array<Word, 7> words{{{"unspec", 0},
                                              {"lookup", 1},
                                              {"goto", 2},
                                              {"nop", 3},
                                              {"blackhole", 6},
                                              {"unreachable", 7},
                                              {"prohibit", 8}}};
  return words;
}

Words link_flag_words() {
  static constexpr std::array<Word, 19> words{{{"UP", 0x1},
                                               {"BROADCAST", 0x2},
                                               {"DEBUG", 0x4},
                                               {"LOOPBACK", 0x8},
                                               {"POINTOPOINT", 0x10},
                                               {"NOTRAILERS", 0x20},
                                               {"RUNNING", 0x40},
                                               {"NOARP", 0x80},
                                               {"PROMISC", 0x100},
                                               {"ALLMULTI", 0x200},
                                               {"MASTER", 0x400},
                                               {"SLAVE", 0x800},
                                               {"MULTICAST", 0x1000},
                                               {"PORTSEL", 0x2000},
                                               {"AUTOMEDIA", 0x4000},
                                               {"DYNAMIC", 0x8000},
                                               {"LOWER_UP", 0x10000},
                                               {"DORMANT", 0x20000},
                                               {"ECHO", 0x40000}}};
  return words;
}

Words address_flag_words() {
  static constexpr std::array<Word, 12> words{{{"secondary", 0x01},
                                               {"nodad", 0x02},
                                               {"optimistic", 0x04},
                                               {"dadfailed", 0x08},
                                               {"home", 0x10},
                                               {"deprecated", 0x20},
                                               {"tentative", 0x40},
                                               {"permanent", 0x80},
                                               {"mngtmpaddr", 0x100},
                                               {"noprefixroute", 0x200},
                                               {"autojoin", 0x400},
                                               {"stable-privacy", 0x800}}};
  return words;
}

Words route_flag_words() {
  static constexpr std::array<Word, 16> words{{{"dead", 0x1},
                                               {"pervasive", 0x2},
                                               {"onlink", 0x4},
                                               {"offload", 0x8},
                                               {"linkdown", 0x10},
                                               {"unresolved", 0x20},
                                               {"trap", 0x40},
                                               {"notify", 0x100},
                                               {"cloned", 0x200},
                                               {"equalize", 0x400},
                                               {"prefix", 0x800},
                                               {"lookup_table", 0x1000},
                                               {"fib_match", 0x2000},
                                               {"rt_offload", 0x4000},
                                               {"rt_trap", 0x8000},
                                               {"rt_offload_failed", 0x20000000}}};
  return words;
}

Words neighbor_state_words() {
  static constexpr std::array<Word, 8> words{{{"INCOMPLETE", 0x01},
                                              {"REACHABLE", 0x02},
                                              {"STALE", 0x04},
                                              {"DELAY", 0x08},
                                              {"PROBE", 0x10},
                                              {"FAILED", 0x20},
                                              {"NOARP", 0x40},
                                              {"PERMANENT", 0x80}}};
  return words;
}

Words neighbor_flag_words() {
  static constexpr std::array<Word, 8> words{{{"use", 0x01},
                                              {"self", 0x02},
                                              {"master", 0x04},
                                              {"proxy", 0x08},
                                              {"extern_learn", 0x10},
                                              {"offload", 0x20},
                                              {"sticky", 0x40},
                                              {"router", 0x80}}};
  return words;
}

Words dsfield_words() {
  static constexpr std::array<Word, 26> words{
      {{"default", 0x00},    {"CS0", 0x00},        {"CS1", 0x20},  {"CS2", 0x40},
       {"CS3", 0x60},        {"CS4", 0x80},        {"CS5", 0xa0},  {"CS6", 0xc0},
       {"CS7", 0xe0},        {"AF11", 0x28},       {"AF12", 0x30}, {"AF13", 0x38},
       {"AF21", 0x48},       {"AF22", 0x50},       {"AF23", 0x58}, {"AF31", 0x68},
       {"AF32", 0x70},       {"AF33", 0x78},       {"AF41", 0x88}, {"AF42", 0x90},
       {"AF43", 0x98},       {"EF", 0xb8},         {"LE", 0x04},   {"lowdelay", 0x10},
       {"throughput", 0x08}, {"VOICE-ADMIT", 0xb0}}};
  return words;
}

Words ip_protocol_words() {
  static constexpr std::array<Word, 20> words{
      {{"icmp", 1},  {"igmp", 2},  {"ipencap", 4}, {"ipip", 94},  {"tcp", 6},
       {"egp", 8},   {"igp", 9},   {"udp", 17},    {"dccp", 33},  {"ipv6", 41},
       {"rsvp", 46}, {"gre", 47},  {"esp", 50},    {"ah", 51},    {"ipv6-icmp", 58},
       {"ospf", 89}, {"pim", 103}, {"vrrp", 112},  {"sctp", 132}, {"udplite", 136}}};
  return words;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, hex ? 16 : 10);
  if (text.empty() || error != std::errc{} || stop != end || value > max) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_word(Words words, std::string_view text, std::uint32_t max) {
  if (const auto value = value_of(words, text)) return value;
  const auto number = parse_number(text, max);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

bool is_link_name(std::string_view name) {
  constexpr std::string_view never{"/\0", 2};
  return !name.empty() && name.size() <= 15 && name.find_first_of(never) == std::string_view::npos;
}

std::optional<std::vector<std::uint8_t>> parse_mac(std::string_view text) {
  std::vector<std::uint8_t> mac;
  while (text.size() >= 2 && mac.size() < 32) {
    std::uint8_t byte = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc{} || stop != text.data() + 2) return std::nullopt;
    mac.push_back(byte);
    text.remove_prefix(2);
    if (text.empty()) return mac;
    if (text.front() != ':') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

std::string mac_text(std::span<const std::uint8_t> mac) {
  return fmt::format("{:02x}", fmt::join(mac, ":"));
}

}  // namespace retour
