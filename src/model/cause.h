// SPDX-License-Identifier: Apache-2.0
//
// Why a packet, or a request for an address, came to nothing or to the wrong door. One list for
// ARP, NDP, lookups and round trips.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/lookup.h"

namespace retour {

/// The names in JSON are these, with `_` as it stands.
enum class Cause : std::uint8_t {
  none,
  flux,         ///< another link answers ARP for the address
  wrong_route,  ///< the lookup for the reply picks another link
  rp_filter,
  arp_filter,
  arp_ignore,
  wrong_segment,  ///< the reply leaves on-link by a link whose segment the peer is not on
  enslaved,       ///< the link is a port of a bridge or bond: what arrives is the master's
  noarp,          ///< ARP is off on the link (IFF_NOARP)
  no_route,       ///< no usable route back (also unreachable, prohibit, blackhole)
  link_down,
  disable_ipv6,
  martian,
};

[[nodiscard]] std::string_view name(Cause cause);  ///< "rp_filter", "no-route", …

/// Why a lookup did not end where it was wanted.
[[nodiscard]] Cause cause_of(const Lookup& lookup);

}  // namespace retour
