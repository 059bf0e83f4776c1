// SPDX-License-Identifier: Apache-2.0
//
// The bits of the kernel that no dump shows and that decide all the same, found out by asking for
// routes whose answer depends on them.
#pragma once

#include "model/snapshot.h"
#include "os/netlink.h"

namespace retour {

/// Fills in `snapshot.hidden` as far as the host lets itself be asked. REQUIRES: rules, routes,
/// addresses, links and sysctls are read.
void read_hidden(NetlinkSocket& socket, Snapshot& snapshot);

}  // namespace retour
