// SPDX-License-Identifier: Apache-2.0
//
// The time that deadlines are told in.
#pragma once

#include <chrono>

namespace retour {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// CLOCK_BOOTTIME: since the machine started, sleep included; the same in every process, and
  /// nobody can set it.
  [[nodiscard]] virtual std::chrono::nanoseconds since_boot() const = 0;
};

}  // namespace retour
