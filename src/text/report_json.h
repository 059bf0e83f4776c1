// SPDX-License-Identifier: Apache-2.0
//
// What --json prints: versioned documents with stable fields (docs/json.md). One document a call,
// ending in a newline.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/finding.h"
#include "model/observation.h"
#include "plan/managers.h"
#include "plan/plan.h"

namespace retour {

/// "no-match", "decided", …
[[nodiscard]] std::string_view outcome_name(RuleOutcome outcome);
/// The object that stands for it in a diagnosis.
[[nodiscard]] std::string json_round_trip(const Snapshot& host, const RoundTrip& trip);

[[nodiscard]] std::string json_report(const Snapshot& host, const Diagnosis& diagnosis);
/// `managers` absent: nobody looked.
[[nodiscard]] std::string json_report(
    const Snapshot& host, const Plan& plan,
    const std::optional<std::vector<Configurator>>& managers = std::nullopt);
/// `there` names the links of an observed far end, nullptr when there is none.
[[nodiscard]] std::string json_report(const Snapshot& host, const Verification& verification,
                                      const Snapshot* there);
/// `managers` and `persisted` absent: nobody looked. `confirm_within` absent: no change waits to be
/// confirmed.
[[nodiscard]] std::string json_status(const Snapshot& host, const Diagnosis& diagnosis,
                                      const std::optional<std::vector<Configurator>>& managers,
                                      std::optional<std::chrono::seconds> confirm_within,
                                      std::optional<bool> persisted);
/// `confirm_within` absent: it stays without a word. `probed` empty: no gate looked. `persisted`:
/// the files that make it last.
[[nodiscard]] std::string json_applied(const Snapshot& host, std::size_t changes,
                                       const Diagnosis& after,
                                       std::optional<std::chrono::seconds> confirm_within,
                                       const std::string& probed,
                                       const std::vector<std::string>& persisted);
[[nodiscard]] std::string json_confirmed(bool waited);
[[nodiscard]] std::string json_rolled_back(bool waited, std::size_t changes,
                                           const std::vector<std::string>& left_alone);
[[nodiscard]] std::string json_undone(const Snapshot& host, std::size_t changes,
                                      const std::vector<std::string>& left_alone,
                                      std::size_t files);

}  // namespace retour
