// SPDX-License-Identifier: Apache-2.0
//
// What nothing tells of one lookup, drawn: which leg the hash falls on, which of the routes that
// share a nexthop object the kernel remembers. One run answers every question with a number; run
// after run all combinations come up, of the questions that are asked at all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace retour {

class Draws {
 public:
  /// A number below `choices`: 0 when the question is new, the same for the rest of the run.
  [[nodiscard]] std::size_t draw(std::uint64_t question, std::size_t choices) {
    if (choices < 2) return 0;
    const auto made = std::ranges::find(made_, question, &Draw::question);
    if (made != made_.end()) return made->number;
    made_.push_back({question, 0, choices});
    return 0;
  }
  /// Whether the question was asked in this run, with more than one choice.
  [[nodiscard]] bool drawn(std::uint64_t question) const {
    return std::ranges::find(made_, question, &Draw::question) != made_.end();
  }
  /// On to the next run; false when all have been.
  [[nodiscard]] bool next() {
    while (!made_.empty() && made_.back().number + 1 == made_.back().choices) made_.pop_back();
    if (made_.empty()) return false;
    ++made_.back().number;
    return true;
  }

 private:
  struct Draw {
    std::uint64_t question{};
    std::size_t number{};
    std::size_t choices{};
  };
  std::vector<Draw> made_;  ///< in the order they were asked in
};

}  // namespace retour
