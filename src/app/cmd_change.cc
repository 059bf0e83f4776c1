// SPDX-License-Identifier: Apache-2.0
//
// The verbs that change the host: apply, confirm, rollback, undo.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/change.h"
#include "app/persist.h"
#include "app/policy_file.h"
#include "app/verbs.h"
#include "diagnose/diagnose.h"
#include "text/printable.h"
#include "text/render_report.h"
#include "text/report_json.h"

namespace retour {

namespace {

std::string counted(std::size_t changes) {
  return fmt::format("{} change{}", changes, changes == 1 ? "" : "s");
}

struct ApplyOptions {
  bool runtime{};
  bool persist{};
  std::string root;           ///< of an image, for --persist; empty: this machine
  unsigned confirm_within{};  ///< seconds; 0 = it stays without a word
  std::string expect;
  std::string gate;  ///< "probe" or "none"; empty: as the policy file says
};

/// What the files of --persist are, for people.
void tell_persisted(const std::vector<std::string>& paths, const Console& console) {
  console.print("Made again at boot: " + printable(paths.front()) + "\n");
}

/// How to make it last, after what was made for now alone.
void tell_how_it_lasts(const Console& console) {
  console.say(
      "In the running kernel only: a reboot or a link going down takes parts of it away\n"
      "(apply again then).\n"
      "Make it again at each boot: retour apply --persist\n"
      "Let the program that owns the network make it: retour export\n"
      "Prove it on the wire: retour verify --peer IP\n"
      "Take it back: retour undo\n");
}

int apply_host(const Options& options, const ApplyOptions& how, const Console& console) {
  const auto policy = policy_of(options);
  if (!policy) return console.fail(policy.error());
  if (how.persist && how.confirm_within > 0) {
    return console.fail({ErrorKind::usage, 0, "--persist and --confirm-within",
                         "what may be taken back is not made to last",
                         "after retour confirm: retour apply --persist"});
  }
  std::optional<Persistence> persistence;
  if (how.persist) {
    auto prepared = Persistence::prepare(options, how.root);
    if (!prepared) return console.fail(prepared.error());
    persistence.emplace(std::move(*prepared));
  }
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  ApplyTerms terms;
  if (how.confirm_within > 0) terms.confirm_within = std::chrono::seconds(how.confirm_within);
  terms.expect = how.expect;
  terms.probe = how.gate.empty() ? policy->policy.gate == CommitGate::probe : how.gate == "probe";
  const auto done = cure(*host, *policy, terms, console);
  if (!done) return console.fail(done.error());
  if (!done->warning.empty()) console.warn(done->warning);
  std::vector<std::string> persisted;
  if (persistence) {
    auto paths = persistence->finish();
    if (!paths) return console.fail(paths.error());
    persisted = std::move(*paths);
    for (const std::string& note : persistence->notes()) console.note(note);
  }
  const Diagnosis& after = done->plan.after;
  if (console.json()) {
    console.print(json_applied(done->plan.rehearsed, done->changes, after, done->confirm_within,
                               done->probed, persisted));
    return exit_ok;
  }
  if (done->changes == 0) {
    console.print("Nothing to do: no change was made.\n");
    if (persistence) tell_persisted(persisted, console);
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
  if (!done->probed.empty()) console.print("Probed: " + done->probed + ".\n");
  if (done->confirm_within) {
    console.print(fmt::format("It is taken back in {} s unless you say: retour confirm\n",
                              done->confirm_within->count()));
  }
  std::size_t shown = 0;
  for (const Finding& finding : after.findings) {
    if (finding.severity != Severity::error || ++shown > 8) continue;
    console.say("Still: " + wrap(printable(finding.message), 7) + "\n");
  }
  if (persistence) {
    tell_persisted(persisted, console);
  } else if (!how.runtime && !done->confirm_within) {
    tell_how_it_lasts(console);
  }
  return exit_ok;
}

int undo_host(const Options& options, const std::string& root, const Console& console) {
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  auto undone = take_away(*host, console);
  if (!undone) return console.fail(undone.error());
  std::size_t files = 0;
  // What is made at boot is of the machine, or of an image, and not of a namespace of it.
  if (options.netns.empty() || !root.empty()) {
    const auto removed = remove_persistence(root, undone->left_alone);
    if (!removed) return console.fail(removed.error());
    files = *removed;
  }
  for (const std::string& text : undone->left_alone) console.warn("left as it is: " + text);
  if (console.json()) {
    const auto now = host->snapshot();
    if (!now) return console.fail(now.error());
    console.print(json_undone(*now, undone->changes, undone->left_alone, files));
  } else if (undone->changes == 0 && files > 0) {
    console.print(
        fmt::format("Removed {} file{}: nothing is made at boot.\n", files, files == 1 ? "" : "s"));
  } else if (undone->changes == 0) {
    console.print("Nothing to undo: retour owns nothing here.\n");
  } else {
    console.print(fmt::format("Undid {}: {}.\n", counted(undone->changes),
                              undone->complete ? "no rule, route or sysctl of retour is left"
                                               : "what is said above is still remembered"));
    if (files > 0) {
      console.print(fmt::format("Removed {} file{}: nothing is made at boot.\n", files,
                                files == 1 ? "" : "s"));
    }
  }
  return exit_ok;
}

int confirm_host(const Options& options, const Console& console) {
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  const auto waited = confirm(*host, console);
  if (!waited) return console.fail(waited.error());
  console.print(console.json() ? json_confirmed(*waited)
                : *waited      ? "Confirmed: the change stays.\n"
                               : "No change was waiting to be confirmed.\n");
  return *waited ? exit_ok : exit_findings;
}

int roll_back_host(const Options& options, const Console& console) {
  auto host = LiveHost::open(options.netns);
  if (!host) return console.fail(host.error());
  const auto back = take_back(*host, console);
  if (!back) return console.fail(back.error());
  const bool any = back->has_value();
  if (any) {
    for (const std::string& text : (*back)->left_alone) console.warn("left as it is: " + text);
  }
  if (console.json()) {
    console.print(json_rolled_back(any, any ? (*back)->changes : 0,
                                   any ? (*back)->left_alone : std::vector<std::string>{}));
  } else {
    console.print(any ? fmt::format("Took back {}: the host is as it was before.\n",
                                    counted((*back)->changes))
                      : "No change was waiting: nothing was taken back.\n");
  }
  return any ? exit_ok : exit_findings;
}

}  // namespace

void add_apply(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("apply", "Carry out the plan on the running kernel");
  static ApplyOptions how;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_policy(*verb, options);
  add_protection(*verb, options);
  CLI::Option* runtime =
      verb->add_flag("--runtime", how.runtime, "Only the running kernel is meant: no reminder");
  CLI::Option* persist =
      verb->add_flag("--persist", how.persist, "And at each boot, by a systemd unit");
  persist->excludes(runtime);
  add_root(*verb, how.root)->needs(persist);
  verb->add_option("--confirm-within", how.confirm_within,
                   "Taken back after this time unless confirmed")
      ->check(CLI::Range(1U, 86400U).description(""))
      ->type_name("SECS");
  verb->add_option("--gate", how.gate, "probe: whoever answered before must answer after")
      ->check(CLI::IsMember({"probe", "none"}))
      ->type_name("probe|none");
  verb->add_option("--expect", how.expect, "Only if the host is the one retour plan saw")
      ->type_name("FINGERPRINT");
  verb->callback(
      [&] { run = [&](const Console& console) { return apply_host(options, how, console); }; });
}

void add_confirm(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("confirm", "Keep what apply --confirm-within changed");
  add_common(*verb, options);
  add_netns(*verb, options);
  verb->callback(
      [&] { run = [&](const Console& console) { return confirm_host(options, console); }; });
}

void add_rollback(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("rollback", "Take back now what waits to be confirmed");
  add_common(*verb, options);
  add_netns(*verb, options);
  verb->callback(
      [&] { run = [&](const Console& console) { return roll_back_host(options, console); }; });
}

void add_undo(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("undo", "Take away everything that retour made");
  static std::string root;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_root(*verb, root);
  verb->callback(
      [&] { run = [&](const Console& console) { return undo_host(options, root, console); }; });
}

}  // namespace retour
