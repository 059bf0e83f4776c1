// SPDX-License-Identifier: Apache-2.0
//
// Apply and undo as steps that the lab's demonstration takes, too.
#pragma once

#include "app/host.h"
#include "engine/transaction.h"
#include "plan/plan.h"

namespace retour {

struct Cure {
  Snapshot before;
  Plan plan;
  std::size_t changes{};
  std::string warning;  ///< what went wrong without mattering (names of tables)
};

/// Reads, diagnoses, plans and carries out. A refused plan is an error.
/// One at a time a host: both wait a little for another retour, then give up.
[[nodiscard]] Result<Cure> cure(LiveHost& host, const Policy& policy);
[[nodiscard]] Result<Undone> take_away(LiveHost& host);

}  // namespace retour
