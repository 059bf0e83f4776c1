// SPDX-License-Identifier: Apache-2.0
#include "diagnose/gates.h"

#include <algorithm>
#include <array>

#include "model/fib.h"

namespace retour {

namespace {

constexpr std::array gates{Conf::rp_filter, Conf::arp_ignore, Conf::arp_filter};
constexpr GateOutcome assumed{1, 1, 0, {}, {}};

/// The host if every gate that nobody told us had this value.
Snapshot assume(Snapshot host, const GateOutcome& given) {
  const auto fill = [&](Conf gate, std::int32_t value) {
    // A missing `all` can settle every link at once; else each silent link takes the value.
    const bool all_missing = !host.conf_all.get(gate);
    if (all_missing) host.conf_all.set(gate, value);
    for (Link& link : host.links) {
      if (!link.conf.get(gate)) link.conf.set(gate, all_missing ? 0 : value);
    }
  };
  fill(Conf::rp_filter, given.rp_filter);
  fill(Conf::arp_ignore, given.arp_ignore);
  fill(Conf::arp_filter, given.arp_filter);
  return host;
}

}  // namespace

RoundTrip ask(const Snapshot& host, const Fib& fib, const Question& question) {
  return round_trip(host, fib, question.local, question.link, question.peer, *question.segments);
}

bool gates_known(const Snapshot& now, std::span<const IfIndex> links) {
  return std::ranges::all_of(links, [&](IfIndex index) {
    return now.link(index) != nullptr &&
           std::ranges::all_of(gates, [&](Conf gate) { return now.effective(index, gate).known; });
  });
}

Snapshot assume_gates(const Snapshot& now) { return assume(now, assumed); }

std::vector<RoundTrip> ask_every_gate(const Snapshot& now, std::span<const Question> questions) {
  const Snapshot base = assume_gates(now);
  const Fib base_fib(base);
  std::vector<RoundTrip> trips;
  for (const Question& question : questions) {
    trips.push_back(ask(base, base_fib, question));
    trips.back().gates_known = false;
  }
  // rp_filter 2 behaves as 0 here and is asked last, for hosts on which 0 cannot be.
  for (int bits = 0; bits < 12; ++bits) {
    const GateOutcome given{bits >> 2, (bits >> 1) & 1, bits & 1, {}, {}};
    const Snapshot host = assume(now, given);
    const Fib fib(host);
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const RoundTrip trip = ask(host, fib, questions[i]);
      GateOutcome outcome = given;
      // A gate that is known after all shows its real value, not the assumed one.
      outcome.rp_filter = host.effective(trip.link, Conf::rp_filter).value;
      outcome.arp_ignore = host.effective(trip.link, Conf::arp_ignore).value;
      outcome.arp_filter = host.effective(trip.link, Conf::arp_filter).value;
      outcome.verdict = trip.verdict;
      outcome.cause = trip.cause;
      auto& outcomes = trips[i].outcomes;
      const bool known = std::ranges::any_of(outcomes, [&](const GateOutcome& o) {
        const bool loose = outcome.rp_filter == 2 && o.rp_filter == 0;
        return (loose || o.rp_filter == outcome.rp_filter) && o.arp_ignore == outcome.arp_ignore &&
               o.arp_filter == outcome.arp_filter;
      });
      if (!known) outcomes.push_back(outcome);
    }
  }
  return trips;
}

}  // namespace retour
