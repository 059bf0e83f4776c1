// SPDX-License-Identifier: Apache-2.0
//
// The parts of an explanation in words, for people and for the sentences in JSON: why a rule did
// not match, why a route was not taken, what becomes of the packet. Printable as they come.
#pragma once

#include <string>
#include <string_view>

#include "diagnose/explanation.h"

namespace retour {

/// "29.28.204.80 from 29.28.195.228, sent by this host, udp": what no rule asks for is left out.
[[nodiscard]] std::string flow_words(const Snapshot& host, const Flow& flow);

/// Which value of the flow a rule does not match: "source unset", "mark 0x0".
[[nodiscard]] std::string mismatch_words(const Snapshot& host, const Rule& rule, Selector selector,
                                         const Flow& seen);

/// "taken", "higher metric", "shorter prefix", …; `taken` is what the table answered, if anything.
[[nodiscard]] std::string_view route_reason(const Snapshot& host, const Considered& route,
                                            const Considered* taken);
/// The route that the table answered with.
[[nodiscard]] const Considered* taken_of(const TableAsked& asked);

/// "leaves by eth0 via 10.0.0.1", "dropped by rp_filter", "delivered to this host": one clause.
/// Where some of several ways are refused, that too.
[[nodiscard]] std::string outcome_words(const Snapshot& host, const Lookup& lookup);
/// Why it was so where rules and routes alone do not say; empty when they do. Sentences.
[[nodiscard]] std::string outcome_reason(const Snapshot& host, const Lookup& lookup);

/// "rp_filter=1 (from all)", "forwarding=0 (not known)".
[[nodiscard]] std::string gate_words(const Snapshot& host, IfIndex link, Conf conf);
[[nodiscard]] std::string gate_words(const Snapshot& host, IfIndex link, Conf conf,
                                     const EffectiveConf& value);
[[nodiscard]] std::string gate_words(const Snapshot& host, const Gate& gate);
/// "rp_filter=2 on eth0", "arp_ignore=1 on all".
[[nodiscard]] std::string setting_words(const Snapshot& host, const Setting& setting);

}  // namespace retour
