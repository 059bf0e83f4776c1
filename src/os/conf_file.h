// SPDX-License-Identifier: Apache-2.0
//
// /proc/sys/net/ipv4/conf of one network namespace. The kernel resolves that path by the namespace
// of whoever opens it; what is opened below a directory held open stays there.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/conf.h"
#include "os/fd.h"

namespace retour {

class ConfDirectory {
 public:
  /// In the caller's namespace. Not an error where /proc/sys cannot be opened: reading then gives
  /// a note, writing the error.
  ConfDirectory();

  /// net.ipv4.conf.all.*; a key this kernel does not have is absent. The error is a note to whoever
  /// reads: no value is known.
  [[nodiscard]] Result<ConfValues> read_all();

  /// REQUIRES: `link_name` is a link's, as the kernel spells it. `all` and `default` are refused.
  [[nodiscard]] Result<void> write(const std::string& link_name, Conf conf, std::int32_t value);

 private:
  Fd directory_;
  int open_errno_{};
  // Held open: a read costs a third of an open, and one snapshot takes seventeen.
  std::array<Fd, conf_count> all_{};
};

}  // namespace retour
