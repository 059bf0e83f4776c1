// SPDX-License-Identifier: Apache-2.0
//
// A Snapshot as a JSON document that people can read and write, and back, bit for bit. Numbers with
// a kernel word are that word; what is zero, empty or unset is left out. Link names and other
// strings may hold any byte: they stand in the document as escape() of text/printable.h writes
// them, `\xNN` for a byte and `\\` for a backslash.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/snapshot.h"

namespace retour {

inline constexpr std::string_view snapshot_schema = "retour.snapshot/1";

/// REQUIRES for the round trip: the snapshot is consistent (see contradiction_in()).
[[nodiscard]] std::string to_json(const Snapshot& snapshot);

/// Links may come in any order and are sorted. Errors: parse (malformed, wrong type, out of range,
/// unknown field), schema (another version), contradiction. `file` is for messages.
[[nodiscard]] Result<Snapshot> snapshot_from_json(std::string_view text, std::string_view file);

/// What no host can be: two links of one name, an address on a link that is not there, rules out of
/// order, … `file` is for the message. Result without error: consistent.
[[nodiscard]] Result<void> contradiction_in(const Snapshot& snapshot, std::string_view file);

}  // namespace retour
