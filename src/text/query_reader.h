// SPDX-License-Identifier: Apache-2.0
//
// A question about one packet in the words of `ip route get`, as a Flow. What is left unsaid is
// what the kernel fills in for that command, so that both are asked the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/flow.h"
#include "model/snapshot.h"

namespace retour {

/// DST and whatever of the rest: for messages and usage lines.
inline constexpr std::string_view query_grammar =
    "[to] DST [from SRC] [iif DEV] [oif|dev DEV] [mark M] [tos|dsfield T] [ipproto P] [sport N] "
    "[dport N] [uid N] [flowlabel F]";

struct Query {
  Flow flow;
  bool protocol_said{};  ///< else it is the kernel's own: UDP for IPv4, none for IPv6
  bool connected{};      ///< ask again from the source that was found (`connected`)
};

/// The words of one question, in any order; keywords may be shortened as `ip` allows (iproute_get()
/// tries them in a fixed order: `f` is from, `s` sport). Names of links are those of `host`.
/// Numbers as strtoul() reads them with base 0, tos with base 16, as `ip` does. `uid` is the
/// asker's. Errors: usage, printable; they say the word, why, and what is allowed.
[[nodiscard]] Result<Query> read_query(std::span<const std::string_view> words,
                                       const Snapshot& host, std::uint32_t uid);

/// The words of a line of a batch, without a comment (# begins one, at a word's start). Reuses
/// `words`.
void split_query(std::string_view line, std::vector<std::string_view>& words);

}  // namespace retour
