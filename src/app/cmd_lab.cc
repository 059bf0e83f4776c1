// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/demo.h"
#include "app/verbs.h"
#include "lab/lab.h"

namespace retour {

namespace {

struct LabArguments {
  LabOptions options;
  std::string segments{"flat"};
  std::vector<std::string> settings;
};

Result<LabOptions> complete(const LabArguments& arguments) {
  LabOptions options = arguments.options;
  options.rails = arguments.segments == "rails";
  for (const std::string& setting : arguments.settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail({ErrorKind::usage, 0, "--set " + setting, "not of the form SYSCTL=VALUE",
                   "for example --set net.ipv4.conf.all.rp_filter=2, or b:net.ipv4.… for host b"});
    }
    options.sysctls.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return options;
}

using Json = nlohmann::ordered_json;

Json host_json(const LabHost& host) {
  Json nics = Json::array();
  for (std::size_t i = 0; i < host.nics.size(); ++i) {
    nics.push_back({{"link", host.nics[i]}, {"address", host.addresses[i].str()}});
  }
  return {{"netns", host.netns}, {"management", host.management}, {"nics", std::move(nics)}};
}

/// retour.lab/1: what stands now; no hosts after `down`.
void print_json(const Console& console, const std::string& name, const Lab* lab) {
  Json hosts = Json::array();
  if (lab != nullptr) hosts = {host_json(lab->a), host_json(lab->b)};
  console.print(
      Json{{"schema", "retour.lab/1"}, {"name", name}, {"hosts", std::move(hosts)}}.dump(2) + "\n");
}

int up(const LabArguments& arguments, const Console& console) {
  const auto options = complete(arguments);
  if (!options) return console.fail(options.error());
  const auto lab = lab_up(*options);
  if (!lab) return console.fail(lab.error());
  if (console.json()) {
    print_json(console, options->name, &*lab);
    return exit_ok;
  }
  const auto first = lab->a.addresses.front().str();
  console.print(fmt::format("Up: hosts {} and {}, {} fast NICs each, {}.\n", lab->a.netns,
                            lab->b.netns, lab->b.nics.size(),
                            options->rails ? "one segment a rail" : "one segment"));
  console.say(
      fmt::format("\n  retour diagnose --netns {1}\n"
                  "  retour verify --netns {1} --peer {2} --peer-netns {0}\n"
                  "  retour apply --netns {1}\n"
                  "  ip netns exec {1} bash\n\nTake it down: retour lab down{3}\n",
                  lab->a.netns, lab->b.netns, first,
                  options->name == LabOptions{}.name ? "" : " --name " + options->name));
  return exit_ok;
}

int down(const LabArguments& arguments, const Console& console) {
  if (auto gone = lab_down(arguments.options.name); !gone) return console.fail(gone.error());
  if (console.json()) {
    print_json(console, arguments.options.name, nullptr);
  } else {
    console.print("Down: nothing of the lab is left.\n");
  }
  return exit_ok;
}

}  // namespace

void add_lab(CLI::App& app, Options& options, Run& run) {
  static LabArguments arguments;
  CLI::App* verb = app.add_subcommand("lab", "The case in network namespaces: up, down, demo");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = verb->add_subcommand(name, help);
    add_common(*sub, options);
    sub->add_option("--name", arguments.options.name, "Of the lab; its namespaces begin so")
        ->type_name("NAME");
    return sub;
  };
  const auto add_shape = [&](CLI::App* sub) {
    sub->add_option("--nics", arguments.options.nics, "Fast NICs a host, default 8")
        ->check(CLI::Range(1, 64).description(""))
        ->type_name("N");
    sub->add_option("--segments", arguments.segments, "One segment, or one a rail")
        ->check(CLI::IsMember({"flat", "rails"}))
        ->type_name("flat|rails");
    sub->add_option("--set", arguments.settings, "Of both hosts, or a:… or b:… of one (repeatable)")
        ->type_name("SYSCTL=V");
  };
  CLI::App* sub_up = add("up", "Build two hosts and leave them standing");
  add_shape(sub_up);
  sub_up->callback([&] { run = [](const Console& console) { return up(arguments, console); }; });
  CLI::App* sub_down = add("down", "Remove every trace of it");
  sub_down->callback(
      [&] { run = [](const Console& console) { return down(arguments, console); }; });
  CLI::App* sub_demo = add("demo", "Symptom, diagnosis, cure, proof, and gone");
  sub_demo->callback([&] {
    run = [](const Console& console) {
      const auto shape = complete(arguments);
      return shape ? demo(*shape, console) : console.fail(shape.error());
    };
  });
}

}  // namespace retour
