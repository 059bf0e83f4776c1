// SPDX-License-Identifier: Apache-2.0
//
// A journal entry as a JSON document and back: its rules and routes are a snapshot document's, by
// the index of links, for names may change until it is read.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/journal_entry.h"

namespace retour {

inline constexpr std::string_view journal_schema = "retour.journal/1";

[[nodiscard]] std::string to_json(const JournalEntry& entry);

/// Errors: parse (malformed, a field missing, unknown or out of range), schema (another version).
/// `file` is for messages.
[[nodiscard]] Result<JournalEntry> journal_from_json(std::string_view text, std::string_view file);

}  // namespace retour
