// SPDX-License-Identifier: Apache-2.0
//
// The transaction under way, where another process finds it when this one was killed. One at a time
// for each network namespace; only the holder of the host lock writes.
#pragma once

#include <optional>

#include "base/result.h"
#include "plan/journal_entry.h"

namespace retour {

class Journal {
 public:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  virtual ~Journal() = default;

  /// Absent: no transaction is under way. What cannot be read or understood is an error, never
  /// "none": the way back would be lost.
  [[nodiscard]] virtual Result<std::optional<JournalEntry>> load() = 0;
  /// Durable when it returns (fsync); replaces the entry.
  [[nodiscard]] virtual Result<void> store(const JournalEntry& entry) = 0;
  /// Durable too; none there is fine. The point of no return of a transaction.
  [[nodiscard]] virtual Result<void> clear() = 0;
};

}  // namespace retour
