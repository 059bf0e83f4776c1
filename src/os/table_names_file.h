// SPDX-License-Identifier: Apache-2.0
//
// Our file of table names below iproute2's rt_tables.d, and which one it is: several namespaces
// share /etc.
#pragma once

#include <optional>
#include <string>

#include "os/netns.h"
#include "port/table_names.h"

namespace retour {

struct TableNamesPlace {
  std::string directory;  ///< iproute2's configuration directory
  std::string stem;       ///< of the file below its rt_tables.d
};

/// The initial namespace has /etc/iproute2 to itself, a named one its own directory where
/// /etc/netns/NAME/iproute2 exists; any other shares /etc/iproute2 under a name of its own.
[[nodiscard]] TableNamesPlace table_names_place(const Netns& netns,
                                                const std::optional<std::string>& netns_name,
                                                const std::string& etc = "/etc");

class TableNamesFile final : public TableNames {
 public:
  explicit TableNamesFile(TableNamesPlace place);

  [[nodiscard]] Result<std::vector<PlannedTable>> load() override;
  /// Writes only what differs. A file at our path that is not ours is an error and stays; only
  /// directories made here are removed again, and only when empty.
  [[nodiscard]] Result<void> write(std::span<const PlannedTable> tables) override;

 private:
  /// The file's text; one that is not ours is an error.
  [[nodiscard]] Result<std::optional<std::string>> read() const;
  [[nodiscard]] Result<void> remove(const std::optional<std::string>& present);

  std::string root_;
  std::string directory_;
  std::string path_;
};

}  // namespace retour
