// SPDX-License-Identifier: Apache-2.0
//
// Verify as a step that the lab's demonstration takes, too.
#pragma once

#include <chrono>
#include <optional>

#include "app/options.h"
#include "model/observation.h"
#include "model/snapshot.h"

namespace retour {

struct ProofRequest {
  std::string netns;       ///< empty: the caller's
  std::string peer_netns;  ///< empty: the far end is not watched
  std::vector<Ip> peers;
  std::chrono::milliseconds timeout{3000};
  bool arp{true};  ///< ask by ARP, too
};

struct ProofResult {
  Snapshot here;
  std::optional<Snapshot> there;
  Verification verification;
  std::uint64_t frames_missed{};
};

[[nodiscard]] Result<ProofResult> prove(const ProofRequest& request, const Console& console);

/// Ctrl-C was pressed: a probe then ends with what it has.
[[nodiscard]] bool interrupted();
/// From now on Ctrl-C and SIGTERM set that flag instead of ending the program.
void catch_interrupts();

}  // namespace retour
