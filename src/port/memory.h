// SPDX-License-Identifier: Apache-2.0
//
// What the kernel cannot remember for us: the value a sysctl had before we changed it. Rules and
// routes carry our protocol number instead and need no memory. Keyed by network namespace.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "plan/conf_record.h"

namespace retour {

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  [[nodiscard]] virtual Result<std::vector<ConfRecord>> load() = 0;
  /// Durable when it returns (fsync); replaces what was remembered. Empty = forget everything.
  [[nodiscard]] virtual Result<void> store(std::span<const ConfRecord> records) = 0;
};

}  // namespace retour
