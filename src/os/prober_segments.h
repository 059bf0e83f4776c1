// SPDX-License-Identifier: Apache-2.0
//
// Which links hear each other: a marked broadcast out of each, and who else receives it.
#pragma once

#include <linux/if_packet.h>

#include <map>
#include <span>
#include <vector>

#include "model/snapshot.h"
#include "os/prober_wire.h"
#include "os/wire_batch.h"

namespace retour {

class SegmentsPhase final : public Phase {
 public:
  SegmentsPhase(const Wire& wire, std::span<const IfIndex> links, std::uint64_t run);

  void send(int attempt) override;
  [[nodiscard]] Result<void> receive() override;
  void listen(std::vector<pollfd>& sources) const override;
  [[nodiscard]] std::size_t answered() const override { return joins_; }
  [[nodiscard]] std::size_t expected() const override {
    return live_.empty() ? 0 : live_.size() - 1;
  }
  /// All live links are one segment: no frame can change that any more.
  [[nodiscard]] bool complete() const override { return joins_ == expected(); }
  [[nodiscard]] std::vector<Segment> segments() const;

 private:
  [[nodiscard]] std::size_t root(std::size_t i) const;

  const Wire& wire_;
  std::uint64_t run_;
  std::vector<IfIndex> links_;            ///< as given, each once
  std::vector<std::size_t> live_;         ///< those that can send
  std::map<IfIndex, std::size_t> place_;  ///< in links_
  std::vector<std::size_t> parent_;       ///< union-find; a root is the smallest of its set
  std::size_t joins_{};
};

}  // namespace retour
