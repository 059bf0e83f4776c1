// SPDX-License-Identifier: Apache-2.0
//
// Neighbour discovery: which link answers a solicitation, and whom our own solicitations are from.
// Mirrors ndisc_recv_ns() and ndisc_solicit() of net/ipv6/ndisc.c. Unlike ARP it asks no route back
// to the sender: only the link that has the address answers for it.
#pragma once

#include <optional>
#include <vector>

#include "model/cause.h"
#include "model/fib.h"

namespace retour {

struct NeighborSolicitation {
  Ip sender{};  ///< `::`: a probe for duplicates (RFC 4862)
  Ip target{};
};

/// What one link does with a solicitation.
struct NdiscReception {
  IfIndex link{};
  bool answers{};
  bool proxy{};                       ///< it answers for another host (proxy_ndp)
  Cause silent_because{Cause::none};  ///< none, too, when the target is simply not its own
  std::optional<Ip> source;           ///< whom the advertisement is from, when it answers
};

/// ff02::1:ff00:0/104 with the end of the target: where its solicitations go.
[[nodiscard]] Ip solicited_node(const Ip& target);

/// ndisc_recv_ns() for a multicast solicitation heard by each of `links`, in that order.
[[nodiscard]] std::vector<NdiscReception> hear_solicitation(
    const Fib& fib, const NeighborSolicitation& solicitation, const std::vector<IfIndex>& links);

/// ndisc_solicit(): whom our solicitation on `link` is from, when it is made for a packet from
/// `packet_source` (none: a probe of an entry that is known). Nothing: it is not sent.
[[nodiscard]] std::optional<Ip> solicitation_sender(const Fib& fib, IfIndex link,
                                                    const std::optional<Ip>& packet_source);

}  // namespace retour
