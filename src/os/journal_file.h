// SPDX-License-Identifier: Apache-2.0
//
// The journal as a file beside the memory of sysctls, on the machine's volatile file system: what
// it speaks of does not survive a reboot, nor must it.
#pragma once

#include <string>
#include <string_view>

#include "port/journal.h"

namespace retour {

/// How an entry is written; of a layer that this one does not see.
struct JournalFormat {
  std::string (*write)(const JournalEntry& entry);
  Result<JournalEntry> (*read)(std::string_view text, std::string_view file);
};

class JournalFile final : public Journal {
 public:
  /// BASE/KEY/journal.json, made when there is something to write down, removed with its
  /// directories (if empty) when there is not. `key` is MemoryFile's. The parent of `base` must
  /// exist.
  JournalFile(std::string base, const std::string& key, JournalFormat format);

  /// An entry of another boot (a /run that survived) speaks of what is gone: none.
  [[nodiscard]] Result<std::optional<JournalEntry>> load() override;
  [[nodiscard]] Result<void> store(const JournalEntry& entry) override;
  [[nodiscard]] Result<void> clear() override;

 private:
  std::string base_;
  std::string directory_;
  std::string path_;
  JournalFormat format_;
};

}  // namespace retour
