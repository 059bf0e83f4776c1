// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <string>

#include "base/result.h"

namespace retour {

/// A packet or raw socket that failed; names CAP_NET_RAW when that is what is missing.
[[nodiscard]] Error wire_error(std::string doing, int errnum = errno);

}  // namespace retour
