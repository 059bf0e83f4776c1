// SPDX-License-Identifier: Apache-2.0
//
// Few addresses and prefixes, drawn again and again, so that what is made of them collides and
// nests: hosts on which nothing meets test nothing.
#pragma once

#include "base/ip.h"
#include "differential/random.h"

namespace retour::differential {

/// An address that a host, a route or a packet may have.
[[nodiscard]] Ip pool_address(Random& random, Family family);
/// Length of a subnet on a link.
[[nodiscard]] std::uint8_t pool_subnet_length(Random& random, Family family);
/// A prefix with host bits zero, of any length.
[[nodiscard]] Prefix pool_prefix(Random& random, Family family);
/// Loopback, multicast, broadcast, unspecified, link-local, and their neighbours.
[[nodiscard]] Ip special_address(Random& random, Family family);
/// An address of the prefix, or just beside it.
[[nodiscard]] Ip near(Random& random, const Prefix& prefix);

}  // namespace retour::differential
