// SPDX-License-Identifier: Apache-2.0
//
// Adds rules with selectors that are newer than the iproute2 at hand: masks of ports and of the
// DSCP, flow labels. Written apart from the product's own encoder, so that a mistake there is not
// made here as well.
#pragma once

#include <string_view>

#include "base/ip.h"

namespace retour::differential {

/// `words` as `ip rule add` of iproute2 7 takes them. The errno, or 0; EINVAL also for words that
/// are not known here.
[[nodiscard]] int add_raw_rule(Family family, std::string_view words);

}  // namespace retour::differential
