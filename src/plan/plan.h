// SPDX-License-Identifier: Apache-2.0
//
// The cure as a value: ordered changes, what they do to every class of flow, and the proof that the
// host ends healthy. No finding, no change.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/finding.h"
#include "plan/change.h"

namespace retour {

struct PlannedTable {
  TableId id{};
  std::string name;  ///< safe for rt_tables: letters, digits, '-', '_', '.'
  IfIndex link{};
};

/// One class of flows (a source and a range of destinations no prefix in play tells apart) whose
/// path differs before and after.
struct PathChange {
  std::optional<Ip> source;  ///< absent: unbound sockets
  Ip first{}, last{};        ///< destinations, inclusive
  Lookup before, after;
  bool expected{};  ///< a flow that is being cured
};

struct Impact {
  std::vector<PathChange> changed;
  std::size_t classes{};  ///< how many source × destination classes were compared
};

struct Plan {
  std::vector<PlannedTable> tables;  ///< the tables in use after the plan, new and kept
  std::vector<Change> changes;
  Impact impact;
  Diagnosis after;                     ///< the model's own verdict on the rehearsed result
  std::optional<std::string> refused;  ///< a reason; nothing may be applied then

  [[nodiscard]] bool pending() const { return !changes.empty(); }
};

}  // namespace retour
