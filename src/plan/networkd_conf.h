// SPDX-License-Identifier: Apache-2.0
//
// What systemd-networkd does to rules and routes that it did not make, as networkd.conf and its
// drop-ins say it (networkd.conf(5)).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace retour {

struct ConfigFile {
  std::string path;  ///< absolute
  std::string text;
  friend bool operator==(const ConfigFile&, const ConfigFile&) = default;
};

/// A yes or no, and the file that says so; empty: nobody does, it is the default.
struct NetworkdSwitch {
  bool value{true};
  std::string from;
};

struct NetworkdConf {
  NetworkdSwitch rules;      ///< ManageForeignRoutingPolicyRules=
  NetworkdSwitch routes;     ///< ManageForeignRoutes=
  NetworkdSwitch next_hops;  ///< ManageForeignNextHops=, of newer ones
};

/// Directories of systemd's configuration, the first before the next.
inline constexpr std::array<std::string_view, 5> systemd_directories{
    "/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"};

/// The effective values. Of several files of one name the one in the earlier directory counts; of
/// the main file likewise. Drop-ins come after it, by name, and the last word counts. What is no
/// yes or no is passed over, as systemd does.
[[nodiscard]] NetworkdConf read_networkd_conf(std::span<const ConfigFile> files);

}  // namespace retour
