// SPDX-License-Identifier: Apache-2.0
//
// Ears on every link of one network namespace at once: ARP, ICMP echo and our marked frames, with
// the link and the direction. What a tap sees coming in, it sees before rp_filter judges it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "os/fd.h"
#include "os/wire_frame.h"

namespace retour {

class WireBatch;

/// One thread at a time. Stays with the namespace it was opened in, wherever the caller goes.
/// A frame that crosses stacked links (a VLAN and its parent) is seen once on each; frames for
/// another host's MAC, which a switch may flood, are not seen.
class Tap {
 public:
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  /// In the calling thread's namespace. Permission error without CAP_NET_RAW.
  [[nodiscard]] static Result<std::unique_ptr<Tap>> open();
  /// In the namespace /run/netns/NAME.
  [[nodiscard]] static Result<std::unique_ptr<Tap>> open_in(const std::string& netns);

  /// What was heard since the last call; never waits.
  [[nodiscard]] Result<std::vector<WireEvent>> drain();
  /// Readable when there is something to drain.
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Frames the kernel had no room for, since the tap was opened.
  [[nodiscard]] std::uint64_t dropped();
  /// Whether `ip` was an address of the namespace when the tap was opened.
  [[nodiscard]] bool owns(const Ip& ip) const;

 private:
  Tap(Fd socket, std::vector<Ip> addresses);

  Fd socket_;
  std::vector<Ip> addresses_;
  std::unique_ptr<WireBatch> batch_;
  std::uint64_t dropped_{};
};

}  // namespace retour
