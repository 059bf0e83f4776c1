// SPDX-License-Identifier: Apache-2.0
//
// What the phases of a probe share: the ears, the mouth for frames, and the clockwork that sends
// attempt after attempt until all is known or the time is over.
#pragma once

#include <linux/if_packet.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "os/fd.h"
#include "os/netns.h"
#include "os/tap.h"

namespace retour {

struct Wire {
  Netns netns;  ///< of the local host; the thread that probes may be elsewhere by now
  std::unique_ptr<Tap> here;
  std::vector<std::unique_ptr<Tap>> there;
  const volatile std::sig_atomic_t* stop{};

  /// Frames are sent by the ear's own socket: closing a packet socket waits for the whole kernel,
  /// so one must do.
  [[nodiscard]] int mouth() const { return here->fd(); }
  [[nodiscard]] bool stopped() const { return stop != nullptr && *stop != 0; }
};

/// An Ethernet link as frames need it.
struct WireLink {
  std::array<std::uint8_t, 6> mac{};
  bool noarp{};
};

/// Nothing for a link that is not there, not Ethernet, down or without carrier.
[[nodiscard]] std::optional<WireLink> live_ethernet(const Wire& wire, IfIndex link);

/// Where a frame goes that all on the link's segment shall hear.
[[nodiscard]] sockaddr_ll broadcast_on(IfIndex link, std::uint16_t ethertype);

[[nodiscard]] Result<std::uint64_t> random_cookie();

[[nodiscard]] Result<void> discard_heard(const Wire& wire);

class Phase {
 public:
  Phase() = default;
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;
  virtual ~Phase() = default;

  virtual void send(int attempt) = 0;  ///< to whoever has not answered yet
  [[nodiscard]] virtual Result<void> receive() = 0;
  virtual void listen(std::vector<pollfd>& sources) const = 0;
  [[nodiscard]] virtual std::size_t answered() const = 0;
  [[nodiscard]] virtual std::size_t expected() const = 0;
  [[nodiscard]] virtual bool complete() const = 0;  ///< nothing more can be learnt
};

struct PhaseTiming {
  std::chrono::milliseconds timeout{};
  int attempts{1};
  std::chrono::milliseconds grace{};  ///< after the last answer, for what is still on its way
};

/// The attempts are spread over the timeout. Ends when complete, when the grace after the last
/// answer is over, when the last attempt has had its share of the timeout, or stopped.
[[nodiscard]] Result<void> run_phase(Phase& phase, const Wire& wire, const PhaseTiming& timing,
                                     const std::function<void(std::size_t)>& progress);

}  // namespace retour
