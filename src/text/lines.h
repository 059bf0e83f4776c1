// SPDX-License-Identifier: Apache-2.0
//
// Rules, routes and lookups as the one line that `ip` users know, ready to be printed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/cause.h"
#include "model/lookup.h"
#include "model/snapshot.h"

namespace retour {

/// "enp1s0", or "#7".
[[nodiscard]] std::string link_label(const Snapshot& host, IfIndex link);
/// Why a link stays silent whatever its gates: "down or without carrier"; else the cause's name.
[[nodiscard]] std::string silence_words(Cause cause);
/// "eth0", "eth0 or eth1", "one of 4 NICs".
[[nodiscard]] std::string ways_words(const Snapshot& host, const Lookup& lookup);
/// "retour-enp1s0", "main" or, when it has no name, "200": what an operator calls the table.
[[nodiscard]] std::string table_label(const Snapshot& host, TableId table);
/// "from 10.0.0.1 lookup main suppress_prefixlength 20" (without the priority).
[[nodiscard]] std::string rule_line(const Snapshot& host, const Rule& rule);
/// "29.28.192.0/20 dev enp1s0 src 29.28.195.228 metric 110" (without the table).
[[nodiscard]] std::string route_line(const Snapshot& host, const Route& route);
/// "from", "uidrange", …: the word of `ip rule`.
[[nodiscard]] std::string_view selector_name(Selector selector);
/// The same without what does not tell it from its rivals: "29.28.192.0/20 dev enp1s0 metric 110".
[[nodiscard]] std::string route_short(const Snapshot& host, const Route& route);
/// What became of one rule: "no match (from)", "29.28.192.0/20 dev … metric 105".
[[nodiscard]] std::string step_line(const Snapshot& host, const Lookup& lookup, const Step& step);

}  // namespace retour
