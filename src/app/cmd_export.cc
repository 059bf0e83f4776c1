// SPDX-License-Identifier: Apache-2.0
//
// The verb that says what retour owns after a plan in the words of another program: export.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/host.h"
#include "app/policy_file.h"
#include "app/verbs.h"
#include "diagnose/diagnose.h"
#include "os/file_tree.h"
#include "os/networkd_files.h"
#include "text/export.h"

namespace retour {

namespace {

struct ExportOptions {
  std::string format;
  std::string to;
};

/// Only of a live host, and only of that one: /run is of the initial namespace.
NetworkFiles networkd_files_of(const Options& options) {
  const auto netns = Netns::current();
  const bool here = options.snapshot.empty() && options.netns.empty();
  return here && netns && netns->initial() ? networkd_files() : NetworkFiles{};
}

Result<Export> written_as(const std::string& format, const Native& all, const Options& options) {
  if (format == "iproute2") return export_iproute2(all);
  if (format == "networkd") return export_networkd(all, networkd_files_of(options));
  if (format == "networkmanager") return export_networkmanager(all);
  if (format == "netplan") return export_netplan(all);
  return export_ifupdown(all);
}

/// Sysctls that are ours already; a snapshot does not tell which are.
Result<std::vector<ConfRecord>> remembered(const Options& options) {
  if (!options.snapshot.empty()) return std::vector<ConfRecord>{};
  auto host = LiveHost::open(options.netns);
  if (!host) return fail(std::move(host.error()));
  return host->memory->load();
}

Result<Native> native_of(const Options& options) {
  const auto text = policy_of(options);
  if (!text) return fail(text.error());
  const Policy& policy = text->policy;
  const auto host = read_host(options, policy);
  if (!host) return fail(host.error());
  if (auto fine = check_policy(*text, *host); !fine) return fail(std::move(fine.error()));
  const Plan cure = plan(*host, policy, diagnose(*host, policy));
  if (cure.refused) {
    return fail({ErrorKind::contradiction, 0, "export", "refused: " + *cure.refused,
                 "retour plan shows the whole of it"});
  }
  const auto records = remembered(options);
  if (!records) return fail(records.error());
  return native(*host, cure, *records);
}

int export_host(const Options& options, const ExportOptions& how, const Console& console) {
  const auto all = native_of(options);
  if (!all) return console.fail(all.error());
  if (!options.snapshot.empty() && all->present) {
    console.note("sysctls that retour set before the snapshot was taken are not in it");
  }
  Export files;
  if (all->empty()) {
    files.notes.emplace_back("nothing to write: retour owns nothing here, and plans nothing");
  } else {
    auto written = written_as(how.format, *all, options);
    if (!written) return console.fail(written.error());
    files = std::move(*written);
  }
  if (!how.to.empty()) {
    auto tree = FileTree::stage(how.to, files.files);
    if (!tree) return console.fail(tree.error());
    if (auto done = tree->commit(); !done) return console.fail(done.error());
  }
  if (console.json()) {
    console.print(json_export(all->host, how.format, files));
    return exit_ok;
  }
  if (how.to.empty()) {
    console.print(render(files));
  } else {
    for (const NativeFile& file : files.files) {
      console.print(fmt::format("Wrote {}{}\n", how.to == "/" ? "" : how.to, file.path));
    }
  }
  for (const std::string& note : files.notes) console.note(note);
  return exit_ok;
}

}  // namespace

void add_export(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("export", "The same cure as another program's configuration");
  static ExportOptions how;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_snapshot_file(*verb, options);
  add_policy(*verb, options);
  verb->add_option("format", how.format, "Whose configuration")
      ->required()
      ->check(CLI::IsMember({"networkd", "networkmanager", "netplan", "ifupdown", "iproute2"})
                  .description(""))
      ->type_name("networkd|networkmanager|netplan|ifupdown|iproute2");
  verb->add_option("--to", how.to, "Write the files below this directory (/ = this host)")
      ->type_name("DIR");
  verb->callback(
      [&] { run = [&](const Console& console) { return export_host(options, how, console); }; });
}

}  // namespace retour
