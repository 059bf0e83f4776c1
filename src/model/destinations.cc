// SPDX-License-Identifier: Apache-2.0
#include "model/destinations.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace retour {

Destinations::Destinations(std::vector<std::uint32_t> starts, const Decide& decide)
    : family_(Family::v4) {
  flatten(std::move(starts), decide, starts4_);
}

Destinations::Destinations(std::vector<Bits> starts, const Decide& decide) : family_(Family::v6) {
  flatten(std::move(starts), decide, starts6_);
}

template <class Key>
void Destinations::flatten(std::vector<Key> cuts, const Decide& decide, std::vector<Key>& starts) {
  cuts.push_back(0);
  std::ranges::sort(cuts);
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::map<std::tuple<const Rule*, const Route*, const NextHop*, int>, std::uint32_t> known;
  for (const Key cut : cuts) {
    const Decision decision = decide(Ip(family_, cut));
    if (!choice_.empty() && decisions_[choice_.back()] == decision) continue;
    const auto [it, fresh] =
        known.try_emplace({decision.rule, decision.route, decision.leg, decision.errnum},
                          static_cast<std::uint32_t>(decisions_.size()));
    if (fresh) decisions_.push_back(decision);
    choice_.push_back(it->second);
    starts.push_back(cut);
  }
}

}  // namespace retour
