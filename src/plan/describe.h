// SPDX-License-Identifier: Apache-2.0
//
// A change and its parts in words: for messages, and as the iproute2 command that does the same.
// Names are as the kernel has them: whoever prints makes them printable.
#pragma once

#include <string>

#include "plan/change.h"

namespace retour {

/// "main" (254, and 253 and 255 likewise), "table0" where `names` has that, else "200".
[[nodiscard]] std::string table_word(TableId table, const Snapshot* names = nullptr);

/// "from 10.0.0.1 lookup main suppress_prefixlength 20": what follows the priority.
[[nodiscard]] std::string rule_words(const Rule& rule, const Snapshot* names = nullptr);

/// "add rule 31100 from 10.9.0.2 lookup 200". Links by name where `names` has them, else "#7".
[[nodiscard]] std::string describe(const Change& change, const Snapshot* names = nullptr);

/// The arguments of `ip`: "rule add priority 31100 from 10.9.0.2 lookup 200 protocol 213". IPv6
/// starts with "-6 ", an option: in a batch such lines go without it to `ip -6 -batch`. For a
/// sysctl the whole command, as `ip` has none: "sysctl -w net/ipv4/conf/eth0/rp_filter=2". Tables
/// are numbers. What iproute2 has no word for is named in a comment at the end.
[[nodiscard]] std::string ip_command(const Change& change, const Snapshot& names);

}  // namespace retour
