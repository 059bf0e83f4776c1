// SPDX-License-Identifier: Apache-2.0
//
// A transaction on its way, as it is written down before the first message: enough for another
// process to leave the host as it was before.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/change.h"
#include "plan/conf_record.h"
#include "plan/plan.h"

namespace retour {

struct JournalEntry {
  enum class Phase : std::uint8_t {
    applying,  ///< begun: whoever finds this and holds the host lock finds a transaction cut off
    awaiting,  ///< carried out and verified; taken back at `deadline` unless confirmed
  };
  std::uint64_t id{};  ///< random: one a transaction
  Phase phase{Phase::applying};
  std::chrono::nanoseconds deadline{};  ///< CLOCK_BOOTTIME; of an awaiting one
  std::vector<Change> changes;          ///< in the order they were to be made
  std::vector<ConfRecord> records_before;
  /// Names of our tables before; absent: they could not be read, and are not touched.
  std::optional<std::vector<PlannedTable>> tables_before;
};

}  // namespace retour
