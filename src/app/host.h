// SPDX-License-Identifier: Apache-2.0
//
// The host a verb works on: live, in this or a named namespace, or a snapshot from a file.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/options.h"
#include "diagnose/finding.h"
#include "engine/recover.h"
#include "model/policy.h"
#include "os/boot_clock.h"
#include "os/host_lock.h"
#include "os/journal_file.h"
#include "os/kernel_netlink.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "os/table_names_file.h"

namespace retour {

/// A live host: everything was opened in its namespace and stays there.
struct LiveHost {
  std::string name;  ///< of the namespace; empty for the caller's
  Netns netns;
  std::unique_ptr<NetlinkKernel> kernel;
  std::unique_ptr<MemoryFile> memory;
  std::unique_ptr<JournalFile> journal;
  std::unique_ptr<TableNamesFile> table_names;

  [[nodiscard]] static Result<LiveHost> open(const std::string& netns);
  /// The same of a namespace that is held open already; `name` as it was opened by.
  [[nodiscard]] static Result<LiveHost> open(Netns where, const std::string& name);
  [[nodiscard]] Ports ports() const { return {*kernel, *memory, *journal, *table_names}; }
  /// Held while the host is being changed.
  [[nodiscard]] Result<HostLock> lock() const;
  /// Consistent, and named after the namespace where it has a name.
  [[nodiscard]] Result<Snapshot> snapshot();
  /// The same with the segments of shared subnets measured, when that is allowed and asked for.
  /// Not measured where CAP_NET_RAW is missing.
  [[nodiscard]] Result<Snapshot> snapshot_with_segments(SegmentsFrom from);
};

/// The journal of a namespace, without opening anything there.
[[nodiscard]] std::unique_ptr<JournalFile> journal_of(const Netns& netns);

/// For verbs that only read: --snapshot FILE ("-" = stdin) or the live host.
[[nodiscard]] Result<Snapshot> read_host(const Options& options, const Policy& policy);

/// A snapshot that no host can be (no link, no address, no rule) is a partial read: an error.
[[nodiscard]] Result<void> check_whole(const Snapshot& host, const std::string& source);

/// The whole file, or stdin for "-". Errors name it.
[[nodiscard]] Result<std::string> read_input(const std::string& path);

}  // namespace retour
