// SPDX-License-Identifier: Apache-2.0
//
// The kernel's own decisions: RTM_GETROUTE for many flows, in batches of one system call each. What
// the model says is held against them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/answer.h"
#include "os/netlink.h"

namespace retour {

/// One answer a flow, in order; a route that the kernel refuses is an answer with an errno. An
/// error when the kernel did not answer, or not in a way that this program can read.
[[nodiscard]] Result<std::vector<Answer>> ask_kernel(NetlinkSocket& socket,
                                                     std::span<const Flow> flows);

/// RTM_F_FIB_MATCH: the entry that each flow matched; nothing where none did or the lookup failed.
[[nodiscard]] Result<std::vector<std::optional<Route>>> match_in_kernel(
    NetlinkSocket& socket, std::span<const Flow> flows);

}  // namespace retour
