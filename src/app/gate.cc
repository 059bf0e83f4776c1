// SPDX-License-Identifier: Apache-2.0
#include "app/gate.h"

#include <fmt/format.h>

#include <algorithm>

namespace retour {

namespace {

constexpr const char* doing = "apply --gate probe";
constexpr std::chrono::milliseconds wait{1500};

bool answered(const Proof& proof) { return proof.seen.answered; }

std::string count(const Verification& verification) {
  return fmt::format("{} of {}", std::ranges::count_if(verification.pairs, answered),
                     verification.pairs.size());
}

}  // namespace

Result<ProbeGate> ProbeGate::measure(const std::string& netns, const std::vector<Ip>& peers,
                                     const Console& console) {
  ProofRequest request{netns, {}, peers, wait, false};
  auto proof = prove(request, console);
  if (!proof) {
    proof.error().doing = doing;
    return fail(std::move(proof.error()));
  }
  // The neighbour table may know others later.
  request.peers.clear();
  for (const Proof& each : proof->verification.pairs) {
    if (std::ranges::find(request.peers, each.seen.pair.peer) == request.peers.end()) {
      request.peers.push_back(each.seen.pair.peer);
    }
  }
  return ProbeGate(std::move(request), std::move(proof->verification), console);
}

Result<void> ProbeGate::pass() {
  auto proof = prove(request_, *console_);
  if (!proof) {
    proof.error().doing = doing;
    return fail(std::move(proof.error()));
  }
  after_ = std::move(proof->verification);
  std::size_t lost = 0;
  std::string named;
  for (const Proof& before : before_.pairs) {
    if (!answered(before)) continue;
    const bool still = std::ranges::any_of(after_->pairs, [&](const Proof& after) {
      return after.seen.pair.local == before.seen.pair.local &&
             after.seen.pair.peer == before.seen.pair.peer && answered(after);
    });
    if (still || ++lost > 3) continue;
    named += fmt::format("{}{} to {}", named.empty() ? "" : ", ", before.seen.pair.local.str(),
                         before.seen.pair.peer.str());
  }
  if (lost == 0) return {};
  if (lost > 3) named += fmt::format(" and {} more", lost - 3);
  return fail({ErrorKind::changed, 0, doing, "answered before and not after: " + named, summary()});
}

std::string ProbeGate::summary() const {
  return fmt::format("{} pairs answered before, {} after", count(before_),
                     after_ ? count(*after_) : "nobody was asked");
}

}  // namespace retour
