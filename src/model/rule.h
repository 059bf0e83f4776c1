// SPDX-License-Identifier: Apache-2.0
//
// A policy rule with every selector the kernel has (struct fib_rule_hdr, FRA_*), as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/objects.h"

namespace retour {

/// FR_ACT_*, in the kernel's numbering. Others are accepted by the kernel and act as blackhole.
enum class RuleAction : std::uint8_t {
  unspec = 0,
  lookup = 1,
  goto_ = 2,
  nop = 3,
  blackhole = 6,
  unreachable = 7,
  prohibit = 8,
};

/// Inclusive bounds, host order.
template <class T>
struct Range {
  T first{};
  T last{};
  [[nodiscard]] bool contains(T value) const { return first <= value && value <= last; }
  friend bool operator==(const Range&, const Range&) = default;
};

struct Rule {
  Family family{Family::v4};
  std::uint32_t priority{};
  bool invert{};               ///< `not`
  std::optional<Prefix> from;  ///< host bits kept; absent = all
  std::optional<Prefix> to;
  std::string iif;  ///< empty = any; "lo" = sent by this host
  std::string oif;
  bool iif_detached{};  ///< no such device now: never matches
  bool oif_detached{};
  std::uint32_t fwmark{};
  std::uint32_t fwmask{};            ///< 0 = mark not looked at
  std::uint8_t tos{};                ///< legacy, 0 = not looked at
  std::optional<std::uint8_t> dscp;  ///< 0 … 63
  std::uint8_t dscp_mask{0x3f};
  std::uint32_t flowlabel{};       ///< of IPv6, 20 bits
  std::uint32_t flowlabel_mask{};  ///< 0 = flow label not looked at
  std::uint8_t ip_proto{};         ///< 0 = any
  std::optional<Range<std::uint16_t>> sport;
  std::optional<Range<std::uint16_t>> dport;
  std::uint16_t sport_mask{0xffff};
  std::uint16_t dport_mask{0xffff};
  std::optional<Range<std::uint32_t>> uid;
  std::uint64_t tun_id{};
  bool l3mdev{};
  RuleAction action{RuleAction::lookup};
  TableId table{};              ///< for action lookup
  std::uint32_t goto_target{};  ///< a priority, for action goto
  bool goto_unresolved{};
  std::optional<std::uint32_t> suppress_prefixlength;
  std::optional<std::uint32_t> suppress_ifgroup;
  std::uint8_t protocol{};
  std::vector<RawAttribute> other;  ///< realms and attributes newer than this program

  [[nodiscard]] bool ours() const { return protocol == protocol_retour; }
  friend bool operator==(const Rule&, const Rule&) = default;
};

}  // namespace retour
