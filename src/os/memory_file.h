// SPDX-License-Identifier: Apache-2.0
//
// The memory of changed sysctls as a JSON file on the machine's volatile file system: it must live
// as long as the namespace it speaks of, and no longer.
#pragma once

#include <string>

#include "os/netns.h"
#include "port/memory.h"

namespace retour {

class MemoryFile final : public Memory {
 public:
  /// BASE/KEY/conf.json; both directories are made when there is something to remember and removed,
  /// if empty, when there is not. The parent of `base` must exist.
  MemoryFile(std::string base, const std::string& key);

  [[nodiscard]] static std::string default_base() { return "/run/retour"; }
  /// One key a namespace: its cookie.
  [[nodiscard]] static std::string key_of(const Netns& netns);

  /// A file that cannot be read or understood is an error, never "nothing remembered": the values
  /// to restore would be lost.
  [[nodiscard]] Result<std::vector<ConfRecord>> load() override;
  [[nodiscard]] Result<void> store(std::span<const ConfRecord> records) override;

 private:
  std::string base_;
  std::string directory_;
  std::string path_;
};

}  // namespace retour
