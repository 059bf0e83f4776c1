// SPDX-License-Identifier: Apache-2.0
#include "os/prober_segments.h"

#include <algorithm>

namespace retour {

SegmentsPhase::SegmentsPhase(const Wire& wire, std::span<const IfIndex> links, std::uint64_t run)
    : wire_(wire), run_(run) {
  for (const IfIndex link : links) {
    if (!place_.try_emplace(link, links_.size()).second) continue;
    if (live_ethernet(wire_, link)) live_.push_back(links_.size());
    parent_.push_back(links_.size());
    links_.push_back(link);
  }
}

void SegmentsPhase::send(int) {
  std::vector<Outgoing<sockaddr_ll, mark_size>> frames;
  for (const std::size_t i : live_) {
    frames.push_back({broadcast_on(links_[i], ethertype_mark), mark_frame(run_, links_[i]), i});
  }
  // A link that went down since stands alone, as the contract says.
  send_batch(wire_.mouth(), std::span(frames), [](std::size_t, int) {});
}

Result<void> SegmentsPhase::receive() {
  const auto events = wire_.here->drain();
  if (!events) return fail(events.error());
  for (const WireEvent& event : *events) {
    if (event.kind != WireEvent::Kind::mark || event.outgoing || event.cookie != run_) continue;
    const auto heard = place_.find(event.link);
    const auto sent = place_.find(event.sender);
    if (heard == place_.end() || sent == place_.end()) continue;
    const std::size_t a = root(heard->second);
    const std::size_t b = root(sent->second);
    if (a == b) continue;
    parent_[std::max(a, b)] = std::min(a, b);
    ++joins_;
  }
  return {};
}

void SegmentsPhase::listen(std::vector<pollfd>& sources) const {
  sources.push_back({wire_.here->fd(), POLLIN, 0});
}

std::size_t SegmentsPhase::root(std::size_t i) const {
  while (parent_[i] != i) i = parent_[i];
  return i;
}

std::vector<Segment> SegmentsPhase::segments() const {
  std::vector<Segment> found;
  std::map<std::size_t, std::size_t> segment_of_root;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const auto [it, is_new] = segment_of_root.try_emplace(root(i), found.size());
    if (is_new) found.emplace_back();
    found[it->second].push_back(links_[i]);
  }
  return found;
}

}  // namespace retour
