// SPDX-License-Identifier: Apache-2.0
//
// Small files that are whole or absent, whatever stops the program or the machine.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace retour {

/// Nothing where there is no such file.
[[nodiscard]] Result<std::optional<std::string>> read_file(const std::string& path);

/// Replaces the file at once and for good: written beside it, synced, renamed, directory synced.
[[nodiscard]] Result<void> write_durably(const std::string& path, std::string_view content,
                                         mode_t mode);

/// Durable too, with what a write that was cut off left; a missing file is fine.
[[nodiscard]] Result<void> remove_durably(const std::string& path);
/// With its directory and that one's parent, unless others keep something there.
[[nodiscard]] Result<void> remove_durably(const std::string& path, const std::string& directory,
                                          const std::string& parent);

/// True when it had to be made. Its parent must be there.
[[nodiscard]] Result<bool> make_directory(const std::string& path, mode_t mode);

/// `parent`, then `path` in it; another process may be removing the parent, empty, meanwhile.
[[nodiscard]] Result<void> make_directories(const std::string& parent, const std::string& path,
                                            mode_t mode);

/// The names in it, as they are now, for good.
[[nodiscard]] Result<void> sync_directory(const std::string& path);

[[nodiscard]] Error file_error(std::string doing, int errnum);

}  // namespace retour
