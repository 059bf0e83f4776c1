// SPDX-License-Identifier: Apache-2.0
//
// What was tried, in numbers: a run without a mismatch says something only when the interesting
// cases were in it. Lives in memory shared by the workers; plain numbers, one owner each.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "model/lookup.h"
#include "model/snapshot.h"

namespace retour::differential {

struct Tally {
  std::uint64_t hosts{};
  std::uint64_t lines{}, accepted{};
  std::uint64_t hosts_without_custom_rules{};
  std::uint64_t queries{}, mismatches{};
  std::uint64_t steps_asked{}, matches_asked{};
  std::uint64_t skipped_hosts{}, moved{};  ///< moved: something changed while a host was asked
  std::array<std::uint64_t, 13> output{}, input{};  ///< by Verdict
  std::array<std::uint64_t, 6> outcomes{};          ///< of steps, by RuleOutcome
  std::array<std::uint64_t, 17> selectors{};        ///< that failed, by Selector
  std::array<std::uint64_t, 12> actions{};          ///< of rules that matched, by RuleAction
  std::array<std::uint64_t, 12> types{};            ///< of the routes that decided, by RouteType
  std::array<std::uint64_t, 10> candidates{};       ///< by number; the last: as many or more
  std::uint64_t not_first{};  ///< the kernel took another candidate than the first
  std::uint64_t set_members{}, set_members_seen{};
  std::uint64_t may_be_refused{}, refused{};  ///< or_errnum: said, and met
  std::uint64_t via_objects{}, via_multipath{};
  std::uint64_t arp_requests{}, arp_answered{}, arp_undetermined{}, arp_proxied{};
  std::array<std::uint64_t, 16> arp_silent{};  ///< by Cause

  void add(const Tally& other);
  void count(const Snapshot& snapshot, const Lookup& lookup);
  /// What a run of this length should have met and did not: names, or nothing.
  [[nodiscard]] std::string never_met(Family family) const;
  /// The figures, a line each.
  [[nodiscard]] std::string report() const;
};

}  // namespace retour::differential
