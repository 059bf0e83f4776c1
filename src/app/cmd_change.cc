// SPDX-License-Identifier: Apache-2.0
//
// The verbs that change the host: apply, undo.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/change.h"
#include "app/verbs.h"
#include "diagnose/diagnose.h"
#include "engine/transaction.h"
#include "os/privilege.h"
#include "text/printable.h"
#include "text/render_report.h"
#include "text/report_json.h"

namespace retour {

Result<Cure> cure(LiveHost& host, const Policy& policy) {
  if (auto may = require_net_admin(); !may) return fail(std::move(may.error()));
  const auto lock = host.lock();
  if (!lock) return fail(lock.error());
  auto now = host.snapshot_with_segments(policy.segments);
  if (!now) return fail(std::move(now.error()));
  if (auto fine = check_peers(*now, policy); !fine) return fail(std::move(fine.error()));
  Plan todo = plan(*now, policy, diagnose(*now, policy));
  if (todo.refused) {
    return fail({ErrorKind::contradiction, 0, "apply", "refused: " + *todo.refused,
                 "nothing was changed; retour plan shows the whole of it"});
  }
  Cure cure{std::move(*now), std::move(todo), {}, {}};
  if (cure.plan.pending()) {
    auto applied = carry_out(cure.plan, policy, *host.kernel, *host.memory);
    if (!applied) return fail(std::move(applied.error()));
    cure.changes = applied->changes;
    if (auto named = host.table_names->write(cure.plan.tables); !named) {
      cure.warning = named.error().message() + " (tables keep their numbers, nothing else is lost)";
    }
  }
  return cure;
}

Result<Undone> take_away(LiveHost& host) {
  if (auto may = require_net_admin(); !may) return fail(std::move(may.error()));
  const auto lock = host.lock();
  if (!lock) return fail(lock.error());
  auto undone = undo(*host.kernel, *host.memory);
  if (!undone) return undone;
  if (auto named = host.table_names->write({}); !named) {
    undone->left_alone.push_back(named.error().message());
  }
  return undone;
}

namespace {

std::string counted(std::size_t changes) {
  return fmt::format("{} change{}", changes, changes == 1 ? "" : "s");
}

int apply_host(const Options& options, bool runtime, const Console& console) {
  const auto policy = policy_of(options);
  if (!policy) return console.fail(policy.error());
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  const auto done = cure(*host, *policy);
  if (!done) return console.fail(done.error());
  if (!done->warning.empty()) console.warn(done->warning);
  const Diagnosis& after = done->plan.after;
  if (console.json()) {
    console.print(json_applied(done->plan.rehearsed, done->changes, after));
    return exit_ok;
  }
  if (done->changes == 0) {
    console.print("Nothing to do: no change was made.\n");
    if (!after.healthy()) {
      console.say("The findings that remain are not for routing to mend: retour diagnose\n");
    }
    return exit_ok;
  }
  console.say(render(done->before, done->plan, console.style()));
  const auto same =
      std::ranges::count(after.round_trips, DoorVerdict::same_door, &RoundTrip::verdict);
  console.print(fmt::format("Applied {} and re-read the host: {} of {} same-door.\n",
                            counted(done->changes), same, after.round_trips.size()));
  std::size_t shown = 0;
  for (const Finding& finding : after.findings) {
    if (finding.severity != Severity::error || ++shown > 8) continue;
    console.say("Still: " + wrap(printable(finding.message), 7) + "\n");
  }
  if (!runtime) {
    console.say(
        "In the running kernel only: a reboot or a link going down takes parts of it away\n"
        "(apply again then). Prove it on the wire: retour verify --peer IP\n"
        "Take it back: retour undo\n");
  }
  return exit_ok;
}

int undo_host(const Options& options, const Console& console) {
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  const auto undone = take_away(*host);
  if (!undone) return console.fail(undone.error());
  for (const std::string& text : undone->left_alone) console.warn("left as it is: " + text);
  if (console.json()) {
    const auto now = host->snapshot();
    if (!now) return console.fail(now.error());
    console.print(json_undone(*now, undone->changes, undone->left_alone));
  } else if (undone->changes == 0) {
    console.print("Nothing to undo: retour owns nothing here.\n");
  } else {
    console.print(fmt::format("Undid {}: {}.\n", counted(undone->changes),
                              undone->complete ? "no rule, route or sysctl of retour is left"
                                               : "what is said above is still remembered"));
  }
  return exit_ok;
}

}  // namespace

void add_apply(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("apply", "Carry out the plan on the running kernel");
  static bool runtime = false;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_policy(*verb, options);
  verb->add_flag("--runtime", runtime, "Only the running kernel is meant: no reminder");
  verb->callback(
      [&] { run = [&](const Console& console) { return apply_host(options, runtime, console); }; });
}

void add_undo(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("undo", "Take away everything that retour made");
  add_common(*verb, options);
  add_netns(*verb, options);
  verb->callback(
      [&] { run = [&](const Console& console) { return undo_host(options, console); }; });
}

}  // namespace retour
