// SPDX-License-Identifier: Apache-2.0
//
// The verbs that only read: status, diagnose, plan, snapshot, import.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/change.h"
#include "app/host.h"
#include "app/persist.h"
#include "app/policy_file.h"
#include "app/rehearse.h"
#include "app/verbs.h"
#include "diagnose/diagnose.h"
#include "os/managers.h"
#include "plan/plan.h"
#include "text/boot_unit.h"
#include "text/import.h"
#include "text/manager_words.h"
#include "text/printable.h"
#include "text/render_diagnosis.h"
#include "text/render_rehearsal.h"
#include "text/render_report.h"
#include "text/report_json.h"
#include "text/snapshot_json.h"

namespace retour {

namespace {

struct Reading {
  PolicyText policy;
  Snapshot host;
  Diagnosis diagnosis;
};

Result<Reading> read_and_diagnose(const Options& options) {
  auto policy = policy_of(options);
  if (!policy) return fail(std::move(policy.error()));
  auto host = read_host(options, policy->policy);
  if (!host) return fail(std::move(host.error()));
  if (auto fine = check_policy(*policy, *host); !fine) return fail(std::move(fine.error()));
  Diagnosis diagnosis = diagnose(*host, policy->policy);
  return Reading{std::move(*policy), std::move(*host), std::move(diagnosis)};
}

/// How long a change still waits for its word; and says so, or that one is under way or cut off.
std::optional<std::chrono::seconds> tell_journal(const Options& options, const Console& console) {
  const auto netns = options.netns.empty() ? Netns::current() : Netns::open(options.netns);
  if (!options.snapshot.empty() || !netns) return std::nullopt;
  const auto entry = journal_of(*netns)->load();
  if (!entry) console.warn(entry.error().message());
  if (!entry || !*entry) return std::nullopt;
  if ((*entry)->phase == JournalEntry::Phase::applying) {
    console.warn("a change is being made at this moment, or was cut off: retour rollback");
    return std::nullopt;
  }
  const auto deadline = (*entry)->deadline;
  console.say("A change waits: it is taken back " + when(deadline) +
              " unless you say: retour confirm\n\n");
  return std::chrono::ceil<std::chrono::seconds>(deadline - BootClock().since_boot());
}

/// Rules and routes show in the snapshot; sysctls that we changed are remembered beside it.
void tell_sysctls(const Options& options, const Console& console) {
  auto host = LiveHost::open(options.netns);
  if (!host) return;
  const auto records = host->memory->load();
  if (!records) {
    console.warn(records.error().message());
    return;
  }
  for (const ConfRecord& record : *records) {
    console.say(fmt::format("  net.ipv4.conf.{}.{} = {}, was {} before retour\n",
                            printable(record.link_name), info(record.conf).name, record.ours,
                            record.original));
  }
}

/// Of this machine alone: files and processes are its, and of none of its namespaces.
bool is_here(const Options& options) { return options.snapshot.empty() && options.netns.empty(); }

std::optional<std::vector<Configurator>> managers_here(const Options& options,
                                                       const std::string& root,
                                                       const Snapshot& host) {
  if (!is_here(options)) return std::nullopt;
  return managers(look_for_managers(root), host);
}

int status(const Options& options, const std::string& root, const Console& console) {
  const auto read = read_and_diagnose(options);
  if (!read) return console.fail(read.error());
  const auto others = managers_here(options, root, read->host);
  const auto persisted = is_here(options) ? std::optional(is_persisted(root)) : std::nullopt;
  const auto waits = tell_journal(options, console);
  console.print(console.json()
                    ? json_status(read->host, read->diagnosis, others, waits, persisted)
                    : render_status(read->host, read->diagnosis, others, console.style()));
  if (options.snapshot.empty()) tell_sysctls(options, console);
  if (persisted) {
    console.say(*persisted
                    ? fmt::format("Made again at boot: {}{}\n", printable(root), boot_unit_path)
                    : "Not made at boot: retour apply --persist\n");
  }
  return exit_ok;
}

int diagnose_host(const Options& options, const std::string& address, const Console& console) {
  DiagnosisView view;
  if (!address.empty()) {
    view.address = Ip::parse(address);
    if (!view.address) {
      return console.fail({ErrorKind::usage, 0, "--address " + address, "not an IP address", {}});
    }
  }
  const auto read = read_and_diagnose(options);
  if (!read) return console.fail(read.error());
  if (view.address && std::ranges::none_of(read->host.addresses, [&](const Address& own) {
        return own.local.address == *view.address;
      })) {
    return console.fail({ErrorKind::usage, 0, "--address " + address, "not an address of this host",
                         "retour status lists them"});
  }
  if (console.json()) {
    console.print(json_report(read->host, read->diagnosis));
  } else {
    console.print(render(read->host, read->diagnosis, view, console.style()));
    if (read->diagnosis.healthy()) {
      console.say(console.style().paint(Ink::green, "\nHealthy.") + "\n");
    } else {
      console.say("\nNext: retour plan shows the cure and what it would move.\n");
    }
  }
  return read->diagnosis.healthy() ? exit_ok : exit_findings;
}

/// Absent, with a warning where they should have been readable.
Connections open_connections(const Options& options, const Snapshot& host, const Console& console) {
  if (!options.snapshot.empty()) return std::nullopt;
  const auto live = LiveHost::open(options.netns);
  auto list = live ? live->connections(host) : fail(live.error());
  if (list) return std::move(*list);
  console.warn(list.error().message());
  return std::nullopt;
}

int plan_host(const Options& options, bool rehearsed, const Console& console) {
  const auto read = read_and_diagnose(options);
  if (!read) return console.fail(read.error());
  Plan cure = plan(read->host, read->policy.policy, read->diagnosis,
                   open_connections(options, read->host, console));
  std::optional<Rehearsal> rehearsal;
  if (rehearsed && !cure.refused) {
    auto done = rehearse_plan(read->host, cure);
    if (!done) return console.fail(done.error());
    rehearsal = std::move(*done);
  }
  const auto others = managers_here(options, "", read->host);
  if (console.json()) {
    const std::string document = json_report(read->host, cure, others);
    console.print(rehearsal ? with_rehearsal(document, *rehearsal) : document);
  } else {
    console.print(render(read->host, cure, console.style()));
    if (rehearsal) console.print(render(read->host, *rehearsal, console.style()));
    if (cure.pending() && !cure.refused && others) {
      console.say(render_threats(*others, console.style()));
    }
    if (cure.pending() && !cure.refused) {
      console.say("Of this host and no other: retour apply --expect " + cure.fingerprint + "\n");
    }
    if (!cure.pending() && !read->diagnosis.healthy()) {
      console.say("The findings that remain are not for routing to mend: retour diagnose\n");
    }
  }
  if (cure.refused) return exit_failed;
  return cure.pending() ? exit_findings : exit_ok;
}

int take_snapshot(const Options& options, const Console& console) {
  const auto policy = command_line_policy(options);
  if (!policy) return console.fail(policy.error());
  const auto host = read_host(options, *policy);
  if (!host) return console.fail(host.error());
  console.print(to_json(*host));
  return exit_ok;
}

struct ImportFiles {
  std::string addr, link, route, rule, neigh, nexthop, rt_tables, sysctl;
  std::vector<std::string> route_tables;  ///< TABLE=FILE
};

Result<NamedText> named_text(const std::string& path) {
  auto text = read_input(path);
  if (!text) return fail(std::move(text.error()));
  return NamedText{path, std::move(*text)};
}

Result<TableText> table_text(const std::string& option) {
  const auto equals = option.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == option.size()) {
    return fail({ErrorKind::usage, 0, "--route-table " + printable(option), "not TABLE=FILE",
                 "for example --route-table 200=table200.txt"});
  }
  auto text = named_text(option.substr(equals + 1));
  if (!text) return fail(std::move(text.error()));
  return TableText{option.substr(0, equals), std::move(*text)};
}

int import_host(const ImportFiles& files, const Console& console) {
  ImportTexts texts;
  const std::pair<const std::string*, std::optional<NamedText>*> inputs[] = {
      {&files.addr, &texts.addr},     {&files.link, &texts.link},
      {&files.route, &texts.route},   {&files.rule, &texts.rule},
      {&files.neigh, &texts.neigh},   {&files.nexthop, &texts.nexthop},
      {&files.sysctl, &texts.sysctl}, {&files.rt_tables, &texts.rt_tables},
  };
  for (const auto& [path, into] : inputs) {
    if (path->empty()) continue;
    auto text = named_text(*path);
    if (!text) return console.fail(text.error());
    *into = std::move(*text);
  }
  for (const std::string& option : files.route_tables) {
    auto text = table_text(option);
    if (!text) return console.fail(text.error());
    texts.route_tables.push_back(std::move(*text));
  }
  if (!texts.addr && !texts.route) {
    return console.fail({ErrorKind::usage, 0, "import", "nothing to import",
                         "give at least --route FILE (the output of `ip route`) or --addr FILE"});
  }
  const auto host = import_texts(texts);
  if (!host) return console.fail(host.error());
  const std::string& source = files.route.empty() ? files.addr : files.route;
  if (const auto whole = check_whole(*host, source); !whole) return console.fail(whole.error());
  // `lo` is always put in; a host of nothing else was in none of the texts.
  if (std::ranges::all_of(host->links, &Link::loopback)) {
    return console.fail({ErrorKind::parse, 0, "read " + source, "it names no NIC",
                         "expected the output of `ip route` or `ip addr`"});
  }
  console.print(to_json(*host));
  for (const std::string& note : host->notes) console.note(note);
  return exit_ok;
}

}  // namespace

