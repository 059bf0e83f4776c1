// SPDX-License-Identifier: Apache-2.0
//
// The TCP connections that a host has open.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/connection.h"

namespace retour {

class OpenConnections {
 public:
  OpenConnections() = default;
  OpenConnections(const OpenConnections&) = delete;
  OpenConnections& operator=(const OpenConnections&) = delete;
  virtual ~OpenConnections() = default;

  /// Those that still have something to send: being opened, established, being closed; not what
  /// only listens or waits for stray packets (TIME_WAIT).
  [[nodiscard]] virtual Result<std::vector<Connection>> list() = 0;
};

}  // namespace retour
