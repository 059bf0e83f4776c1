// SPDX-License-Identifier: Apache-2.0
//
// The verbs. Each adds itself to the command line; its callback wires the layers together and
// returns an exit code.
#pragma once

#include <functional>

#include "app/options.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace retour {

/// What main() runs once the command line is parsed; set by the verb that was named.
using Run = std::function<int(const Console&)>;

void add_status(CLI::App& app, Options& options, Run& run);
void add_diagnose(CLI::App& app, Options& options, Run& run);
void add_explain(CLI::App& app, Options& options, Run& run);
void add_plan(CLI::App& app, Options& options, Run& run);
void add_apply(CLI::App& app, Options& options, Run& run);
void add_confirm(CLI::App& app, Options& options, Run& run);
void add_rollback(CLI::App& app, Options& options, Run& run);
void add_undo(CLI::App& app, Options& options, Run& run);
void add_verify(CLI::App& app, Options& options, Run& run);
void add_snapshot(CLI::App& app, Options& options, Run& run);
void add_export(CLI::App& app, Options& options, Run& run);
void add_import(CLI::App& app, Options& options, Run& run);
void add_lab(CLI::App& app, Options& options, Run& run);

/// Options that several verbs share.
void add_common(CLI::App& verb, Options& options);
void add_netns(CLI::App& verb, Options& options);
void add_snapshot_file(CLI::App& verb, Options& options);
void add_segments(CLI::App& verb, Options& options);
void add_policy(CLI::App& verb, Options& options);
void add_policy_file(CLI::App& verb, Options& options);
/// What a plan may not move.
void add_protection(CLI::App& verb, Options& options);
/// Where the files are that make it last; empty: this machine.
CLI::Option* add_root(CLI::App& verb, std::string& root);

}  // namespace retour
