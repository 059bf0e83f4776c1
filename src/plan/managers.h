// SPDX-License-Identifier: Apache-2.0
//
// Who else configures the network of a host, what that does to rules and routes of ours, and what
// keeps ours.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/snapshot.h"
#include "plan/native.h"
#include "plan/networkd_conf.h"

namespace retour {

/// What was found in the file system and among the processes.
struct ManagerTraces {
  std::set<std::string> paths;      ///< of manager_paths(), as found
  std::set<std::string> processes;  ///< /proc/PID/comm: at most 15 bytes
  std::vector<ConfigFile> networkd;
};

/// Patterns of glob(7), below the root.
[[nodiscard]] std::vector<std::string_view> manager_paths();

struct Configurator {
  std::string name;      ///< as its project writes it
  bool running{};        ///< else it is only configured or installed, or was seen by its rules
  std::string evidence;  ///< "process systemd-network", "/etc/netplan/50.yaml", "rule 5210"
  std::string effect;    ///< what it does to ours, a sentence
  bool removes{};        ///< ours go sooner or later, unless the drop-in is there
  std::vector<std::pair<std::string, std::string>> settings{};  ///< effective; "yes (default)"
  std::optional<NativeFile> drop_in{};                          ///< that would stop it
  std::string then{};                                           ///< what makes the drop-in count
};

/// By name. Of a snapshot alone, without traces, those that rules and links tell.
[[nodiscard]] std::vector<Configurator> managers(const ManagerTraces& traces, const Snapshot& host);

/// Where the drop-in for systemd-networkd goes.
inline constexpr const char* networkd_drop_in_path = "/etc/systemd/networkd.conf.d/50-retour.conf";

}  // namespace retour
