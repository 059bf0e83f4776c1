// SPDX-License-Identifier: Apache-2.0
//
// A plan carried out: before or after, nothing between. Every change that the kernel took is taken
// back when any is refused or when the host does not end as rehearsed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "port/kernel.h"
#include "port/memory.h"

namespace retour {

struct Applied {
  std::size_t changes{};  ///< how many the kernel took; 0 = nothing was to be done
  Snapshot after;         ///< re-read from the kernel
};

/// REQUIRES: !plan.refused. On error the host is as it was before, or the error says what could
/// not be taken back.
[[nodiscard]] Result<Applied> carry_out(const Plan& plan, const Policy& policy, Kernel& kernel,
                                        Memory& memory);

struct Undone {
  std::size_t changes{};
  bool complete{true};  ///< false: a sysctl of a NIC that is away is still remembered
  std::vector<std::string>
      left_alone;  ///< sysctls that someone else changed since, a sentence each
};

/// Removes every rule and route that carries our protocol number and puts back every sysctl that
/// still has the value we gave it.
[[nodiscard]] Result<Undone> undo(Kernel& kernel, Memory& memory);

}  // namespace retour
