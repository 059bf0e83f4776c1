// SPDX-License-Identifier: Apache-2.0
#include "os/prober_raw.h"

#include <sys/socket.h>

#include <algorithm>

#include "os/prober_arp.h"
#include "os/prober_echo.h"
#include "os/prober_segments.h"
#include "os/wire_error.h"

namespace retour {
namespace {

constexpr std::chrono::milliseconds grace{20};

std::vector<Observation> unobserved(const Wire& wire, std::span<const ProbePair> pairs) {
  std::vector<Observation> seen(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    seen[i].pair = pairs[i];
    const auto owner = [&](const auto& tap) { return tap->owns(pairs[i].peer); };
    if (std::ranges::any_of(wire.there, owner)) seen[i].there.emplace();
  }
  return seen;
}

}  // namespace

Result<std::unique_ptr<RawProber>> RawProber::open(std::vector<std::unique_ptr<Tap>> there) {
  auto netns = Netns::current();
  if (!netns) return fail(netns.error());
  auto here = Tap::open();
  if (!here) return fail(here.error());
  return std::unique_ptr<RawProber>(
      new RawProber(Wire{std::move(*netns), std::move(*here), std::move(there), nullptr}));
}

Result<std::vector<Observation>> RawProber::probe(std::span<const ProbePair> pairs,
                                                  const ProbeOptions& options) {
  std::vector<Observation> seen = unobserved(wire_, pairs);
  const std::size_t total = pairs.size() * (options.arp ? 2 : 1);
  std::size_t before = 0;
  const auto progress = [&](std::size_t done) {
    if (options.progress) options.progress(before + done, total);
  };
  const PhaseTiming timing{options.timeout, std::clamp(options.attempts, 1, 16), grace};
  auto echo = EchoPhase::open(wire_, seen, timing.attempts);
  if (!echo) return fail(echo.error());
  if (auto ran = run_phase(**echo, wire_, timing, progress); !ran) return fail(ran.error());
  (*echo)->finish();
  before = pairs.size();
  if (options.arp && !wire_.stopped()) {
    ArpPhase arp(wire_, seen);
    if (auto ran = run_phase(arp, wire_, timing, progress); !ran) return fail(ran.error());
    before = total;
  }
  if (!wire_.stopped()) progress(0);
  return seen;
}

Result<std::vector<Segment>> RawProber::segments(std::span<const IfIndex> links,
                                                 std::chrono::milliseconds wait) {
  const auto run = random_cookie();
  if (!run) return fail(run.error());
  SegmentsPhase phase(wire_, links, *run);
  const PhaseTiming timing{wait, 2, wait};
  if (auto ran = run_phase(phase, wire_, timing, [](std::size_t) {}); !ran) {
    return fail(ran.error());
  }
  return phase.segments();
}

std::uint64_t RawProber::dropped() {
  std::uint64_t sum = wire_.here->dropped();
  for (const auto& tap : wire_.there) sum += tap->dropped();
  return sum;
}

}  // namespace retour
