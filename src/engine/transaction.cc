// SPDX-License-Identifier: Apache-2.0
#include "engine/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnose/diagnose.h"
#include "plan/fingerprint.h"

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

/// From the journal's first word to its last.
class Transaction {
 public:
  Transaction(const Ports& ports, const Terms& terms) : ports_(ports), terms_(terms) {
    entry_.id = terms.id;
  }

  /// Nothing is changed before this returns.
  [[nodiscard]] Result<void> begin(std::vector<Change> changes, std::vector<ConfRecord> records) {
    entry_.changes = std::move(changes);
    entry_.records_before = std::move(records);
    if (auto names = ports_.names.load()) entry_.tables_before = std::move(*names);
    auto stored = ports_.journal.store(entry_);
    if (!stored) {
      static_cast<void>(ports_.journal.clear());  // it may be there all the same
      return fail(with_outcome(std::move(stored.error()), "nothing was changed"));
    }
    return {};
  }

  /// Phase by phase. `fine` says which refusals do not matter.
  [[nodiscard]] Result<std::size_t> make(bool (*fine)(const Error&)) {
    const std::vector<Change>& changes = entry_.changes;
    for (auto first = changes.begin(); first != changes.end();) {
      const auto last = std::find_if(
          first, changes.end(), [&](const Change& each) { return phase(each) != phase(*first); });
      for (auto& outcome : ports_.kernel.apply(std::span(first, last))) {
        if (outcome && !fine(*outcome)) return fail(std::move(*outcome));
      }
      first = last;
    }
    return changes.size();
  }

  /// By what the host is now: an answer that got lost may have been a yes.
  [[nodiscard]] tl::unexpected<Error> give_up(Error error) const {
    const auto rolled_back = roll_back(entry_, ports_);
    std::string outcome = "everything done before it was taken back";
    if (!rolled_back) {
      outcome = "COULD NOT BE TAKEN BACK: " + rolled_back.error().message() +
                "; retour rollback tries again";
    } else if (rolled_back->changes == 0) {
      outcome = "nothing was changed";
    } else {
      for (const std::string& text : rolled_back->left_alone) outcome += "; left: " + text;
    }
    return fail(with_outcome(std::move(error), outcome));
  }

  /// The point of no return, or the wait for the word that makes it one.
  [[nodiscard]] Result<std::optional<std::chrono::nanoseconds>> commit() {
    if (!terms_.confirm_within) {
      if (auto cleared = ports_.journal.clear(); !cleared) return fail(std::move(cleared.error()));
      return std::nullopt;
    }
    entry_.phase = JournalEntry::Phase::awaiting;
    entry_.deadline = terms_.clock->since_boot() + *terms_.confirm_within;
    if (auto stored = ports_.journal.store(entry_); !stored) return fail(std::move(stored.error()));
    return entry_.deadline;
  }

 private:
  const Ports& ports_;
  const Terms& terms_;
  JournalEntry entry_;
};

/// The plan's verdict on the host as it is now.
Result<void> verified(const Snapshot& now, const Policy& policy) {
  const Diagnosis found = diagnose(now, policy);
  const auto sick = std::ranges::find_if(found.findings, [](const Finding& finding) {
    return finding.severity == Severity::error && finding.curable;
  });
  if (sick == found.findings.end()) return {};
  return fail({ErrorKind::changed, 0, "verify the host after the change", sick->message,
               "the host changed meanwhile; run retour diagnose"});
}

bool never(const Error& /*error*/) { return false; }

}  // namespace

Result<void> still_as_planned(const Plan& plan, Kernel& kernel) {
  const auto now = read_patiently(kernel);
  if (!now) return fail(now.error());
  if (fingerprint(*now) == plan.fingerprint) return {};
  return fail({ErrorKind::changed, 0, "apply", "the host changed since the plan",
               "nothing was changed; retour plan shows what it would be now"});
}

