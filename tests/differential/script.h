// SPDX-License-Identifier: Apache-2.0
//
// A host as the commands that make it: lines for `ip -batch`, values for /proc/sys, and rules with
// the selectors that iproute2 6.1 has no words for. Lines can be left out one by one, which is how
// a mismatch becomes small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace retour::differential {

enum class LineKind : std::uint8_t {
  ip,      ///< of `ip -batch`
  ip6,     ///< of `ip -6 -batch`
  sysctl,  ///< "net/ipv4/conf/n0/rp_filter 2"
  rule,    ///< "rule add …" in the words of a newer iproute2, sent as netlink by us
  rule6,
};

struct Line {
  LineKind kind{};
  std::string text;
};

using Script = std::vector<Line>;

/// As a shell would run it.
[[nodiscard]] std::string words(const Script& script);

struct Built {
  std::vector<bool> accepted;  ///< by line
};

/// Runs the script in the caller's namespace, line after line; what the kernel refuses is passed
/// over. An error when `ip` cannot be run at all.
[[nodiscard]] Result<Built> build(const Script& script);

/// Makes the kernel look at every link's carrier now; by itself it does so a little later.
[[nodiscard]] Result<void> settle_carriers();

}  // namespace retour::differential
