// SPDX-License-Identifier: Apache-2.0
//
// What retour owns after a plan, as the configuration of the program that owns the network of the
// host. One function a program; each writes what that program can say and declines the rest with
// the reason: a configuration that is nearly the plan is another plan.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/native.h"

namespace retour {

/// The .network file that systemd-networkd says it uses for a link; absent where it says none.
using NetworkFiles = std::map<IfIndex, std::string>;

/// All of them: an error of kind `contradiction` where the program has no words for the plan.
/// REQUIRES: !all.empty().

/// An `ip -batch` file for each family, sysctl.d, rt_tables.d. Protocol 213 as `apply` has it.
[[nodiscard]] Result<Export> export_iproute2(const Native& all);
/// A drop-in for each .network file in use, a file of its own for a link that has none, sysctl.d.
[[nodiscard]] Result<Export> export_networkd(const Native& all, const NetworkFiles& in_use);
/// A keyfile for each NIC, complete, and sysctl.d.
[[nodiscard]] Result<Export> export_networkmanager(const Native& all);
/// One YAML file that adds to what there is; what netplan cannot say goes beside it, into drop-ins
/// for systemd-networkd.
[[nodiscard]] Result<Export> export_netplan(const Native& all);
/// Scripts in if-up.d and if-down.d.
[[nodiscard]] Result<Export> export_ifupdown(const Native& all);

/// The files one after the other, each under a line that names its path and mode.
[[nodiscard]] std::string render(const Export& files);
/// retour.export/1
[[nodiscard]] std::string json_export(const Snapshot& host, std::string_view format,
                                      const Export& files);

}  // namespace retour
