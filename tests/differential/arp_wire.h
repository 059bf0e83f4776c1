// SPDX-License-Identifier: Apache-2.0
//
// Real ARP requests on real links: sent into the far end of each veth pair, the replies caught
// there. When everything is through is known by markers that travel behind the requests and behind
// the replies; nothing waits for a reply that does not come.
#pragma once

#include <span>
#include <vector>

#include "base/id.h"
#include "base/ip.h"
#include "base/result.h"
#include "os/fd.h"

namespace retour::differential {

struct WireRequest {
  IfIndex link{};  ///< that hears it
  IfIndex far{};   ///< the other end of its pair: the wire
  Ip sender{};
  Ip target{};
};

class ArpWire {
 public:
  /// In the caller's namespace. Keeps the calling process on one CPU from then on: what one CPU
  /// sends by veth pairs arrives in that order.
  [[nodiscard]] static Result<ArpWire> open();

  /// Which of the requests were answered. REQUIRES: at most 60000, both ends up with carrier.
  [[nodiscard]] Result<std::vector<bool>> ask(std::span<const WireRequest> requests);

 private:
  explicit ArpWire(Fd fd) : fd_(std::move(fd)) {}
  [[nodiscard]] Result<void> send_request(const WireRequest& request, std::size_t number);
  [[nodiscard]] Result<void> send_marker(IfIndex from);
  /// Until a marker came in on each of `links`; replies are noted meanwhile.
  [[nodiscard]] Result<void> wait_for_markers(std::vector<IfIndex> links,
                                              std::span<const WireRequest> requests,
                                              std::vector<bool>& answered);

  Fd fd_;
};

/// Forgets what the host learnt from requests: the kernel has room for 1024 neighbours in all
/// namespaces together, and answers nobody once they are full.
[[nodiscard]] Result<void> forget_neighbors();

}  // namespace retour::differential
