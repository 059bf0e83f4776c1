// SPDX-License-Identifier: Apache-2.0
//
// A process that outlives its maker, the maker's terminal and its session, and notices the maker's
// end.
#pragma once

#include <functional>

#include "base/result.h"
#include "os/fd.h"

namespace retour {

/// The maker's end of the line: closed when this is destroyed, or when the maker is killed.
class DetachedProcess {
 public:
  /// Runs `body` in a process of a session of its own, in /, without any file of ours open (stdin,
  /// stdout and stderr are /dev/null) and deaf to SIGHUP, SIGINT, SIGQUIT, SIGTERM and SIGPIPE. It
  /// exists and is detached when this returns. `body` gets its end of the line, which reads a byte
  /// when it is dismissed and end-of-file when the maker is gone; `before` runs first, while files
  /// are still open, and its error is returned. REQUIRES: the maker has one thread.
  [[nodiscard]] static Result<DetachedProcess> start(const std::function<Result<void>()>& before,
                                                     const std::function<void(int line)>& body);
  /// Tells it that there is nothing left to watch over.
  void dismiss();

 private:
  explicit DetachedProcess(Fd line) : line_(std::move(line)) {}
  Fd line_;
};

}  // namespace retour
