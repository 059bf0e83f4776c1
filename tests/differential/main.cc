// SPDX-License-Identifier: Apache-2.0
//
// The model against the kernel: random hosts, each in a fresh network namespace, the same questions
// to both. `--hosts 0` runs without end. Exit code: 0 no mismatch, 1 a mismatch, 2 usage, 3 the run
// itself failed.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "differential/arp_trial.h"
#include "differential/generator.h"
#include "differential/shrink.h"
#include "differential/trial.h"
#include "differential/workers.h"

namespace retour::differential {
namespace {

struct Options {
  int family{4};
  std::uint64_t hosts{200};
  std::uint64_t first{0};
  std::size_t queries{100};
  std::uint64_t seed{1};
  unsigned jobs{std::max(1U, std::thread::hardware_concurrency())};
  std::uint64_t most{1};
  bool verbose{};
  bool print{};
  bool arp{};
};

Family family_of(const Options& options) { return options.family == 6 ? Family::v6 : Family::v4; }

std::string test_of(const Options& options) {
  return options.arp ? "--arp" : fmt::format("--family {}", options.family);
}

/// What is left of a difference when names and numbers are taken out: mismatches of one kind look
/// alike then.
std::string kind_of(const Mismatch& mismatch) {
  std::string kind = mismatch.oracle + (mismatch.query.iif.empty() ? " output " : " input ");
  bool in_word = false;
  std::string word;
  const auto flush = [&] {
    const bool number = word.find_first_of("0123456789") != std::string::npos;
    kind += number ? "N" : word;
    word.clear();
  };
  for (const char c : mismatch.difference) {
    in_word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == ':' || c == '_';
    if (in_word) {
      word += c;
    } else {
      flush();
      kind += c;
    }
  }
  flush();
  return kind;
}

Result<Tried> try_one(const Options& options, const Script& script, const AskAbout& ask,
                      Tally* tally) {
  if (options.arp) return try_arp_host(script, ask, tally);
  return try_host(script, ask, tally);
}

/// One mismatch in full, as small as it becomes.
std::string report(const Options& options, std::uint64_t host, const Script& script,
                   const Mismatch& found) {
  const std::string kind = kind_of(found);
  Mismatch last = found;
  bool again = false;
  const auto fails = [&](const Case& smaller) {
    const auto ask = [&](const Snapshot&) { return std::vector{smaller.query}; };
    const auto tried = try_one(options, smaller.script, ask, nullptr);
    if (!tried) return false;
    const auto same = std::find_if(tried->mismatches.begin(), tried->mismatches.end(),
                                   [&](const Mismatch& other) { return kind_of(other) == kind; });
    if (same == tried->mismatches.end()) return false;
    last = *same;
    again = true;
    return true;
  };
  Case smallest{script, found.query};
  const bool reproduced = fails(smallest);
  if (reproduced) smallest = shrink(std::move(smallest), fails);
  return fmt::format(
      "MISMATCH {} --seed {} --first {} --hosts 1{}\n{}  {}\n  model:  {}\n  kernel: {}\n"
      "  differs ({}): {}\n\n",
      test_of(options), options.seed, host, reproduced && again ? "" : "  (did not happen again)",
      words(smallest.script), options.arp ? arp_words(last.query) : words(last.query), last.model,
      last.kernel, last.oracle, last.difference);
}

class Worker {
 public:
  explicit Worker(const Options& options) : options_(options) {}

  bool operator()(std::uint64_t host, Tally& tally) {
    const std::uint64_t seed = seed_of(options_.seed, host);
    const Script script =
        options_.arp ? generate_arp_host(seed) : generate_host(seed, family_of(options_));
    if (options_.print) say(fmt::format("host {}\n{}\n", host, words(script)));
    const auto ask = [&](const Snapshot& snapshot) {
      Random random(seed ^ 0x5ca1ab1eULL);
      if (options_.arp) return make_arp_queries(random, snapshot, options_.queries);
      return make_queries(random, snapshot, family_of(options_), options_.queries);
    };
    const auto tried = try_one(options_, script, ask, &tally);
    if (!tried) {
      say(fmt::format("host {}: {}\n", host, tried.error().message()));
      ++tally.skipped_hosts;
      return tried.error().kind == ErrorKind::changed;
    }
    count_lines(script, tried->built, tally);
    for (const std::string& way : tried->never_taken) {
      if (options_.verbose) say(fmt::format("host {} never took {}\n", host, way));
    }
    for (const Mismatch& mismatch : tried->mismatches) {
      // One of a kind is shrunk; there may be thousands of the same.
      if (!kinds_.insert(kind_of(mismatch)).second) continue;
      say(report(options_, host, script, mismatch));
      if (kinds_.size() >= options_.most) return false;
    }
    return true;
  }

 private:
  void count_lines(const Script& script, const Built& built, Tally& tally) const {
    tally.lines += script.size();
    for (std::size_t i = 0; i < script.size(); ++i) {
      if (built.accepted[i]) {
        ++tally.accepted;
      } else if (options_.verbose) {
        say("refused: " + script[i].text + "\n");
      }
    }
  }

  const Options& options_;
  std::set<std::string> kinds_;
};

/// Why a run without a mismatch would say little.
std::string too_little(const Options& options, const Tally& total) {
  constexpr std::uint64_t long_enough = 1000;
  if (total.accepted * 100 < total.lines * 60) return "the kernel refused most of the scripts";
  if (options.arp) return total.arp_answered == 0 ? "nobody answered" : "";
  return total.hosts < long_enough ? "" : total.never_met(family_of(options));
}

int run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  Worker worker(options);
  const RunEnd end = run_workers(options.jobs, options.first, options.hosts, std::ref(worker));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  for (const std::string& death : end.deaths) fmt::print("{}\n", death);
  fmt::print("{}", end.total.report());
  fmt::print(
      "{}: seed {}, {} hosts, {} queries, {} mismatches, {:.1f} s ({:.0f} hosts/s, {} jobs)\n",
      options.arp ? "ARP" : fmt::format("IPv{}", options.family), options.seed, end.hosts,
      options.arp ? end.total.arp_requests : end.total.queries, end.total.mismatches, took.count(),
      static_cast<double>(end.hosts) / took.count(), options.jobs);
  if (!end.deaths.empty() || end.total.skipped_hosts > 0) return 3;
  if (const std::string missing = too_little(options, end.total); !missing.empty()) {
    fmt::print("the run shows less than it should: {}\n", missing);
    return end.total.mismatches == 0 ? 3 : 1;
  }
  return end.total.mismatches == 0 ? 0 : 1;
}

}  // namespace
}  // namespace retour::differential

int main(int argc, char** argv) {
  retour::differential::Options options;
  CLI::App app{"The model against the kernel, on random hosts."};
  app.add_option("--family", options.family)->check(CLI::IsMember({4, 6}));
  app.add_option("--hosts", options.hosts, "how many; 0: without end");
  app.add_option("--first", options.first, "number of the first host");
  app.add_option("--queries", options.queries, "questions to each host");
  app.add_option("--seed", options.seed, "the same seed makes the same hosts");
  app.add_option("--jobs", options.jobs, "worker processes");
  app.add_option("--kinds", options.most, "stop a worker after so many kinds of mismatch");
  app.add_flag("--verbose", options.verbose, "say what the kernel refused, and never took");
  app.add_flag("--arp", options.arp, "real ARP requests instead of questions about routes");
  app.add_flag("--print", options.print, "print the scripts");
  CLI11_PARSE(app, argc, argv);
  return retour::differential::run(options);
}
