// SPDX-License-Identifier: Apache-2.0
//
// Names of routing tables as iproute2 finds them, read again only when a file changed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/id.h"

namespace retour {

struct TableNamesRead {
  std::map<TableId, std::string> names;
  std::vector<std::string> notes;  ///< lines passed over
};

class TableNamesReader {
 public:
  /// `etc`: iproute2's directory of this namespace (/etc/iproute2, or below /etc/netns).
  /// `usr`: where a distribution puts its own, by preference.
  explicit TableNamesReader(std::string etc, std::vector<std::string> usr = {"/usr/share/iproute2",
                                                                             "/usr/lib/iproute2"});

  /// In iproute2's precedence: ETC/rt_tables, only without it USR/rt_tables; then
  /// USR/rt_tables.d/*.conf but for what ETC/rt_tables.d has under the same name; then that
  /// directory. A later name for an id wins. A missing file is no error, a bad line a note.
  [[nodiscard]] const TableNamesRead& read();

 private:
  std::string etc_;
  std::vector<std::string> usr_;
  std::vector<std::uint64_t> stamps_;  ///< of every file and directory looked at
  std::vector<std::string> files_;
  TableNamesRead last_;

  [[nodiscard]] std::vector<std::string> find_files() const;
  [[nodiscard]] std::vector<std::uint64_t> stamps_now() const;
};

}  // namespace retour
