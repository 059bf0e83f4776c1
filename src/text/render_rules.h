// SPDX-License-Identifier: Apache-2.0
//
// The parts of an explanation as lines: the rules tried and what each table answered, the way back
// that the source was judged by, the gates, the changes that would lead elsewhere.
#pragma once

#include <span>

#include "diagnose/explanation.h"
#include "text/page.h"
#include "text/render_explanation.h"

namespace retour {

/// Many rules in a row that do not match are one line, and many routes that lost for one reason are
/// counted, unless `view` wants all. A table that several rules ask is shown once.
void print_rules(Page& page, const Snapshot& host, const Flow& seen, std::span<const Step> steps,
                 std::span<const TableAsked> tables, const ExplanationView& view);

/// The reverse lookup of the source check, if there was one.
void print_way_back(Page& page, const Snapshot& host, const Explanation& found,
                    const ExplanationView& view);
/// Rule, table and route that decided.
void print_decided_by(Page& page, const Snapshot& host, const Lookup& lookup);
/// The possible ways, where there are several.
void print_ways(Page& page, const Snapshot& host, const Lookup& lookup);
/// A word on why rules count for nothing yet, where that is so.
void print_merged(Page& page, const Snapshot& host, const Explanation& found);
/// Of a received packet.
void print_gates(Page& page, const Snapshot& host, const Lookup& lookup);
/// What the snapshot says it had to infer or could not hold; a few, unless `all` are wanted.
void print_notes(Page& page, const Snapshot& host, bool all);
void print_changes(Page& page, const Snapshot& host, const std::vector<Remedy>& remedies,
                   bool received);

}  // namespace retour
