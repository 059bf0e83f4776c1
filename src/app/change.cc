// SPDX-License-Identifier: Apache-2.0
#include "app/change.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <random>

#include "app/gate.h"
#include "app/keeper.h"
#include "diagnose/diagnose.h"
#include "os/privilege.h"

namespace retour {

namespace {

std::uint64_t random_id() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) | source();
}

void tell(const Settled& settled, const Console& console) {
  if (!settled.rolled_back) return;
  console.warn(fmt::format("an earlier change {}: taken back ({} steps)", settled.why,
                           settled.rolled_back->changes));
  for (const std::string& text : settled.rolled_back->left_alone) {
    console.warn("left as it is: " + text);
  }
}

/// The host to ourselves, and nothing half done on it.
struct Held {
  HostLock lock;
  Settled settled;
};

Result<Held> hold(LiveHost& host, const Console& console) {
  if (auto may = require_net_admin(); !may) return fail(std::move(may.error()));
  auto lock = host.lock();
  if (!lock) return fail(std::move(lock.error()));
  auto settled = settle(host.ports(), BootClock());
  if (!settled) return fail(std::move(settled.error()));
  tell(*settled, console);
  return Held{std::move(*lock), std::move(*settled)};
}

/// Rolled back now, whatever its deadline.
Result<std::optional<RolledBack>> take_back_waiting(LiveHost& host, const Settled& settled) {
  if (!settled.waiting) return std::optional<RolledBack>();
  auto back = roll_back(*settled.waiting, host.ports());
  if (!back) return fail(std::move(back.error()));
  return std::optional(std::move(*back));
}

Result<Cure> plan_here(LiveHost& host, const PolicyText& text) {
  const Policy& policy = text.policy;
  auto now = host.snapshot_with_segments(policy.segments);
  if (!now) return fail(std::move(now.error()));
  if (auto fine = check_policy(text, *now); !fine) return fail(std::move(fine.error()));
  Plan todo = plan(*now, policy, diagnose(*now, policy));
  if (todo.refused) {
    return fail({ErrorKind::contradiction, 0, "apply", "refused: " + *todo.refused,
                 "nothing was changed; retour plan shows the whole of it"});
  }
  return Cure{std::move(*now), std::move(todo), {}, {}, {}, {}};
}

/// A plan for the host as it is at this moment: it is looked at again.
Result<Cure> plan_what_is(LiveHost& host, const PolicyText& policy, const ApplyTerms& terms) {
  constexpr int attempts = 3;
  for (int attempt = 1;; ++attempt) {
    auto cure = plan_here(host, policy);
    if (!cure) return cure;
    if (!terms.expect.empty() && terms.expect != cure->plan.fingerprint) {
      return fail({ErrorKind::changed, 0, "apply",
                   fmt::format("the host changed since the plan: its fingerprint is {}, not {}",
                               cure->plan.fingerprint, terms.expect),
                   "nothing was changed; retour plan shows what it would be now"});
    }
    if (!cure->plan.pending()) return cure;
    const auto still = still_as_planned(cure->plan, *host.kernel);
    if (still) return cure;
    if (still.error().kind != ErrorKind::changed || attempt == attempts) {
      return fail(still.error());
    }
  }
}

}  // namespace

std::string when(std::chrono::nanoseconds deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::seconds>(deadline - BootClock().since_boot()).count();
  const std::time_t then = std::time(nullptr) + left;
  std::tm local{};
  localtime_r(&then, &local);
  return left > 0 ? fmt::format("in {} s, at {:%H:%M:%S}", left, local) : "at any moment";
}

Result<Cure> cure(LiveHost& host, const PolicyText& policy, const ApplyTerms& terms,
                  const Console& console) {
  const auto held = hold(host, console);
  if (!held) return fail(held.error());
  if (held->settled.waiting) {
    return fail(
        {ErrorKind::changed, 0, "apply",
         "a change waits to be confirmed; it is taken back " +
             when(held->settled.waiting->deadline),
         "nothing was changed now: retour confirm keeps it, retour rollback takes it back"});
  }
  const BootClock clock;
  Terms how;
  how.id = random_id();
  how.confirm_within = terms.confirm_within;
  how.clock = &clock;
  // Before the last look at the host, so that nothing stands between that and the first message.
  auto keeper = start_keeper(host, how.id);
  if (!keeper) return fail(keeper.error());
  auto cure = plan_what_is(host, policy, terms);
  if (!cure || !cure->plan.pending()) {
    keeper->dismiss();
    return cure;
  }
  std::optional<ProbeGate> gate;
  if (terms.probe) {
    auto measured = ProbeGate::measure(host.name, policy.policy.peers, console);
    if (!measured) return fail(std::move(measured.error()));
    gate.emplace(std::move(*measured));
    how.gate = [&] { return gate->pass(); };
    // That took its time.
    if (auto still = still_as_planned(cure->plan, *host.kernel); !still) {
      return fail(std::move(still.error()));
    }
  }
  auto applied = carry_out(cure->plan, policy.policy, host.ports(), how);
  if (!applied) return fail(std::move(applied.error()));
  cure->changes = applied->changes;
  if (gate) cure->probed = gate->summary();
  if (applied->deadline) {
    cure->confirm_within = terms.confirm_within;
  } else {
    keeper->dismiss();
  }
  if (applied->names) {
    cure->warning =
        applied->names->message() + " (tables keep their numbers, nothing else is lost)";
  }
  return cure;
}

Result<Undone> take_away(LiveHost& host, const Console& console) {
  const auto held = hold(host, console);
  if (!held) return fail(held.error());
  const auto back = take_back_waiting(host, held->settled);
  if (!back) return fail(back.error());
  Terms how;
  how.id = random_id();
  auto keeper = start_keeper(host, how.id);
  if (!keeper) return fail(keeper.error());
  auto undone = undo(host.ports(), how);
  if (!undone) return undone;
  keeper->dismiss();
  if (*back) undone->changes += (*back)->changes;
  return undone;
}

Result<bool> confirm(LiveHost& host, const Console& console) {
  const auto held = hold(host, console);
  if (!held) return fail(held.error());
  if (!held->settled.waiting) return false;
  if (auto cleared = host.journal->clear(); !cleared) return fail(std::move(cleared.error()));
  return true;
}

Result<std::optional<RolledBack>> take_back(LiveHost& host, const Console& console) {
  const auto held = hold(host, console);
  if (!held) return fail(held.error());
  if (held->settled.rolled_back) return held->settled.rolled_back;
  return take_back_waiting(host, held->settled);
}

}  // namespace retour
