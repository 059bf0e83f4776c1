// SPDX-License-Identifier: Apache-2.0
//
// Names for our tables where iproute2 looks for them (rt_tables.d). Cosmetic: a failure here is a
// warning and never stops a cure.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"

namespace retour {

class TableNames {
 public:
  TableNames() = default;
  TableNames(const TableNames&) = delete;
  TableNames& operator=(const TableNames&) = delete;
  virtual ~TableNames() = default;

  /// The names in our file, without their links; empty when there is none.
  [[nodiscard]] virtual Result<std::vector<PlannedTable>> load() = 0;
  /// Replaces our file with these names; empty removes the file and any directory made for it.
  [[nodiscard]] virtual Result<void> write(std::span<const PlannedTable> tables) = 0;
};

}  // namespace retour
