// SPDX-License-Identifier: Apache-2.0
#include "app/rehearse.h"

#include "engine/rehearsal.h"
#include "os/clone.h"

namespace retour {

Result<Rehearsal> rehearse_plan(const Snapshot& host, Plan& plan) {
  auto clone = HostClone::make(host);
  if (!clone) return fail(std::move(clone.error()));
  auto rehearsal = rehearse_on(clone->kernel(), host, plan, clone->declined());
  if (!rehearsal) return rehearsal;
  if (std::string objected = objection(*rehearsal); !objected.empty()) {
    plan.refused = std::move(objected);
  }
  return rehearsal;
}

}  // namespace retour
