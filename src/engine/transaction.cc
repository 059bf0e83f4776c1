// SPDX-License-Identifier: Apache-2.0
#include "engine/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnose/diagnose.h"

namespace retour {

namespace {

/// Changes that may stand in one batch: the next kind starts only when all of the last were taken.
std::size_t phase(const Change& change) {
  return std::holds_alternative<DeleteRoute>(change.operation) ? 4
         : std::holds_alternative<AddRoute>(change.operation)  ? 0
         : std::holds_alternative<AddRule>(change.operation)   ? 1
         : std::holds_alternative<SetConf>(change.operation)   ? 2
                                                               : 3;
}

bool gone_already(const Error& error) { return error.errnum == ENOENT || error.errnum == ESRCH; }

/// Takes back `done`, last first; what the kernel refuses is told.
std::string take_back(Kernel& kernel, const std::vector<Change>& done) {
  if (done.empty()) return "nothing was changed";
  const auto outcomes = kernel.apply(inverses(done));
  std::string stuck;
  for (const auto& error : outcomes) {
    if (error && !gone_already(*error)) stuck += (stuck.empty() ? "" : "; ") + error->message();
  }
  if (stuck.empty()) return "everything done before it was taken back";
  return "COULD NOT BE TAKEN BACK: " + stuck;
}

Error with_outcome(Error error, const std::string& outcome) {
  error.hint = error.hint.empty() ? outcome : error.hint + "; " + outcome;
  return error;
}

/// The NIC of a record: by MAC where only one link has it (names change), else by name (a bridge or
/// bond shares the MAC of a port, and a MAC can be changed).
const Link* link_of(const ConfRecord& record, const Snapshot& host) {
  const Link* by_mac = nullptr;
  std::size_t bearers = 0;
  for (const Link& link : host.links) {
    if (record.mac.empty() || link.mac != record.mac) continue;
    by_mac = &link;
    ++bearers;
  }
  return bearers == 1 ? by_mac : host.link(record.link_name);
}

/// The memory as it must be before the first sysctl is written. The oldest value known wins, unless
/// someone set another one since.
std::vector<ConfRecord> with_originals(std::vector<ConfRecord> records, const Plan& plan) {
  for (const Change& change : plan.changes) {
    const auto* set = std::get_if<SetConf>(&change.operation);
    const Link* link = set != nullptr ? plan.rehearsed.link(set->link) : nullptr;
    if (link == nullptr) continue;
    const auto known = std::ranges::find_if(records, [&](const ConfRecord& record) {
      return record.conf == set->conf && link_of(record, plan.rehearsed) == link;
    });
    if (known == records.end()) {
      records.push_back({set->link_name, link->mac, set->conf, set->before, set->after});
    } else if (set->before != known->ours) {
      known->original = set->before;
    }
  }
  return records;
}

}  // namespace

Result<Applied> carry_out(const Plan& plan, const Policy& policy, Kernel& kernel, Memory& memory) {
  auto remembered_before = memory.load();
  if (!remembered_before) return fail(std::move(remembered_before.error()));
  const auto records = with_originals(*remembered_before, plan);
  const bool sysctls = records != *remembered_before;
  if (sysctls) {
    if (auto stored = memory.store(records); !stored) return fail(std::move(stored.error()));
  }
  std::vector<Change> done;
  const auto give_up = [&](Error error) {
    const std::string outcome = take_back(kernel, done);
    if (sysctls) {
      if (auto stored = memory.store(*remembered_before); !stored) {
        return fail(with_outcome(std::move(error), outcome + "; " + stored.error().message()));
      }
    }
    return fail(with_outcome(std::move(error), outcome));
  };

  for (auto first = plan.changes.begin(); first != plan.changes.end();) {
    const auto last = std::find_if(first, plan.changes.end(), [&](const Change& change) {
      return phase(change) != phase(*first);
    });
    const auto outcomes = kernel.apply(std::span(first, last));
    std::optional<Error> failure;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i]) {
        done.push_back(*(first + static_cast<std::ptrdiff_t>(i)));
        continue;
      }
      // An answer that got lost may have been a yes: taken back as well.
      if (outcomes[i]->errnum == ENOBUFS) done.push_back(*(first + static_cast<std::ptrdiff_t>(i)));
      if (!failure) failure = outcomes[i];
    }
    if (failure) return give_up(std::move(*failure));
    first = last;
  }

  auto after = kernel.snapshot();
  if (!after) return give_up(std::move(after.error()));
  // What the wire measured does not change with routes.
  after->segments = plan.rehearsed.segments;
  const Diagnosis now = diagnose(*after, policy);
  const auto sick = std::ranges::find_if(now.findings, [](const Finding& finding) {
    return finding.severity == Severity::error && finding.curable;
  });
  if (!plan.changes.empty() && sick != now.findings.end()) {
    return give_up({ErrorKind::changed, 0, "verify the host after the change", sick->message,
                    "the host changed meanwhile; run retour diagnose"});
  }
  return Applied{done.size(), std::move(*after)};
}

Result<Undone> undo(Kernel& kernel, Memory& memory) {
  auto now = kernel.snapshot();
  if (!now) return fail(std::move(now.error()));
  auto records = memory.load();
  if (!records) return fail(std::move(records.error()));
  Undone undone;
  std::vector<Change> sysctls;
  std::vector<ConfRecord> kept;  // what could not be restored stays remembered
  for (const ConfRecord& record : *records) {
    const Link* link = link_of(record, *now);
    const auto value = link != nullptr ? link->conf.get(record.conf) : std::nullopt;
    if (link == nullptr) {
      undone.left_alone.push_back(fmt::format("{} of {}: that NIC is not here now",
                                              info(record.conf).name, record.link_name));
      kept.push_back(record);
    } else if (value == record.ours) {
      sysctls.push_back(
          {SetConf{link->index, link->name, record.conf, record.ours, record.original},
           "as it was before retour"});
    } else if (value != record.original) {
      undone.left_alone.push_back(
          fmt::format("{} of {} is {}, not the {} that retour gave it: someone else's now",
                      info(record.conf).name, link->name, value.value_or(-1), record.ours));
    }
  }
  // Sysctls first: while the rules still stand, an ARP gate that opens again loses nothing.
  std::vector<Change> objects = removal(*now);
  for (const auto* phase : {&sysctls, &objects}) {
    const auto outcomes = kernel.apply(*phase);
    for (const auto& outcome : outcomes) {
      if (!outcome || gone_already(*outcome)) continue;
      return fail(with_outcome(*outcome, phase == &sysctls
                                             ? "rules and routes were left as they are; mend this "
                                               "and undo again"
                                             : "what could be removed is gone; undo again"));
    }
  }
  if (auto stored = memory.store(kept); !stored) return fail(std::move(stored.error()));
  undone.changes = sysctls.size() + objects.size();
  undone.complete = kept.empty();
  return undone;
}

}  // namespace retour
