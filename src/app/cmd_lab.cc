// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

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

int up(const LabArguments& arguments, const Console& console) {
  const auto options = complete(arguments);
  if (!options) return console.fail(options.error());
  const auto lab = lab_up(*options);
  if (!lab) return console.fail(lab.error());
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
  console.print("Down: nothing of the lab is left.\n");
  return exit_ok;
}

}  // namespace

void add_lab(CLI::App& app, Options& options, Run& run) {
  static LabArguments arguments;
  CLI::App* verb = app.add_subcommand("lab", "The case in network namespaces: up, down, demo");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* sub = verb->add_subcommand(name, help);
    sub->add_flag("--no-color", options.no_color, "No colours, also on a terminal");
    sub->add_flag("-q,--quiet", options.quiet, "Only the result and errors");
    sub->add_option("--name", arguments.options.name, "Of the lab; its namespaces begin so")
        ->type_name("NAME");
    return sub;
  };
  const auto add_shape = [&](CLI::App* sub) {
    sub->add_option("--nics", arguments.options.nics, "Fast NICs a host, default 8")
        ->check(CLI::Range(1, 64))
        ->type_name("N");
    sub->add_option("--segments", arguments.segments, "One segment, or one a rail")
        ->check(CLI::IsMember({"flat", "rails"}))
        ->type_name("flat|rails");
    sub->add_option("--set", arguments.settings,
                    "A sysctl of both hosts, or a:… or b:… of one (repeatable)")
        ->type_name("SYSCTL=V");
  };
  CLI::App* sub_up = add("up", "Build two hosts and leave them standing");
  add_shape(sub_up);
  sub_up->callback([&] { run = [](const Console& console) { return up(arguments, console); }; });
  CLI::App* sub_down = add("down", "Remove every trace of it");
  sub_down->callback(
      [&] { run = [](const Console& console) { return down(arguments, console); }; });
  CLI::App* sub_demo = add("demo", "The whole story: symptom, diagnosis, cure, proof, and gone");
  sub_demo->callback([&] {
    run = [](const Console& console) {
      const auto shape = complete(arguments);
      return shape ? demo(*shape, console) : console.fail(shape.error());
    };
  });
}

}  // namespace retour
