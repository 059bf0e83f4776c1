// SPDX-License-Identifier: Apache-2.0
//
// What is measured. Each function runs inside the host's namespace and leaves the host as it was.
#pragma once

#include "bench/harness.h"
#include "bench/host.h"

namespace retour::bench {

/// The whole host into a Snapshot, against the same dumps undecoded and five processes of `ip -j`.
[[nodiscard]] Result<Outcome> read_host(const BenchHost& host, int rounds);

/// One rule and two routes for each NIC, each change answered for, against one prebuilt sendmsg and
/// `ip -batch` net of its start; taken back between the runs, outside the time.
[[nodiscard]] Result<Outcome> apply_cure(const BenchHost& host, int rounds);

/// `retour diagnose` from fork to exit with the given extra arguments, against /bin/true and
/// `ip route get` once for each address.
[[nodiscard]] Result<Outcome> cold_diagnose(const BenchHost& host, int rounds,
                                            const std::string& name,
                                            const std::vector<std::string>& extra);

/// One decision of the model on the cured host, against a table of ranges for the same sources and
/// prefixes, and the kernel asked over netlink in batches. The sources' rules are resolved
/// beforehand, or `walk`ed each time.
[[nodiscard]] Result<Outcome> lookup(const BenchHost& host, int rounds, bool walk);

/// 100,000 routes and 1,000 rules made ready for lookup, against sorting the prefixes alone.
[[nodiscard]] Result<Outcome> load(int rounds);

}  // namespace retour::bench
