// SPDX-License-Identifier: Apache-2.0
//
// ICMP echo from every local address by whatever way the kernel takes it: the sockets are bound to
// the source address and to nothing else.
#pragma once

#include <span>
#include <vector>

#include "os/prober_wire.h"
#include "os/wire_batch.h"
#include "port/prober.h"

namespace retour {

class EchoPhase final : public Phase {
 public:
  /// `seen` has one element per pair; a pair whose address cannot be used gets its send_errno here.
  /// REQUIRES: attempts ≤ 16, fewer than 2^28 pairs.
  [[nodiscard]] static Result<std::unique_ptr<EchoPhase>> open(const Wire& wire,
                                                               std::span<Observation> seen,
                                                               int attempts);

  void send(int attempt) override;
  [[nodiscard]] Result<void> receive() override;
  void listen(std::vector<pollfd>& sources) const override;
  [[nodiscard]] std::size_t answered() const override { return answered_; }
  [[nodiscard]] std::size_t expected() const override { return seen_.size(); }
  [[nodiscard]] bool complete() const override;
  /// Writes the round-trip times; after the last receive().
  void finish();

 private:
  struct Source {
    Ip local;
    Fd socket;
    std::vector<std::size_t> pairs;
  };
  struct Timing {
    std::chrono::nanoseconds delivered{};
    int attempt{};
  };
  using Packet = Outgoing<sockaddr_in, echo_size>;

  EchoPhase(const Wire& wire, std::span<Observation> seen, int attempts, std::uint64_t cookie);
  [[nodiscard]] Result<void> open_in_namespace();
  [[nodiscard]] Result<void> open_sources();
  [[nodiscard]] Result<void> open_source(Source& source);
  void send_burst(const Source& source, std::vector<Packet>& burst);
  [[nodiscard]] Result<void> receive_replies(const Source& source);
  [[nodiscard]] Result<void> receive_sightings();
  void deliver(const WireEvent& event, std::chrono::nanoseconds at);
  void witness(const WireEvent& event, const Tap* there);
  /// The pair an event belongs to, both addresses checked; its size() if to none.
  [[nodiscard]] std::size_t pair_of(const WireEvent& event) const;
  [[nodiscard]] std::chrono::nanoseconds& sent(std::size_t pair, int attempt) {
    return sent_[pair * static_cast<std::size_t>(attempts_) + static_cast<std::size_t>(attempt)];
  }

  const Wire& wire_;
  std::span<Observation> seen_;
  int attempts_;
  std::uint64_t cookie_;
  std::vector<Source> sources_;
  std::vector<std::chrono::nanoseconds> sent_;  ///< pair × attempt
  std::vector<Timing> timing_;
  std::unique_ptr<WireBatch> batch_;
  std::size_t answered_{};
  std::size_t in_flight_{};
};

}  // namespace retour
