// SPDX-License-Identifier: Apache-2.0
//
// A diagnosis for people, at 80 columns: the doors at a glance, then each finding with its evidence
// in the order in which one would look: does the request arrive, is ARP answered, which rule and
// route decide the reply, which door does it take.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "diagnose/finding.h"
#include "text/style.h"

namespace retour {

struct DiagnosisView {
  std::optional<Ip> address;  ///< only what concerns this local address
  std::size_t in_full{16};    ///< findings shown with evidence; of more, one of each code
};

[[nodiscard]] std::string render(const Snapshot& host, const Diagnosis& diagnosis,
                                 const DiagnosisView& view, const Style& style);

/// The table of doors alone: one line per round trip.
[[nodiscard]] std::string render_doors(const Snapshot& host, const Diagnosis& diagnosis,
                                       const DiagnosisView& view, const Style& style);

[[nodiscard]] Ink ink_of(DoorVerdict verdict);
/// "measured", "as told", "assumed".
[[nodiscard]] std::string_view known_words(SegmentsKnown known);

/// The rules tried for one lookup, one a line; runs of rules that did not match are counted.
[[nodiscard]] std::string render_steps(const Snapshot& host, const Lookup& lookup,
                                       std::size_t indent);

/// "8 NICs share 29.28.192.0/20, one segment (measured)".
[[nodiscard]] std::string subnet_line(const SharedSubnet& subnet);

}  // namespace retour
