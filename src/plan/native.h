// SPDX-License-Identifier: Apache-2.0
//
// What retour owns after a plan, NIC by NIC: what the configuration of another program must hold to
// make the same host. And what such a configuration is: files.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plan/conf_record.h"
#include "plan/plan.h"

namespace retour {

struct NativeConf {
  Conf conf{};
  std::int32_t value{};
};

struct NativeLink {
  Link link;
  std::vector<Address> addresses;  ///< global ones, in the kernel's order
  /// Routes of the main table by this NIC that somebody configured (protocol boot or static).
  std::vector<Route> main;
  std::vector<Route> routes;  ///< ours
  std::vector<Rule> rules;    ///< ours; one that serves several NICs stands with each of them
  std::vector<NativeConf> confs;
};

struct Native {
  std::vector<PlannedTable> tables;
  std::vector<NativeLink> links;  ///< those with a rule, a route or a sysctl of ours
  std::vector<Rule> rules;        ///< all of ours, once, in the kernel's order
  std::vector<Route> routes;      ///< all of ours
  Snapshot host;                  ///< as rehearsed: names for all of it
  bool present{};                 ///< some of it is in the kernel now, made by retour

  [[nodiscard]] bool empty() const { return links.empty() && rules.empty() && routes.empty(); }
};

/// `remembered`: sysctls that have our value already (port/memory.h).
/// REQUIRES: !plan.refused; `plan` is of `now`.
[[nodiscard]] Native native(const Snapshot& now, const Plan& plan,
                            std::span<const ConfRecord> remembered);

/// The line by which a file is known to be ours; scripts have it second, below "#!".
inline constexpr std::string_view made_by_retour = "# made by retour";

/// The mode of a symbolic link (S_IFLNK).
inline constexpr unsigned symbolic_link = 0120000;

struct NativeFile {
  std::string path;     ///< absolute, below the root of the host it is for
  unsigned mode{0644};  ///< permissions, or symbolic_link
  std::string text;     ///< of a link: where it leads
  friend bool operator==(const NativeFile&, const NativeFile&) = default;
};

/// The first or second line says that retour made it.
[[nodiscard]] bool is_made_by_retour(std::string_view text);

struct Export {
  std::vector<NativeFile> files;
  std::vector<std::string> notes;  ///< what whoever installs them must know, a sentence each
};

}  // namespace retour
