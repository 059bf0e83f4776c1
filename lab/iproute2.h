// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace retour {

/// `ip -netns NETNS -batch -` (empty NETNS: where the caller is), one command a line, run without a
/// shell. An error names the line that failed and what `ip` said to it; later lines are not run.
[[nodiscard]] Result<void> ip_batch(const std::string& netns, std::string_view commands);

/// What `ip -netns NETNS COMMAND` prints; `command` is split at spaces.
[[nodiscard]] Result<std::string> ip_output(const std::string& netns, std::string_view command);

}  // namespace retour
