// SPDX-License-Identifier: Apache-2.0
//
// A plan carried out: before or after, nothing between. What is to be done is journalled first;
// when any change is refused or the host does not end as rehearsed, everything is taken back, and
// when this process is killed, whoever reads the journal next takes it back.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/recover.h"
#include "plan/plan.h"

namespace retour {

struct Terms {
  std::uint64_t id{};  ///< of the journal entry; a keeper looks for it
  std::optional<std::chrono::seconds> confirm_within;
  const Clock* clock{};  ///< REQUIRED with confirm_within
  /// Asked when the host is as rehearsed, before the commit; an error takes everything back.
  std::function<Result<void>()> gate;
};

/// Right before carry_out(): an error of kind `changed` where the host is not the one that was
/// planned for; plan again then.
[[nodiscard]] Result<void> still_as_planned(const Plan& plan, Kernel& kernel);

struct Applied {
  std::size_t changes{};  ///< how many the kernel took; 0 = nothing was to be done
  Snapshot after;         ///< re-read from the kernel
  std::optional<std::chrono::nanoseconds> deadline;  ///< to be confirmed until then
  std::optional<Error> names;  ///< names of tables could not be written: nothing else is lost
};

/// REQUIRES: !plan.refused, and the journal is empty. On error the host is as it was before, or the
/// error says what could not be taken back, and the journal stays for the next try.
[[nodiscard]] Result<Applied> carry_out(const Plan& plan, const Policy& policy, const Ports& ports,
                                        const Terms& terms);

struct Undone {
  std::size_t changes{};
  bool complete{true};  ///< false: a sysctl of a NIC that is away is still remembered
  std::vector<std::string>
      left_alone;  ///< sysctls that someone else changed since, and names, a sentence each
};

/// Removes every rule and route that carries our protocol number and puts back every sysctl that
/// still has the value we gave it: a transaction, too. REQUIRES: the journal is empty.
[[nodiscard]] Result<Undone> undo(const Ports& ports, const Terms& terms);

}  // namespace retour
