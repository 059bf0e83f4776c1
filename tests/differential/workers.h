// SPDX-License-Identifier: Apache-2.0
//
// A run over many hosts by several processes: a namespace belongs to a process, so each worker is
// one. They share counters and take the number of the next host from one of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "differential/tally.h"

namespace retour::differential {

/// What a worker does with host `number`; false stops the run.
using DoHost = std::function<bool(std::uint64_t number, Tally& tally)>;

struct RunEnd {
  Tally total;
  std::uint64_t hosts{};
  std::vector<std::string> deaths;  ///< workers that ended otherwise than by themselves
};

/// Hosts first … first + count - 1, or without end while count is 0, until SIGINT or a worker
/// stops it.
[[nodiscard]] RunEnd run_workers(unsigned jobs, std::uint64_t first, std::uint64_t count,
                                 const DoHost& do_host);

/// Writes a whole text to stdout, never mixed with another worker's.
void say(const std::string& text);

}  // namespace retour::differential
