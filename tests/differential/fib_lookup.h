// SPDX-License-Identifier: Apache-2.0
//
// NETLINK_FIB_LOOKUP, the second oracle: one table of the kernel asked for one address, below the
// rules. Each step of an explanation that looked into a table is held against it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "model/lookup.h"
#include "model/snapshot.h"
#include "os/fd.h"

namespace retour::differential {

class FibLookup {
 public:
  [[nodiscard]] static Result<FibLookup> open();

  /// What a step of the IPv4 lookup, or of the one that judged its source, says otherwise than the
  /// kernel's table; empty when nothing. `checked` counts the steps that could be asked for: the
  /// kernel's question has room for tables below 256, and none for an output device.
  [[nodiscard]] Result<std::string> difference(const Snapshot& snapshot, const Lookup& lookup,
                                               std::uint64_t& checked) const;

 private:
  [[nodiscard]] Result<std::string> difference(const Snapshot& snapshot, const Flow& flow,
                                               const std::vector<Step>& steps, int errnum,
                                               std::uint64_t& checked) const;
  explicit FibLookup(Fd fd) : fd_(std::move(fd)) {}
  struct Found;
  [[nodiscard]] Result<Found> ask(const Flow& flow, TableId table) const;

  Fd fd_;
};

}  // namespace retour::differential
