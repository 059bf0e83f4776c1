// SPDX-License-Identifier: Apache-2.0
#include "engine/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnose/diagnose.h"

namespace retour {

namespace {

/// Changes that may stand in one batch: the next kind starts only when all of the last were taken.
std::size_t phase(const Change& change) {
  return change.operation.index() == Change{DeleteRoute{}, {}}.operation.index() ? 4
         : std::holds_alternative<AddRoute>(change.operation)                    ? 0
         : std::holds_alternative<AddRule>(change.operation)                     ? 1
         : std::holds_alternative<SetConf>(change.operation)                     ? 2
                                                                                 : 3;
}

/// Takes back `done`, last first; what the kernel refuses is told.
std::string take_back(Kernel& kernel, const std::vector<Change>& done) {
  std::vector<Change> inverses;
  for (auto it = done.rbegin(); it != done.rend(); ++it) inverses.push_back(inverse(*it));
  if (inverses.empty()) return "nothing was changed";
  const auto outcomes = kernel.apply(inverses);
  std::string stuck;
  for (const auto& error : outcomes) {
    if (error) stuck += (stuck.empty() ? "" : "; ") + error->message();
  }
  if (stuck.empty()) return "everything done before it was taken back";
  return "COULD NOT BE TAKEN BACK: " + stuck;
}

Error with_outcome(Error error, const std::string& outcome) {
  error.hint = error.hint.empty() ? outcome : error.hint + "; " + outcome;
  return error;
}

const ConfRecord* remembered(const std::vector<ConfRecord>& records, const Link& link, Conf conf) {
  const auto it = std::ranges::find_if(records, [&](const ConfRecord& record) {
    return record.conf == conf &&
           (record.mac.empty() ? record.link_name == link.name : record.mac == link.mac);
  });
  return it != records.end() ? &*it : nullptr;
}

/// The memory as it must be before the first sysctl is written: the oldest value known wins.
std::vector<ConfRecord> with_originals(std::vector<ConfRecord> records, const Plan& plan) {
  for (const Change& change : plan.changes) {
    const auto* set = std::get_if<SetConf>(&change.operation);
    if (set == nullptr) continue;
    const Link* link = plan.rehearsed.link(set->link);
    if (link == nullptr || remembered(records, *link, set->conf) != nullptr) continue;
    records.push_back({set->link_name, link->mac, set->conf, set->before, set->after});
  }
  return records;
}

}  // namespace

Result<Applied> carry_out(const Plan& plan, const Policy& policy, Kernel& kernel, Memory& memory) {
  auto remembered_before = memory.load();
  if (!remembered_before) return fail(std::move(remembered_before.error()));
  const auto records = with_originals(*remembered_before, plan);
  const bool sysctls = records.size() != remembered_before->size();
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
      } else if (!failure) {
        failure = outcomes[i];
      }
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
  // Sysctls first: while the rules still stand, an ARP gate that opens again loses nothing.
  std::vector<Change> changes;
  for (const ConfRecord& record : *records) {
    const auto it = std::ranges::find_if(now->links, [&](const Link& link) {
      return record.mac.empty() ? link.name == record.link_name : link.mac == record.mac;
    });
    if (it == now->links.end()) {
      undone.left_alone.push_back(
          fmt::format("{} of {}: that NIC is gone", info(record.conf).name, record.link_name));
      continue;
    }
    const auto value = it->conf.get(record.conf);
    if (value != record.ours) {
      undone.left_alone.push_back(
          fmt::format("{} of {} is {}, not the {} that retour gave it: someone else's now",
                      info(record.conf).name, it->name, value.value_or(-1), record.ours));
      continue;
    }
    changes.push_back({SetConf{it->index, it->name, record.conf, record.ours, record.original},
                       "as it was before retour"});
  }
  for (Change& change : removal(*now)) changes.push_back(std::move(change));
  const auto outcomes = kernel.apply(changes);
  std::optional<Error> failure;
  for (const auto& outcome : outcomes) {
    // Gone meanwhile is what we wanted.
    if (outcome && outcome->errnum != ENOENT && outcome->errnum != ESRCH && !failure) {
      failure = outcome;
    }
  }
  if (failure) return fail(std::move(*failure));
  if (auto stored = memory.store({}); !stored) return fail(std::move(stored.error()));
  undone.changes = changes.size();
  return undone;
}

}  // namespace retour
