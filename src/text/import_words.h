// SPDX-License-Identifier: Apache-2.0
//
// The words that iproute2 and the kernel use for numbers, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/words.h"

namespace retour {

[[nodiscard]] Words route_protocol_words();  ///< RTPROT_*, as rt_protos ships
[[nodiscard]] Words rule_action_words();     ///< FR_ACT_*
[[nodiscard]] Words link_flag_words();       ///< IFF_*, bits
[[nodiscard]] Words address_flag_words();    ///< IFA_F_*, bits
[[nodiscard]] Words route_flag_words();      ///< RTNH_F_* and RTM_F_*, bits
[[nodiscard]] Words neighbor_state_words();  ///< NUD_*, bits
[[nodiscard]] Words neighbor_flag_words();   ///< NTF_*, bits
[[nodiscard]] Words dsfield_words();         ///< the whole byte, as rt_dsfield ships
[[nodiscard]] Words ip_protocol_words();     ///< IPPROTO_*, as /etc/protocols names them

/// Decimal or 0x, nothing before or after it, at most `max`.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max);
/// A word, else a number of at most `max`.
[[nodiscard]] std::optional<std::uint32_t> parse_word(Words words, std::string_view text,
                                                      std::uint32_t max);
/// What the kernel takes for one: 1 to 15 bytes, no '/', no zero byte.
[[nodiscard]] bool is_link_name(std::string_view name);

/// "aa:bb:…", 1 to 32 bytes.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> parse_mac(std::string_view text);
[[nodiscard]] std::string mac_text(std::span<const std::uint8_t> mac);

}  // namespace retour