void add_status(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("status", "What this host is, and what retour owns on it");
  static std::string root;
  add_root(*verb, root);
  add_common(*verb, options);
  add_netns(*verb, options);
  add_snapshot_file(*verb, options);
  add_segments(*verb, options);
  add_policy_file(*verb, options);
  verb->callback(
      [&] { run = [&](const Console& console) { return status(options, root, console); }; });
}

void add_diagnose(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb =
      app.add_subcommand("diagnose", "Find wrong doors and lost packets; exit 1 if any");
  static std::string address;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_snapshot_file(*verb, options);
  add_policy(*verb, options);
  verb->add_option("--address", address, "Show only what concerns this local address")
      ->type_name("IP");
  verb->callback([&] {
    run = [&](const Console& console) { return diagnose_host(options, address, console); };
  });
}

void add_plan(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("plan", "The cure, its impact, its proof; exit 1 if pending");
  add_common(*verb, options);
  add_netns(*verb, options);
  add_snapshot_file(*verb, options);
  add_policy(*verb, options);
  add_protection(*verb, options);
  static bool rehearsed = false;
  verb->add_flag("--rehearse", rehearsed, "Try it on a clone of the host, in a namespace");
  verb->callback([&] {
    run = [&](const Console& console) { return plan_host(options, rehearsed, console); };
  });
}

