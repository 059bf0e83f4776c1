// SPDX-License-Identifier: Apache-2.0
//
// The way back from a transaction: after a failure, a kill or a deadline, by what the host is now
// and not by what is believed to have been done. Doing it twice, or after half of it, is the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/clock.h"
#include "port/journal.h"
#include "port/kernel.h"
#include "port/memory.h"
#include "port/table_names.h"

namespace retour {

/// All that a transaction touches, of one network namespace.
struct Ports {
  Kernel& kernel;
  Memory& memory;
  Journal& journal;
  TableNames& names;
};

struct RolledBack {
  std::size_t changes{};  ///< how many had to be taken back
  /// What cannot be as it was because others moved on (a link that is down takes no route), and
  /// names of tables that could not be written; a sentence each.
  std::vector<std::string> left_alone;
};

/// The host, the memory and the names as before `entry`; then the journal is cleared. On error the
/// journal stays: whoever comes next tries again. REQUIRES: the host lock is held.
[[nodiscard]] Result<RolledBack> roll_back(const JournalEntry& entry, const Ports& ports);

/// What the journal held when a verb that changes the host came to it.
struct Settled {
  std::optional<JournalEntry> waiting;    ///< to be confirmed, its deadline yet to come
  std::optional<RolledBack> rolled_back;  ///< an older transaction, by roll_back()
  std::string why;                        ///< it was: "was cut off", "was not confirmed in time"
};

/// Rolls back a transaction that was cut off or is past its deadline. REQUIRES: the host lock is
/// held: nobody is at work on it then.
[[nodiscard]] Result<Settled> settle(const Ports& ports, const Clock& clock);

/// Another try for as long as the host would not hold still, within reason.
[[nodiscard]] Result<Snapshot> read_patiently(Kernel& kernel);

}  // namespace retour
