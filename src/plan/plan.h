// SPDX-License-Identifier: Apache-2.0
//
// The cure as a value: ordered changes, what they do to every class of flow, and the proof that the
// host ends healthy. No finding, no change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/finding.h"
#include "model/policy.h"
#include "plan/change.h"
#include "plan/impact.h"

namespace retour {

struct PlannedTable {
  TableId id{};
  std::string name;  ///< safe for rt_tables: letters, digits, '-', '_', '.'
  IfIndex link{};
  friend bool operator==(const PlannedTable&, const PlannedTable&) = default;
};

struct Plan {
  std::vector<PlannedTable> tables;  ///< the tables in use after the plan, new and kept
  std::vector<Change> changes;
  Impact impact;
  Snapshot rehearsed;                  ///< the host after the changes, in the model
  Diagnosis after;                     ///< the model's own verdict on the rehearsed result
  std::optional<std::string> refused;  ///< a reason; nothing may be applied then
  std::string hint;                    ///< what the operator can do about that; often empty
  std::string fingerprint;             ///< of the host it was made for

  [[nodiscard]] bool pending() const { return !changes.empty(); }
};

/// REQUIRES: `found` is diagnose(now, policy). `connections` absent: nobody knows them.
[[nodiscard]] Plan plan(const Snapshot& now, const Policy& policy, const Diagnosis& found,
                        const Connections& connections = {});

/// Takes away everything that carries our protocol number. Sysctls are not part of it: their
/// original values are remembered outside the snapshot (port/memory.h).
[[nodiscard]] std::vector<Change> removal(const Snapshot& now);

}  // namespace retour
