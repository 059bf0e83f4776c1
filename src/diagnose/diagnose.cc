// SPDX-License-Identifier: Apache-2.0
#include "diagnose/diagnose.h"

#include <algorithm>
#include <array>
#include <map>

#include "diagnose/checks/checks.h"
#include "diagnose/gates.h"
#include "diagnose/questions.h"
#include "diagnose/subnets.h"
#include "model/fib.h"

namespace retour {

std::string_view name(Severity severity) {
  static constexpr std::array<std::string_view, 3> names{"error", "warning", "info"};
  static_assert(names.size() == static_cast<std::size_t>(Severity::info) + 1);
  return names[static_cast<std::size_t>(severity)];
}

std::string_view name(SegmentsKnown known) {
  static constexpr std::array<std::string_view, 3> names{"assumed", "told", "measured"};
  static_assert(names.size() == static_cast<std::size_t>(SegmentsKnown::measured) + 1);
  return names[static_cast<std::size_t>(known)];
}

bool Diagnosis::healthy() const {
  return std::ranges::none_of(findings,
                              [](const Finding& f) { return f.severity == Severity::error; });
}

Diagnosis diagnose(const Snapshot& now, const Policy& policy) {
  Diagnosis diagnosis;
  diagnosis.subnets = shared_subnets(now, policy);
  const std::vector<SharedSubnet> routed = routed_prefixes(now, policy, diagnosis.subnets);
  diagnosis.subnets.insert(diagnosis.subnets.end(), routed.begin(), routed.end());
  const std::vector<Question> all = questions(now, diagnosis.subnets, policy);
  diagnosis.round_trips.resize(all.size());
  const Fib fib(now);
  std::map<const std::vector<Segment>*, bool> known;
  for (const SharedSubnet& subnet : diagnosis.subnets) {
    Segment links;
    for (const auto& member : subnet.members) links.push_back(member.link);
    known[&subnet.segments] = !subnet.prefix.address.is_v4() || gates_known(now, links);
  }
  std::vector<Question> open;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (known[all[i].segments]) {
      diagnosis.round_trips[i] = ask(now, fib, all[i]);
    } else {
      open.push_back(all[i]);
      places.push_back(i);
    }
  }
  if (!open.empty()) {
    std::vector<RoundTrip> trips = ask_every_gate(now, open);
    for (std::size_t i = 0; i < open.size(); ++i) {
      diagnosis.round_trips[places[i]] = std::move(trips[i]);
    }
  }

  const CheckInput input{now, diagnosis.subnets, diagnosis.round_trips};
  check_doors(input, diagnosis.findings);
  check_duplicates(input, diagnosis.findings);
  check_leftovers(input, diagnosis.findings);
  check_unknowns(input, diagnosis.findings);
  std::ranges::stable_sort(diagnosis.findings, {}, &Finding::severity);
  return diagnosis;
}

}  // namespace retour
