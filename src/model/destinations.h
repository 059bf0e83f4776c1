// SPDX-License-Identifier: Apache-2.0
//
// Every destination of one kind of flow (one source, mark, port, …) decided beforehand: rules and
// tables flattened into intervals, so that a lookup is one search without branches. For those who
// ask about the whole address space; equal to Fib::decide() by construction, since each interval is
// decided by it once.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/decision.h"

namespace retour {

class Destinations {
 public:
  using Decide = std::function<Decision(const Ip&)>;
  /// `starts` are the addresses at which a decision may change, in any order, repeats allowed.
  Destinations(std::vector<std::uint32_t> starts, const Decide& decide);  ///< IPv4
  Destinations(std::vector<Bits> starts, const Decide& decide);           ///< IPv6

  /// REQUIRES: `dst` is of the family of the flow that was asked for.
  [[nodiscard]] const Decision& decide(const Ip& dst) const {
    const std::size_t interval =
        family_ == Family::v4 ? search(starts4_, dst.v4_bits()) : search(starts6_, dst.bits());
    return decisions_[choice_[interval]];
  }
  [[nodiscard]] std::size_t intervals() const { return choice_.size(); }

 private:
  /// The last element that is not above `key`. REQUIRES: starts[0] is 0.
  template <class Key>
  [[nodiscard]] static std::size_t search(const std::vector<Key>& starts, Key key) {
    const Key* base = starts.data();
    for (std::size_t left = starts.size(); left > 1;) {
      const std::size_t half = left / 2;
      base += base[half] <= key ? half : 0;  // a conditional move: nothing to mispredict
      left -= half;
    }
    return static_cast<std::size_t>(base - starts.data());
  }
  template <class Key>
  void flatten(std::vector<Key> cuts, const Decide& decide, std::vector<Key>& starts);

  Family family_;
  std::vector<std::uint32_t> starts4_;
  std::vector<Bits> starts6_;
  std::vector<std::uint32_t> choice_;  ///< per interval: position in decisions_
  std::vector<Decision> decisions_;    ///< each once
};

}  // namespace retour
