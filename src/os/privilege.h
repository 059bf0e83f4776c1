// SPDX-License-Identifier: Apache-2.0
//
// What this process may do, asked before anything is begun rather than found out midway.
#pragma once

#include "base/result.h"

namespace retour {

/// An error of kind permission that names the capability, unless CAP_NET_ADMIN is effective.
[[nodiscard]] Result<void> require_net_admin();

}  // namespace retour
