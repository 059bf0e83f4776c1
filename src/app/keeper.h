// SPDX-License-Identifier: Apache-2.0
//
// The keeper: a process of its own that takes a transaction back when the retour that makes it is
// killed, or when its deadline comes and nobody has confirmed it.
#pragma once

#include "app/host.h"
#include "os/detached.h"

namespace retour {

/// Before the journal has the entry `id`. It ends by itself when the entry is gone.
[[nodiscard]] Result<DetachedProcess> start_keeper(const LiveHost& host, std::uint64_t id);

}  // namespace retour
