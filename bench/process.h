// SPDX-License-Identifier: Apache-2.0
//
// Runs another program to its end: fork, exec and exit are part of what it costs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/harness.h"

namespace retour::bench {

struct Ended {
  int status{};  ///< exit status
  Nanoseconds wall{};
};

/// `arguments` begins with the program, searched in PATH; `input` is its standard input. Its
/// standard output goes to /dev/null, its errors to ours. An error when it cannot be started or was
/// killed.
[[nodiscard]] Result<Ended> run(const std::vector<std::string>& arguments,
                                std::string_view input = {});

/// The same, and any exit status but 0 is an error.
[[nodiscard]] Result<Nanoseconds> run_well(const std::vector<std::string>& arguments,
                                           std::string_view input = {});

}  // namespace retour::bench
