// SPDX-License-Identifier: Apache-2.0
//
// Interleaved measuring: each round runs ours, the limit and the anchor one after the other, so
// that what the machine does meanwhile meets all three. Ratios are taken inside a round; the
// medians of those are the result, absolute times are only for orientation.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace retour::bench {

using Nanoseconds = double;
/// Does the work once and returns what it took; what is not to be counted stays outside.
using Measure = std::function<Result<Nanoseconds>()>;

struct Subject {
  std::string what;  ///< one clause: how it does the work
  Measure run;
  int repeat{1};  ///< runs in a round; their median counts
};

/// REQUIRES: `ours` and `limit` are given.
struct Row {
  std::string name;
  Subject ours;
  Subject limit;                  ///< the raw program: no faster way through this interface
  std::optional<Subject> anchor;  ///< what people use today
};

struct Spread {
  double median{};
  double low{};
  double high{};
};

struct Outcome {
  std::string name;
  Spread ours;  ///< nanoseconds
  Spread limit;
  std::optional<Spread> anchor;
  Spread ours_per_limit;                  ///< 1 = at the limit
  std::optional<Spread> anchor_per_ours;  ///< how many times faster than the anchor
};

/// REQUIRES: not empty.
[[nodiscard]] Spread spread(std::vector<double> values);

/// One round more is run first and thrown away.
[[nodiscard]] Result<Outcome> measure(const Row& row, int rounds);

[[nodiscard]] std::string table(const std::vector<Outcome>& outcomes, int rounds);
[[nodiscard]] std::string json(const std::vector<Outcome>& outcomes, int rounds);

class Stopwatch {
 public:
  [[nodiscard]] Nanoseconds elapsed() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point begin_{std::chrono::steady_clock::now()};
};

/// Keeps a result that nobody reads from being optimised away.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace retour::bench
