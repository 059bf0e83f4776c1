// SPDX-License-Identifier: Apache-2.0
//
// Everything about one host that decides where a packet goes, at one instant. A value: read from
// the kernel, from JSON or from pasted text; rehearsed upon; never partial without saying so.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/objects.h"
#include "model/rule.h"

namespace retour {

/// State of the kernel that no dump shows and that decides all the same (sticky per namespace).
struct HiddenBits {
  /// A rule was ever added or deleted: local and main are separate tries and rules are consulted.
  std::optional<bool> custom_rules_v4;
  /// A route of type local was ever added by hand.
  std::optional<bool> custom_local_routes_v4;
  /// A rule was ever added: rules are consulted, not just local and then main.
  std::optional<bool> custom_rules_v6;
  friend bool operator==(const HiddenBits&, const HiddenBits&) = default;
};

/// A kernel's release, as far as decisions differ by it.
struct Release {
  int major{};
  int minor{};
  friend constexpr auto operator<=>(const Release&, const Release&) = default;
};

/// Links that hear each other's broadcasts (one broadcast domain).
using Segment = std::vector<IfIndex>;

struct Snapshot {
  std::string host;                ///< the host's name, empty if unknown
  std::string kernel;              ///< `uname -r`, empty if unknown
  std::string source;              ///< how it was read: "netlink", "import", "lab", …
  std::vector<Link> links;         ///< by index
  std::vector<Address> addresses;  ///< in the kernel's list order within a link and family
  std::vector<Neighbor> neighbors;
  std::vector<Route> routes;  ///< all tables; order inside one prefix is the lookup order
  std::vector<Rule> rules;    ///< per family in the order the kernel tries them
  std::vector<NextHopObject> nexthops;
  ConfValues conf_all;    ///< net.ipv4.conf.all.*
  Conf6Values conf6_all;  ///< net.ipv6.conf.all.*
  HiddenBits hidden;
  /// IPv4 groups joined; absent = the kernel does not tell them (before 6.15), nor does text.
  std::optional<std::vector<Membership>> groups;
  /// `ip addrlabel`, in the order the kernel tries them; absent = the table it starts with.
  std::optional<std::vector<AddressLabel>> address_labels;
  std::map<TableId, std::string> table_names;  ///< from rt_tables; cosmetic
  /// Measured on the wire; absent = nobody looked.
  std::optional<std::vector<Segment>> segments;
  /// What a reader had to infer or could not represent, one sentence each.
  std::vector<std::string> notes;

  [[nodiscard]] const Link* link(IfIndex index) const;
  [[nodiscard]] const Link* link(std::string_view name) const;
  /// "enp1s0" or, when the index is unknown, "#7".
  [[nodiscard]] std::string link_name(IfIndex index) const;
  /// An IPv4 sysctl as the kernel combines it for this link; of an unknown link, from `all` alone.
  [[nodiscard]] EffectiveConf effective(IfIndex index, Conf conf) const;
  /// The same of IPv6.
  [[nodiscard]] EffectiveConf effective(IfIndex index, Conf6 conf) const;
  /// What is known of a neighbour, proxy entries aside; nullptr = nothing.
  [[nodiscard]] const Neighbor* neighbor(IfIndex index, const Ip& ip) const;
  /// Of `kernel`; 0.0, older than all, when it is not told.
  [[nodiscard]] Release release() const;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

}  // namespace retour
