// SPDX-License-Identifier: Apache-2.0
//
// Names and numbers of the lab: host b is the article's host, host a is a peer of the same design,
// beyond eight NICs both go on by rule. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/lab.h"

namespace retour {

inline constexpr int lab_prefix_length = 20;
inline constexpr int lab_first_metric = 105;
inline constexpr int lab_management_metric = 104;
inline constexpr std::string_view lab_gateway = "192.168.0.1";

[[nodiscard]] Result<void> check_lab_name(const std::string& name);
/// "retour lab down --name x", for hints; the default name needs no saying.
[[nodiscard]] std::string lab_command(std::string_view verb, const std::string& name);
/// REQUIRES: the options are valid (lab_up() checks them).
[[nodiscard]] Lab design_lab(const LabOptions& options);
[[nodiscard]] std::string switch_netns(const std::string& name);
/// All of them, the switch first.
[[nodiscard]] std::vector<std::string> lab_namespaces(const Lab& lab);
[[nodiscard]] std::vector<LabHost> lab_hosts(const Lab& lab);

/// `ip -batch` text for the switch's namespace: switches, and cables to the hosts' NICs.
[[nodiscard]] std::string cabling(const Lab& lab);
/// The same namespace, once the hosts are up: with the ports the packets begin to flow.
[[nodiscard]] std::string power_on(const Lab& lab);
/// For a host's own namespace: addresses, the default route.
[[nodiscard]] std::string host_setup(const LabHost& host);

}  // namespace retour
