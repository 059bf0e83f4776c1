// SPDX-License-Identifier: Apache-2.0
//
// The traces that programs which configure the network leave in the file system and among the
// processes of this machine; plan/managers.h says what they mean.
#pragma once

#include <string>

#include "plan/managers.h"

namespace retour {

/// Below `root`, another / to look in. Processes of other network namespaces are left out, where
/// that can be seen. What cannot be looked at is not there.
[[nodiscard]] ManagerTraces look_for_managers(const std::string& root = "");

}  // namespace retour
