// SPDX-License-Identifier: Apache-2.0
//
// The one door to the running kernel of one network namespace.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/answer.h"
#include "model/snapshot.h"
#include "plan/change.h"

namespace retour {

class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// Consistent: nothing changed while it was read, or an error of kind `changed`.
  [[nodiscard]] virtual Result<Snapshot> snapshot() = 0;

  /// One batch in the given order; a failing change does not stop later ones (netlink has no
  /// transaction). One element per change: absent = done, else what the kernel said to it.
  [[nodiscard]] virtual std::vector<std::optional<Error>> apply(
      std::span<const Change> changes) = 0;

  /// The kernel's own decision on each flow, in order; as_asked() says which flows it understands.
  [[nodiscard]] virtual Result<std::vector<Answer>> ask(std::span<const Flow> flows) = 0;
};

}  // namespace retour
