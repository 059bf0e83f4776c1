// SPDX-License-Identifier: Apache-2.0
//
// Sysctls of a lab host: everything that decides anything starts from the kernel's own default,
// because a new namespace inherits the machine's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lab/lab.h"

namespace retour {

/// Before the host has NICs: defaults, the gates of the article, then those of the options that
/// exist by now. Gives back those that do not: keys of devices to come.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> set_host_sysctls(
    const LabOptions& options, const LabHost& host);

/// Every key must exist now.
[[nodiscard]] Result<void> set_device_sysctls(
    const LabHost& host, const std::vector<std::pair<std::string, std::string>>& sysctls);

[[nodiscard]] Result<void> silence_ipv6(const std::string& netns);

}  // namespace retour
