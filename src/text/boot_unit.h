// SPDX-License-Identifier: Apache-2.0
//
// The systemd unit that plans and applies anew at each boot, after the NICs have their addresses
// and before anything that needs the network.
#pragma once

#include <string>
#include <vector>

#include "plan/native.h"

namespace retour {

inline constexpr const char* boot_unit_path = "/etc/systemd/system/retour.service";
inline constexpr const char* boot_unit_link =
    "/etc/systemd/system/multi-user.target.wants/retour.service";

/// The unit and the link that enables it. `program` is absolute; `arguments` as they are, without
/// any quoting.
[[nodiscard]] std::vector<NativeFile> boot_unit(const std::string& program,
                                                const std::vector<std::string>& arguments);

}  // namespace retour
