// SPDX-License-Identifier: Apache-2.0
#include "model/cause.h"

#include <array>

namespace retour {

std::string_view name(Cause cause) {
  static constexpr std::array<std::string_view, 13> names{
      "none",       "flux",          "wrong-route", "rp_filter", "arp_filter",
      "arp_ignore", "wrong-segment", "enslaved",    "noarp",     "no-route",
      "link-down",  "disable_ipv6",  "martian"};
  static_assert(names.size() == static_cast<std::size_t>(Cause::martian) + 1);
  return names[static_cast<std::size_t>(cause)];
}

Cause cause_of(const Lookup& lookup) {
  switch (lookup.verdict) {
    case Verdict::rp_filter:
      return Cause::rp_filter;
    case Verdict::martian:
      return Cause::martian;
    default:
      return Cause::no_route;
  }
}

}  // namespace retour
