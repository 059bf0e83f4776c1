// SPDX-License-Identifier: Apache-2.0
//
// A change that is made again at boot: files below /etc, checked before the host is touched and in
// their places once the change is committed.
#pragma once

#include <string>
#include <vector>

#include "app/options.h"
#include "os/file_tree.h"
#include "plan/managers.h"

namespace retour {

class Persistence {
 public:
  /// Nothing is in its place yet. `root`: of an image; empty: this machine, which systemd must have
  /// started. An error leaves all as it was.
  [[nodiscard]] static Result<Persistence> prepare(const Options& options, const std::string& root);
  /// The paths that are there now. REQUIRES: the change is committed.
  [[nodiscard]] Result<std::vector<std::string>> finish();
  /// What whoever relies on it must know or do, a sentence each.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit Persistence(FileTree tree) : tree_(std::move(tree)) {}
  FileTree tree_;
  std::vector<std::string> paths_, notes_;
};

/// The unit is there and enabled.
[[nodiscard]] bool is_persisted(const std::string& root);

/// Takes away what prepare() and finish() made, now or ever. Gives back how many files went; what
/// is another's at our paths is named in `left`.
[[nodiscard]] Result<std::size_t> remove_persistence(const std::string& root,
                                                     std::vector<std::string>& left);

}  // namespace retour
