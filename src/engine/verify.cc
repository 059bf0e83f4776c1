// SPDX-License-Identifier: Apache-2.0
#include "engine/verify.h"

namespace retour {

namespace {

std::optional<IfIndex> only(const std::vector<IfIndex>& links) {
  return links.size() == 1 ? std::optional(links.front()) : std::nullopt;
}

Proof judge(Observation seen) {
  Proof proof;
  proof.left_by = only(seen.here.request);
  proof.arrived_on = only(seen.here.reply);
  const bool there_straight = !seen.there || !seen.pair.peer_link ||
                              (only(seen.there->request) == seen.pair.peer_link &&
                               only(seen.there->reply) == seen.pair.peer_link);
  if (!seen.answered) {
    proof.verdict = DoorVerdict::lost;
  } else if (proof.left_by == seen.pair.link && proof.arrived_on == seen.pair.link &&
             there_straight) {
    proof.verdict = DoorVerdict::same_door;
  } else {
    proof.verdict = DoorVerdict::wrong_door;
  }
  proof.seen = std::move(seen);
  return proof;
}

}  // namespace

std::vector<ProbePair> pairs_of(std::span<const SharedSubnet> subnets, std::span<const Ip> peers) {
  std::vector<ProbePair> pairs;
  for (const SharedSubnet& subnet : subnets) {
    for (const auto& member : subnet.members) {
      for (const Ip& peer : peers) {
        if (subnet.prefix.contains(peer)) pairs.push_back({member.address, member.link, peer});
      }
    }
  }
  return pairs;
}

Result<Verification> verify(Prober& prober, std::span<const ProbePair> pairs,
                            const ProbeOptions& options) {
  auto observations = prober.probe(pairs, options);
  if (!observations) return fail(std::move(observations.error()));
  Verification verification;
  verification.complete = observations->size() == pairs.size();
  for (Observation& observation : *observations) {
    verification.pairs.push_back(judge(std::move(observation)));
  }
  return verification;
}

}  // namespace retour
