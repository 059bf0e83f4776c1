// SPDX-License-Identifier: Apache-2.0
//
// The host one cannot log in to: a Snapshot from what `ip` and `sysctl -a` printed there, as text
// (iproute2 4.x to 7.x) or as `ip -j`. What had to be inferred, or could not be represented, is
// said in Snapshot::notes; what cannot be understood is an error that names file, line and word.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/snapshot.h"

namespace retour {

struct NamedText {
  std::string file;  ///< for messages
  std::string text;
};

/// `ip route show table TABLE`: the output does not say the table.
struct TableText {
  std::string table;  ///< name or number
  NamedText routes;
};

/// Each of addr … nexthop: plain text, or JSON when the first non-blank character is '['. Outputs
/// of several commands (`ip route; ip -6 route`) may follow one another.
struct ImportTexts {
  std::optional<NamedText> addr;   ///< `ip [-d] [-o] addr`
  std::optional<NamedText> link;   ///< `ip [-d] link`
  std::optional<NamedText> route;  ///< `ip [-d] [-6] route [show table all]`
  std::vector<TableText> route_tables;
  std::optional<NamedText> rule;       ///< `ip [-d] [-6] rule`
  std::optional<NamedText> neigh;      ///< `ip neigh`
  std::optional<NamedText> nexthop;    ///< `ip [-d] nexthop`
  std::optional<NamedText> rt_tables;  ///< /etc/iproute2/rt_tables
  std::optional<NamedText> sysctl;     ///< `sysctl -a`
};

/// Errors: parse, contradiction. Without `addr` and `link`, links and addresses are inferred from
/// the routes; without `rule`, the kernel's default rules are taken.
[[nodiscard]] Result<Snapshot> import_texts(const ImportTexts& texts);

/// `ID NAME` lines, decimal or 0x; the last line of an id wins, as in iproute2.
[[nodiscard]] Result<std::map<TableId, std::string>> read_rt_tables(const NamedText& input);

}  // namespace retour
