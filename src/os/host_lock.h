// SPDX-License-Identifier: Apache-2.0
//
// One retour at a time changes a host. The lock is an abstract unix socket: names of those belong
// to the network namespace, vanish with their owner however it ends, and leave no file behind.
#pragma once

#include <chrono>

#include "base/result.h"
#include "os/fd.h"

namespace retour {

class HostLock {
 public:
  /// In the caller's namespace. Waits for another holder up to `patience`; then an error of kind
  /// `changed` that says who holds it.
  [[nodiscard]] static Result<HostLock> take(std::chrono::milliseconds patience);

 private:
  explicit HostLock(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace retour
