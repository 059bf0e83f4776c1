// SPDX-License-Identifier: Apache-2.0
//
// Several files below a root, such as / or an image's, that appear together or not at all: written
// beside their places and synced first, where a full disk and a read-only file system say so, and
// then renamed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/native.h"

namespace retour {

class FileTree {
 public:
  /// Nothing is in its place yet. A file that is there and not of retour's making is an error of
  /// kind `contradiction`, and nothing stays written. Links are made likewise. Directories are made
  /// where they are missing.
  [[nodiscard]] static Result<FileTree> stage(const std::string& root,
                                              std::span<const NativeFile> files);
  FileTree(FileTree&&) noexcept = default;
  FileTree& operator=(FileTree&&) = delete;
  /// What was not committed is taken away, with the directories that were made for it.
  ~FileTree();

  /// Durable when it returns.
  [[nodiscard]] Result<void> commit();

 private:
  FileTree() = default;
  struct Staged {
    std::string fresh, path, directory;
  };
  std::vector<Staged> staged_;
  std::vector<std::string> made_;  ///< directories
};

/// Of `files` below `root` those that are there and that retour made, whatever they say now; a
/// link that leads elsewhere is another's. Others are left and named in `left`. Gives back how many
/// went.
[[nodiscard]] Result<std::size_t> remove_made_by_retour(const std::string& root,
                                                        std::span<const NativeFile> files,
                                                        std::vector<std::string>& left);
/// Each of them is there and made by retour.
[[nodiscard]] bool all_made_by_retour(const std::string& root, std::span<const NativeFile> files);

}  // namespace retour
