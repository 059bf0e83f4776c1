// SPDX-License-Identifier: Apache-2.0
//
// /proc/sys/net/ipv4/conf and, to read, net/ipv6/conf of one network namespace. The kernel resolves
// those paths by the namespace of whoever opens them; what is opened below a directory held open
// stays there.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/conf.h"
#include "model/conf6.h"
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
  /// The same of net.ipv6.conf.all.*.
  [[nodiscard]] Result<Conf6Values> read_all6();

  /// REQUIRES: `link_name` is a link's, as the kernel spells it. `all` and `default` are refused.
  [[nodiscard]] Result<void> write(const std::string& link_name, Conf conf, std::int32_t value);

 private:
  Fd directory_;
  int open_errno_{};
  Fd directory6_;
  int open_errno6_{};
  // Held open: a read costs a third of an open, and one snapshot takes all of them.
  std::array<Fd, conf_count> all_{};
  std::array<Fd, conf6_count> all6_{};
};

}  // namespace retour
