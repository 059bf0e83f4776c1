// SPDX-License-Identifier: Apache-2.0
#include "os/prober_arp.h"

#include <linux/if_ether.h>

#include <algorithm>

namespace retour {

ArpPhase::ArpPhase(const Wire& wire, std::span<Observation> seen) : wire_(wire), seen_(seen) {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const ProbePair& pair = seen_[i].pair;
    if (!pair.local.is_v4() || !pair.peer.is_v4()) continue;
    if (!links_.contains(pair.link)) {
      const auto link = live_ethernet(wire_, pair.link);
      if (!link || link->noarp) continue;
      links_.emplace(pair.link, *link);
    }
    asked_.emplace(Question{pair.link, pair.local, pair.peer}, i);
  }
}

void ArpPhase::send(int) {
  std::vector<Packet> burst;
  const auto flush = [&] {
    // A question the kernel would not send is one that stays unanswered.
    send_batch(wire_.mouth(), std::span(burst), [](std::size_t, int) {});
    burst.clear();
    (void)receive();
  };
  for (const auto& [question, pair] : asked_) {
    if (wire_.stopped()) return;
    if (seen_[pair].arp_answered) continue;
    const auto& [link, local, peer] = question;
    // Broadcasts reach everybody: 64 a millisecond is as much as a segment should bear.
    if (burst.size() == WireBatch::capacity) {
      flush();
      (void)poll(nullptr, 0, 1);
    }
    burst.push_back(
        {broadcast_on(link, ETH_P_ARP), arp_request(links_.at(link).mac, local, peer), pair});
  }
  flush();
}

Result<void> ArpPhase::receive() {
  const auto events = wire_.here->drain();
  if (!events) return fail(events.error());
  for (const WireEvent& event : *events) {
    if (event.kind != WireEvent::Kind::arp_reply || event.outgoing) continue;
    const auto [first, last] = asked_.equal_range(Question{event.link, event.dst, event.src});
    for (auto it = first; it != last; ++it) {
      Observation& seen = seen_[it->second];
      if (!seen.arp_answered) ++answered_;
      seen.arp_answered = true;
      if (std::ranges::find(seen.arp_macs, event.mac) == seen.arp_macs.end()) {
        seen.arp_macs.push_back(event.mac);
      }
    }
  }
  // Nobody reads the far ends in this phase, but they must not fill up for the next.
  for (const auto& tap : wire_.there) {
    if (const auto ignored = tap->drain(); !ignored) return fail(ignored.error());
  }
  return {};
}

void ArpPhase::listen(std::vector<pollfd>& sources) const {
  sources.push_back({wire_.here->fd(), POLLIN, 0});
}

}  // namespace retour
