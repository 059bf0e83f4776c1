// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "app/verbs.h"

namespace retour {

void add_common(CLI::App& verb, Options& options) {
  verb.add_flag("--json", options.json, "Print JSON (a versioned document)");
  verb.add_flag("--no-color", options.no_color, "No colours, also on a terminal");
  verb.add_flag("-q,--quiet", options.quiet, "Only the result and errors");
}

void add_netns(CLI::App& verb, Options& options) {
  verb.add_option("--netns", options.netns, "Work on this network namespace (ip netns)")
      ->type_name("NAME");
}

void add_snapshot_file(CLI::App& verb, Options& options) {
  verb.add_option("--snapshot", options.snapshot, "Work on a saved snapshot instead (- = stdin)")
      ->type_name("FILE");
}

void add_segments(CLI::App& verb, Options& options) {
  verb.add_option("--segments", options.segments, "Who hears whom; auto: one broadcast frame a NIC")
      ->check(CLI::IsMember({"auto", "flat", "rails"}))
      ->type_name("auto|flat|rails");
}

void add_policy(CLI::App& verb, Options& options) {
  verb.add_option("--peer", options.peers, "A peer to ask about (repeatable); default: any peer")
      ->type_name("IP");
  add_segments(verb, options);
  add_policy_file(verb, options);
}

void add_policy_file(CLI::App& verb, Options& options) {
  verb.add_option("--policy", options.policy, "What is wanted; default: /etc/retour/retour.toml")
      ->type_name("FILE");
}

void add_protection(CLI::App& verb, Options& options) {
  verb.add_option("--protect", options.protect, "Refuse if a flow to it moves (repeatable)")
      ->type_name("PREFIX");
  verb.add_flag("--move-established", options.move_established,
                "Open TCP connections may change their NIC");
}

CLI::Option* add_root(CLI::App& verb, std::string& root) {
  return verb.add_option("--root", root, "Where the unit is: below this directory")
      ->type_name("DIR");
}

namespace {

int main(int argc, char** argv) {
  Options options;
  Run run;
  CLI::App app{
      "retour: in by which door, out by the same door.\n"
      "Finds, explains and cures the wrong-door problem of hosts with several NICs in\n"
      "one subnet.",
      "retour"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "retour " RETOUR_VERSION);
  app.get_formatter()->column_width(27);
  add_status(app, options, run);
  add_diagnose(app, options, run);
  add_explain(app, options, run);
  add_plan(app, options, run);
  add_apply(app, options, run);
  add_confirm(app, options, run);
  add_rollback(app, options, run);
  add_undo(app, options, run);
  add_verify(app, options, run);
  add_snapshot(app, options, run);
  add_export(app, options, run);
  add_import(app, options, run);
  add_lab(app, options, run);
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  if (argc > 1 && argv[1][0] != '-' && std::ranges::none_of(verbs, [&](const CLI::App* verb) {
        return verb->check_name(argv[1]);
      })) {
    return Console(options).fail(
        {ErrorKind::usage, 0, "no such verb", argv[1], "retour --help lists them"});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    std::cout.flush();
    if (std::cout.good()) return exit_ok;
    const int error = errno != 0 ? errno : EIO;
    return Console(options).fail(
        {ErrorKind::system, error, "write stdout", std::strerror(error), {}});
  } catch (const CLI::ParseError& error) {
    return Console(options).fail(
        {ErrorKind::usage, 0, error.what(), {}, "retour --help, or retour VERB --help"});
  }
  const Console console(options);
  return console.finish(run(console));
}

}  // namespace
}  // namespace retour

int main(int argc, char** argv) {
  // A limit on the size of files is to be an error of the write, which is told and taken back.
  std::signal(SIGXFSZ, SIG_IGN);
  return retour::main(argc, argv);
}
