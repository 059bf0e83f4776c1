// SPDX-License-Identifier: Apache-2.0
//
// CLOCK_BOOTTIME.
#pragma once

#include <ctime>

#include "port/clock.h"

namespace retour {

class BootClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }
};

}  // namespace retour