void add_snapshot(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("snapshot", "This host as JSON, for --snapshot elsewhere");
  add_common(*verb, options);
  add_netns(*verb, options);
  add_segments(*verb, options);
  verb->callback(
      [&] { run = [&](const Console& console) { return take_snapshot(options, console); }; });
}

void add_import(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb =
      app.add_subcommand("import", "A snapshot from pasted `ip` output of another host");
  static ImportFiles files;
  add_common(*verb, options);
  const auto file = [&](const char* name, std::string& into, const char* help) {
    verb->add_option(name, into, help)->type_name("FILE");
  };
  file("--addr", files.addr, "ip addr");
  file("--link", files.link, "ip link");
  file("--route", files.route, "ip route, better: ip route show table all");
  file("--rule", files.rule, "ip rule");
  verb->add_option("--route-table", files.route_tables,
                   "One table's own list, which does not name it")
      ->type_name("TABLE=FILE");
  file("--neigh", files.neigh, "ip neigh");
  file("--nexthop", files.nexthop, "ip nexthop");
  file("--rt-tables", files.rt_tables, "/etc/iproute2/rt_tables");
  file("--sysctl", files.sysctl, "sysctl -a");
  verb->callback([&] { run = [](const Console& console) { return import_host(files, console); }; });
}

}  // namespace retour
