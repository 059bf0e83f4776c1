// SPDX-License-Identifier: Apache-2.0
#include "model/snapshot.h"

#include <algorithm>

namespace retour {

const Link* Snapshot::link(IfIndex index) const {
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

}  // namespace retour
