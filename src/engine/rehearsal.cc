// SPDX-License-Identifier: Apache-2.0
#include "engine/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "model/fib.h"
#include "plan/describe.h"
#include "plan/likeness.h"

namespace retour {

namespace {

constexpr std::size_t most_flows = 16384;

/// RTM_GETROUTE of a received IPv6 packet judges neither its addresses nor forwarding.
Lookup as_the_kernel_answers(const Fib& fib, const Flow& flow) {
  if (!flow.iif) return fib.output(flow);
  return flow.dst.is_v4() ? fib.input(flow) : fib.forward(flow);
}

std::string in_words(const Snapshot& host, const Lookup& lookup) {
  std::string text(name(lookup.verdict));
  if (lookup.gateway) text += " via " + lookup.gateway->str();
  if (lookup.link.value != 0) text += " dev " + host.link_name(lookup.link);
  if (lookup.source) text += " src " + lookup.source->str();
  if (lookup.table.value != 0) text += fmt::format(" table {}", lookup.table.value);
  return text;
}

class Trial {
 public:
  Trial(Kernel& clone, std::vector<Flow> flows, Rehearsal& out)
      : clone_(clone), flows_(std::move(flows)), out_(out) {}

  /// `there`: the clone as it was read.
  [[nodiscard]] Result<void> ask(const Snapshot& host, const Snapshot& there, bool after) {
    const auto answers = clone_.ask(flows_);
    if (!answers) return fail(answers.error());
    const Fib fib(host);
    const Fib of_clone(there);
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      const Lookup lookup = as_the_kernel_answers(fib, flows_[i]);
      const Answer& answer = (*answers)[i];
      ++out_.flows;
      if (difference(host, lookup, answer).empty()) {
        ++out_.agreed;
        continue;
      }
      const auto explained = [&] {
        const Lookup by_clone = as_the_kernel_answers(of_clone, flows_[i]);
        return difference(there, by_clone, answer).empty();
      };
      if (!out_.not_cloned.empty() && explained()) {
        ++out_.unlike;
        continue;
      }
      out_.differences.push_back(
          {words_for(flows_[i], host), after, in_words(host, lookup), describe(host, answer)});
    }
    return {};
  }

 private:
  Kernel& clone_;
  std::vector<Flow> flows_;
  Rehearsal& out_;
};

void note_missing(const std::vector<std::string>& missing, Rehearsal& out) {
  for (const std::string& what : missing) {
    const bool said = std::ranges::any_of(
        out.not_cloned, [&](const std::string& each) { return each.starts_with(what + ": "); });
    if (!said) out.not_cloned.push_back(what);
  }
}

/// What the changes did to the clone otherwise than to the model's host.
void compare_results(const Unlike& before, const Unlike& after, Rehearsal& out) {
  const auto fresh = [](const std::vector<std::string>& was, const std::vector<std::string>& is) {
    const std::set<std::string> known(was.begin(), was.end());
    std::vector<std::string> only;
    std::ranges::copy_if(is, std::back_inserter(only),
                         [&](const std::string& each) { return !known.contains(each); });
    return only;
  };
  for (const std::string& what : fresh(before.missing, after.missing)) {
    out.differences.push_back({what, true, "it is there", "has none"});
  }
  for (const std::string& what : fresh(before.surplus, after.surplus)) {
    out.differences.push_back({what, true, "there is none", "has it"});
  }
}

}  // namespace

Result<Rehearsal> rehearse_on(Kernel& clone, const Snapshot& host, const Plan& plan,
                              const std::vector<std::string>& declined) {
  Rehearsal out;
  out.not_cloned = declined;
  auto there = clone.snapshot();
  if (!there) return fail(std::move(there.error()));
  out.kernel = there->kernel;
  // Kernels differ, and this is the one that is asked.
  Snapshot before = host;
  Snapshot after = plan.rehearsed;
  before.kernel = after.kernel = there->kernel;
  const Unlike at_first = unlike(before, *there);
  note_missing(at_first.missing, out);
  for (const std::string& what : at_first.surplus) {
    out.differences.push_back({what, false, "there is none", "has it"});
  }
  Trial trial(clone, flows_to_ask(before, plan, most_flows), out);
  if (auto asked = trial.ask(before, *there, false); !asked) return fail(asked.error());
  if (plan.changes.empty()) return out;

  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto outcomes = clone.apply(plan.changes);
  out.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i]) {
      ++out.changes;
    } else {
      out.differences.push_back(
          {describe(plan.changes[i], &before), true, "it is done", outcomes[i]->why});
    }
  }
  there = clone.snapshot();
  if (!there) return fail(std::move(there.error()));
  compare_results(at_first, unlike(after, *there), out);
  if (auto asked = trial.ask(after, *there, true); !asked) return fail(asked.error());
  return out;
}

}  // namespace retour
