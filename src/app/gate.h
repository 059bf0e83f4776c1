// SPDX-License-Identifier: Apache-2.0
//
// The measured gate of a change: who answered before must answer after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/proof.h"

namespace retour {

class ProbeGate {
 public:
  /// Probes every address of the shared subnets against the peers (none named: known neighbours).
  /// Errors: nobody to probe, no privilege.
  [[nodiscard]] static Result<ProbeGate> measure(const std::string& netns,
                                                 const std::vector<Ip>& peers,
                                                 const Console& console);
  /// The same pairs once more. An error names those that answered before and are silent now.
  [[nodiscard]] Result<void> pass();
  /// "1 of 8 pairs answered before, 8 of 8 after"
  [[nodiscard]] std::string summary() const;

 private:
  ProbeGate(ProofRequest request, Verification before, const Console& console)
      : request_(std::move(request)), before_(std::move(before)), console_(&console) {}
  ProofRequest request_;
  Verification before_;
  std::optional<Verification> after_;
  const Console* console_;
};

}  // namespace retour
