// SPDX-License-Identifier: Apache-2.0
#include "model/snapshot.h"

#include <algorithm>
#include <charconv>

namespace retour {

const Link* Snapshot::link(IfIndex index) const {
  // Indices of a host that lost no link are its positions.
  const std::size_t guess = std::size_t{index.value} - 1;
  if (guess < links.size() && links[guess].index == index) return &links[guess];
  // Kernel dumps and our readers keep links by index.
  const auto it = std::ranges::lower_bound(links, index, {}, &Link::index);
  return it != links.end() && it->index == index ? &*it : nullptr;
}

const Link* Snapshot::link(std::string_view name) const {
  const auto it = std::ranges::find(links, name, &Link::name);
  return it != links.end() ? &*it : nullptr;
}

std::string Snapshot::link_name(IfIndex index) const {
  const Link* found = link(index);
  return found != nullptr ? found->name : "#" + std::to_string(index.value);
}

const Neighbor* Snapshot::neighbor(IfIndex index, const Ip& ip) const {
  const auto it = std::ranges::find_if(neighbors, [&](const Neighbor& entry) {
    return entry.link == index && entry.address == ip && !entry.proxy();
  });
  return it != neighbors.end() ? &*it : nullptr;
}

Release Snapshot::release() const {
  Release found;
  const char* const end = kernel.data() + kernel.size();
  const auto dot = std::from_chars(kernel.data(), end, found.major);
  if (dot.ec != std::errc{} || dot.ptr == end || *dot.ptr != '.') return {};
  if (std::from_chars(dot.ptr + 1, end, found.minor).ec != std::errc{}) return {};
  return found;
}

EffectiveConf Snapshot::effective(IfIndex index, Conf conf) const {
  static const ConfValues none;
  const Link* found = link(index);
  return retour::effective(conf_all, found != nullptr ? found->conf : none, conf);
}

EffectiveConf Snapshot::effective(IfIndex index, Conf6 conf) const {
  static const Conf6Values none;
  const Link* found = link(index);
  return retour::effective(conf6_all, found != nullptr ? found->conf6 : none, conf);
}

}  // namespace retour
