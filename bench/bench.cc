// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string_view>
#include <vector>

#include "bench/harness.h"
#include "bench/host.h"
#include "bench/rows.h"
#include "os/netns.h"

namespace retour::bench {

namespace {

struct Options {
  int rounds{9};
  bool json{};
};

Result<Options> parse(const std::vector<std::string_view>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      options.json = true;
    } else if (arguments[i] == "--rounds" && i + 1 < arguments.size()) {
      const std::string_view digits = arguments[++i];
      const char* end = digits.data() + digits.size();
      const auto read = std::from_chars(digits.data(), end, options.rounds);
      if (read.ec != std::errc{} || read.ptr != end || options.rounds < 1) {
        return fail({ErrorKind::usage, 0, fmt::format("--rounds {}", digits), "not a number ≥ 1"});
      }
    } else {
      return fail({ErrorKind::usage, 0, std::string(arguments[i]), "not an option",
                   "usage: retour_bench [--json] [--rounds N]"});
    }
  }
  return options;
}

Result<void> measure_host(unsigned nics, int rounds, std::vector<Outcome>& outcomes) {
  fmt::print(stderr, "retour_bench: a host with {} NICs\n", nics);
  const auto host = BenchHost::build(nics);
  if (!host) return fail(host.error());
  const auto netns = Netns::open(host->netns());
  if (!netns) return fail(netns.error());

  std::vector<Result<Outcome>> results;
  {
    const auto inside = InsideNetns::enter(*netns);
    if (!inside) return fail(inside.error());
    results.push_back(read_host(*host, rounds));
    results.push_back(apply_cure(*host, rounds));
    if (nics == 8) {
      results.push_back(lookup(*host, rounds, false));
      results.push_back(lookup(*host, rounds, true));
      results.push_back(load(rounds));
      results.push_back(cold_diagnose(*host, rounds, "cold diagnose", {"--segments", "flat"}));
      results.push_back(cold_diagnose(*host, rounds, "cold diagnose, measuring", {}));
    }
  }
  for (auto& result : results) {
    if (!result) return fail(result.error());
    outcomes.push_back(*std::move(result));
  }
  return {};
}

int main_with(const std::vector<std::string_view>& arguments) {
  const auto report = [](const Error& error) {
    fmt::print(stderr, "retour_bench: {}\n", error.message());
    if (!error.hint.empty()) fmt::print(stderr, "{}\n", error.hint);
    return error.kind == ErrorKind::usage ? 2 : 3;
  };
  const auto options = parse(arguments);
  if (!options) return report(options.error());
  std::vector<Outcome> outcomes;
  for (const unsigned nics : {8U, 64U, 256U}) {
    const auto done = measure_host(nics, options->rounds, outcomes);
    if (!done) return report(done.error());
  }
  fmt::print("{}",
             options->json ? json(outcomes, options->rounds) : table(outcomes, options->rounds));
  return 0;
}

}  // namespace

}  // namespace retour::bench

int main(int argc, char** argv) { return retour::bench::main_with({argv + 1, argv + argc}); }
