// SPDX-License-Identifier: Apache-2.0
#include "bench/harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace retour::bench {

namespace {

Result<Nanoseconds> once(const Subject& subject) {
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(subject.repeat));
  for (int i = 0; i < subject.repeat; ++i) {
    const auto time = subject.run();
    if (!time) return fail(time.error());
    times.push_back(*time);
  }
  return spread(std::move(times)).median;
}

std::string time_text(Nanoseconds time) {
  if (time < 1e3) return fmt::format("{:.1f} ns", time);
  if (time < 1e6) return fmt::format("{:.1f} us", time / 1e3);
  return fmt::format("{:.2f} ms", time / 1e6);
}

std::string ratio_text(const Spread& ratio) {
  return fmt::format("{:.2f} ({:.2f}-{:.2f})", ratio.median, ratio.low, ratio.high);
}

nlohmann::json to_json(const Spread& spread) {
  return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}};
}

}  // namespace

Spread spread(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Result<Outcome> measure(const Row& row, int rounds) {
  std::vector<double> ours, limit, anchor, to_limit, to_anchor;
  for (int round = -1; round < rounds; ++round) {
    const auto a = once(row.ours);
    if (!a) return fail(a.error());
    const auto b = once(row.limit);
    if (!b) return fail(b.error());
    Result<Nanoseconds> c = 0;
    if (row.anchor) c = once(*row.anchor);
    if (!c) return fail(c.error());
    if (round < 0) continue;
    ours.push_back(*a);
    limit.push_back(*b);
    anchor.push_back(*c);
    to_limit.push_back(*a / *b);
    to_anchor.push_back(*c / *a);
  }
  Outcome outcome{row.name, spread(ours), spread(limit), {}, spread(to_limit), {}};
  if (row.anchor) {
    outcome.anchor = spread(anchor);
    outcome.anchor_per_ours = spread(to_anchor);
  }
  return outcome;
}

std::string table(const std::vector<Outcome>& outcomes, int rounds) {
  std::string text = fmt::format("{:<26}{:>10}{:>10}{:>10}  {:<22}{}\n", "work", "ours", "limit",
                                 "anchor", "ours / limit", "anchor / ours");
  for (const Outcome& outcome : outcomes) {
    text += fmt::format("{:<26}{:>10}{:>10}{:>10}  {:<22}{}\n", outcome.name,
                        time_text(outcome.ours.median), time_text(outcome.limit.median),
                        outcome.anchor ? time_text(outcome.anchor->median) : "",
                        ratio_text(outcome.ours_per_limit),
                        outcome.anchor_per_ours ? ratio_text(*outcome.anchor_per_ours) : "");
  }
  return text + fmt::format("{} rounds; medians, (lowest-highest) of the rounds\n", rounds);
}

std::string json(const std::vector<Outcome>& outcomes, int rounds) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Outcome& outcome : outcomes) {
    nlohmann::json row{{"name", outcome.name},
                       {"ours_ns", to_json(outcome.ours)},
                       {"limit_ns", to_json(outcome.limit)},
                       {"ours_per_limit", to_json(outcome.ours_per_limit)}};
    if (outcome.anchor) row["anchor_ns"] = to_json(*outcome.anchor);
    if (outcome.anchor_per_ours) row["anchor_per_ours"] = to_json(*outcome.anchor_per_ours);
    rows.push_back(std::move(row));
  }
  return nlohmann::json{{"schema", "retour.bench/1"}, {"rounds", rounds}, {"rows", rows}}.dump(2) +
         "\n";
}

}  // namespace retour::bench
