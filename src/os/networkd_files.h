// SPDX-License-Identifier: Apache-2.0
//
// Which .network file systemd-networkd uses for which link, by the state it keeps in /run.
#pragma once

#include <map>
#include <string>

#include "base/id.h"

namespace retour {

/// Of the links it has one for; empty where it does not run. `root`: another / to look in.
[[nodiscard]] std::map<IfIndex, std::string> networkd_files(const std::string& root = "");

}  // namespace retour
