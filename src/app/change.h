// SPDX-License-Identifier: Apache-2.0
//
// Apply, undo and what belongs to them as steps that the lab's demonstration takes, too.
#pragma once

#include "app/host.h"
#include "app/policy_file.h"
#include "engine/transaction.h"
#include "plan/plan.h"

namespace retour {

struct Cure {
  Snapshot before;
  Plan plan;
  std::size_t changes{};
  std::string warning;  ///< what went wrong without mattering (names of tables)
  std::string probed;   ///< what the gate saw, a sentence; empty without one
  std::optional<std::chrono::seconds> confirm_within;  ///< it is taken back then, unless confirmed
};

struct ApplyTerms {
  std::optional<std::chrono::seconds> confirm_within;
  bool probe{};        ///< measured reachability decides: nobody who answered may fall silent
  std::string expect;  ///< the fingerprint of the host; empty: whatever it is
};

/// Reads, diagnoses, plans and carries out. A refused plan is an error, and so is a change that
/// waits to be confirmed. A host that changes between is planned for again, three times at most.
/// One at a time a host: all of these wait a little for another retour, then give up. What an older
/// one left half done is taken back first, with a warning.
[[nodiscard]] Result<Cure> cure(LiveHost& host, const PolicyText& policy, const ApplyTerms& terms,
                                const Console& console);
[[nodiscard]] Result<Undone> take_away(LiveHost& host, const Console& console);

/// Whether a change was waiting.
[[nodiscard]] Result<bool> confirm(LiveHost& host, const Console& console);
/// Absent: no change was waiting, and none was cut off.
[[nodiscard]] Result<std::optional<RolledBack>> take_back(LiveHost& host, const Console& console);

/// "in 57 s, at 22:41:07".
[[nodiscard]] std::string when(std::chrono::nanoseconds deadline);

}  // namespace retour
