// SPDX-License-Identifier: Apache-2.0
//
// "Who has the peer's address?", asked from the link that owns the local one. Not through the
// kernel's neighbour table: its size is a limit of the whole machine, and it answers from memory.
#pragma once

#include <linux/if_packet.h>

#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "os/prober_wire.h"
#include "os/wire_batch.h"
#include "port/prober.h"

namespace retour {

class ArpPhase final : public Phase {
 public:
  /// Pairs whose link cannot ask (down, no carrier, not Ethernet) stay unanswered.
  ArpPhase(const Wire& wire, std::span<Observation> seen);

  void send(int attempt) override;
  [[nodiscard]] Result<void> receive() override;
  void listen(std::vector<pollfd>& sources) const override;
  [[nodiscard]] std::size_t answered() const override { return answered_; }
  [[nodiscard]] std::size_t expected() const override { return asked_.size(); }
  /// Never once something was asked: a second answer, by another NIC, is what flux looks like.
  [[nodiscard]] bool complete() const override { return asked_.empty(); }

 private:
  using Packet = Outgoing<sockaddr_ll, arp_size>;
  using Question = std::tuple<IfIndex, Ip, Ip>;  ///< link, local, peer

  const Wire& wire_;
  std::span<Observation> seen_;
  std::map<IfIndex, WireLink> links_;
  std::multimap<Question, std::size_t> asked_;
  std::size_t answered_{};
};

}  // namespace retour
