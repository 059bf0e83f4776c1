// SPDX-License-Identifier: Apache-2.0
#include "engine/recover.h"

#include <cerrno>

namespace retour {

namespace {

bool adds(const Change& change) {
  return std::holds_alternative<AddRoute>(change.operation) ||
         std::holds_alternative<AddRule>(change.operation);
}

/// Others moved on: what we want to take away is gone, or what we want to bring back has no place.
bool moot(const Change& change, const Error& error) {
  const int errnum = error.errnum;
  if (!adds(change)) return errnum == ENOENT || errnum == ESRCH || errnum == ENODEV;
  return errnum == EEXIST || errnum == ENETDOWN || errnum == ENETUNREACH || errnum == ENODEV;
}

/// One pass over what is left to do. Returns what the kernel refused though it could be done.
std::optional<Error> take_back(Kernel& kernel, const std::vector<Change>& left,
                               RolledBack& result) {
  const auto outcomes = kernel.apply(left);
  std::optional<Error> stuck;
  result.left_alone.clear();  // the last pass tells
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i]) {
      ++result.changes;
    } else if (moot(left[i], *outcomes[i])) {
      if (adds(left[i])) result.left_alone.push_back(outcomes[i]->message());
    } else if (!stuck) {
      stuck = outcomes[i];
    }
  }
  return stuck;
}

}  // namespace

Result<Snapshot> read_patiently(Kernel& kernel) {
  constexpr int patience = 20;
  auto now = kernel.snapshot();
  for (int i = 1; i < patience && !now && now.error().kind == ErrorKind::changed; ++i) {
    now = kernel.snapshot();
  }
  return now;
}

Result<RolledBack> roll_back(const JournalEntry& entry, const Ports& ports) {
  constexpr int passes = 3;  // an answer may get lost; what was done shows in the next
  RolledBack result;
  std::optional<Error> stuck;
  for (int pass = 0; pass < passes; ++pass) {
    const auto now = read_patiently(ports.kernel);
    if (!now) return fail(now.error());
    const std::vector<Change> left = way_back(*now, entry.changes);
    if (left.empty()) {
      stuck.reset();
      break;
    }
    stuck = take_back(ports.kernel, left, result);
    if (!stuck) break;
  }
  if (stuck) return fail(std::move(*stuck));
  if (auto stored = ports.memory.store(entry.records_before); !stored) {
    return fail(std::move(stored.error()));
  }
  if (entry.tables_before) {
    // Cosmetic: they never keep a host from being as it was.
    if (auto named = ports.names.write(*entry.tables_before); !named) {
      result.left_alone.push_back(named.error().message());
    }
  }
  if (auto cleared = ports.journal.clear(); !cleared) return fail(std::move(cleared.error()));
  return result;
}

Result<Settled> settle(const Ports& ports, const Clock& clock) {
  auto found = ports.journal.load();
  if (!found) return fail(std::move(found.error()));
  Settled settled;
  if (!*found) return settled;
  const bool cut_off = (*found)->phase == JournalEntry::Phase::applying;
  if (!cut_off && clock.since_boot() < (*found)->deadline) {
    settled.waiting = std::move(*found);
    return settled;
  }
  auto rolled_back = roll_back(**found, ports);
  if (!rolled_back) return fail(std::move(rolled_back.error()));
  settled.rolled_back = std::move(*rolled_back);
  settled.why = cut_off ? "was cut off" : "was not confirmed in time";
  return settled;
}

}  // namespace retour
