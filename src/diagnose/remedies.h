// SPDX-License-Identifier: Apache-2.0
//
// What would change the outcome, found by trying: each candidate is applied to a copy of the
// snapshot and the question is asked again. Nothing that was not tried is ever recommended.
#pragma once

#include <optional>
#include <vector>

#include "diagnose/explanation.h"

namespace retour {

/// The fewest settings that give a sysctl this effective value on a link; nothing when it has it
/// already. `all` is named only where the device alone cannot do it.
[[nodiscard]] std::vector<Setting> settings_for(const Snapshot& now, IfIndex link, Conf conf,
                                                std::int32_t wanted);
[[nodiscard]] std::vector<Setting> settings_for(const Snapshot& now, IfIndex link, Conf6 conf,
                                                std::int32_t wanted);

/// A table of its own for what `from`, an address on `link`, sends to `to`: to its subnet, or where
/// that does not hold `to`, by the gateway that some route through the link has. Nothing when there
/// is no way by that link, or it is down or without carrier.
[[nodiscard]] std::optional<OwnTable> own_table(const Snapshot& now, const Ip& from, IfIndex link,
                                                const Ip& to);

/// Values that nobody told `now` and that were assumed are no `before`.
void forget_untold(const Snapshot& now, std::vector<Remedy>& remedies);

/// The host with the change made. An own table comes as a plan makes it, with a rule in front that
/// keeps the longer prefixes of main.
[[nodiscard]] Snapshot with(Snapshot host, const Remedy& remedy);

/// For a lookup that failed: single changes with which it succeeds. For a packet that leaves by
/// another link than its source's: the own table that brings it there.
[[nodiscard]] std::vector<Remedy> remedies(const Snapshot& now, const Explanation& found);

/// Values of gates that nobody told us with which the lookup ends otherwise.
[[nodiscard]] std::vector<Remedy> if_set(const Snapshot& now, const Explanation& found);

}  // namespace retour