Result<Applied> carry_out(const Plan& plan, const Policy& policy, const Ports& ports,
                          const Terms& terms) {
  if (plan.changes.empty()) {
    auto now = read_patiently(ports.kernel);
    if (!now) return fail(std::move(now.error()));
    return Applied{0, std::move(*now), std::nullopt, std::nullopt};
  }
  auto records = ports.memory.load();
  if (!records) return fail(std::move(records.error()));
  Transaction transaction(ports, terms);
  if (auto begun = transaction.begin(plan.changes, *records); !begun) {
    return fail(std::move(begun.error()));
  }
  if (const auto originals = with_originals(*records, plan); originals != *records) {
    if (auto stored = ports.memory.store(originals); !stored) {
      return transaction.give_up(std::move(stored.error()));
    }
  }
  auto made = transaction.make(never);
  if (!made) return transaction.give_up(std::move(made.error()));
  auto after = read_patiently(ports.kernel);
  if (!after) return transaction.give_up(std::move(after.error()));
  // What the wire measured does not change with routes.
  after->segments = plan.rehearsed.segments;
  if (auto fine = verified(*after, policy); !fine) {
    return transaction.give_up(std::move(fine.error()));
  }
  if (terms.gate) {
    if (auto passed = terms.gate(); !passed) return transaction.give_up(std::move(passed.error()));
  }
  const auto named = ports.names.write(plan.tables);
  auto committed = transaction.commit();
  if (!committed) return transaction.give_up(std::move(committed.error()));
  return Applied{*made, std::move(*after), *committed,
                 named ? std::nullopt : std::optional(named.error())};
}

Result<Undone> undo(const Ports& ports, const Terms& terms) {
  auto now = read_patiently(ports.kernel);
  if (!now) return fail(std::move(now.error()));
  auto records = ports.memory.load();
  if (!records) return fail(std::move(records.error()));
  Undone undone;
  // Sysctls first: while the rules still stand, an ARP gate that opens again loses nothing.
  std::vector<Change> changes;
  std::vector<ConfRecord> kept;  // what could not be restored stays remembered
  for (const ConfRecord& record : *records) {
    const Link* link = link_of(record, *now);
    const auto value = link != nullptr ? link->conf.get(record.conf) : std::nullopt;
    if (link == nullptr) {
      undone.left_alone.push_back(fmt::format("{} of {}: that NIC is not here now",
                                              info(record.conf).name, record.link_name));
      kept.push_back(record);
    } else if (value == record.ours) {
      changes.push_back(
          {SetConf{link->index, link->name, record.conf, record.ours, record.original},
           "as it was before retour"});
    } else if (value != record.original) {
      undone.left_alone.push_back(
          fmt::format("{} of {} is {}, not the {} that retour gave it: someone else's now",
                      info(record.conf).name, link->name, value.value_or(-1), record.ours));
    }
  }
  for (Change& change : removal(*now)) changes.push_back(std::move(change));
  undone.changes = changes.size();
  undone.complete = kept.empty();
  const auto forget_names = [&] {
    if (auto named = ports.names.write({}); !named) {
      undone.left_alone.push_back(named.error().message());
    }
  };
  if (changes.empty()) {
    forget_names();
    if (auto stored = ports.memory.store(kept); !stored) return fail(std::move(stored.error()));
    return undone;
  }
  Transaction transaction(ports, terms);
  if (auto begun = transaction.begin(std::move(changes), *records); !begun) {
    return fail(std::move(begun.error()));
  }
  if (auto made = transaction.make(gone_already); !made) {
    return transaction.give_up(std::move(made.error()));
  }
  if (auto stored = ports.memory.store(kept); !stored) {
    return transaction.give_up(std::move(stored.error()));
  }
  forget_names();
  if (auto committed = transaction.commit(); !committed) {
    return transaction.give_up(std::move(committed.error()));
  }
  return undone;
}

}  // namespace retour
