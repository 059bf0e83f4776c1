// SPDX-License-Identifier: Apache-2.0
#include "model/link_choice.h"

#include <fnmatch.h>

#include <algorithm>

namespace retour {

namespace {

bool meets_one(const std::vector<std::string>& patterns, const std::string& text) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
  });
}

bool has_address_in(const std::vector<Prefix>& subnets, const Snapshot& now, IfIndex link) {
  return std::ranges::any_of(now.addresses, [&](const Address& address) {
    return address.link == link && std::ranges::any_of(subnets, [&](const Prefix& subnet) {
             return subnet.contains(address.local.address);
           });
  });
}

}  // namespace

bool chosen(const LinkChoice& choice, const Snapshot& now, const Link& link) {
  if (meets_one(choice.not_names, link.name)) return false;
  if (!choice.names.empty() && !meets_one(choice.names, link.name)) return false;
  if (!choice.drivers.empty() && !meets_one(choice.drivers, link.driver)) return false;
  if (!choice.buses.empty() && !meets_one(choice.buses, link.bus)) return false;
  return choice.subnets.empty() || has_address_in(choice.subnets, now, link.index);
}

}  // namespace retour
