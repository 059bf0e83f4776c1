// SPDX-License-Identifier: Apache-2.0
//
// Who else configures the network of this machine, by the traces that each leaves while it runs.
#pragma once

#include <string>
#include <vector>

namespace retour {

/// "systemd-networkd", "NetworkManager", "ifupdown", … of the initial namespace.
[[nodiscard]] std::vector<std::string> network_managers();

}  // namespace retour
