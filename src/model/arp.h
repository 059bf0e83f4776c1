// SPDX-License-Identifier: Apache-2.0
//
// ARP: which link answers a request, and whom our own requests name as their sender. Mirrors
// arp_process(), arp_ignore(), arp_filter() and arp_solicit() of net/ipv4/arp.c.
#pragma once

#include <optional>
#include <vector>

#include "model/cause.h"
#include "model/fib.h"

namespace retour {

/// What one link does with a request.
struct ArpReception {
  IfIndex link{};
  bool answers{};
  /// False when it depends on what no snapshot tells (which leg of a multipath route is taken):
  /// `answers` is then true, and silence is possible too.
  bool certain{true};
  bool proxy{};                       ///< it answers for another host (proxy_arp)
  Cause silent_because{Cause::none};  ///< the gate, when it stays silent
  friend bool operator==(const ArpReception&, const ArpReception&) = default;
};

struct ArpRequest {
  Ip sender{};  ///< 0.0.0.0: a probe for duplicates (RFC 5227)
  Ip target{};
};

/// Why a link hears nothing whatever the gates say: it is down, a port of something, or NOARP.
[[nodiscard]] Cause deaf(const Snapshot& snapshot, IfIndex link);

/// arp_process() for a broadcast request heard by each of `links`, in that order.
[[nodiscard]] std::vector<ArpReception> hear_arp(const Fib& fib, const ArpRequest& request,
                                                 const std::vector<IfIndex>& links);

/// Those of `links` that answer.
[[nodiscard]] std::vector<IfIndex> arp_answerers(const Fib& fib, const Ip& sender, const Ip& target,
                                                 const std::vector<IfIndex>& links);

/// arp_solicit(): the sender that our request for `target` on `link` names, when it is made for a
/// packet from `packet_source` (none: a probe of an entry that is known).
[[nodiscard]] std::optional<Ip> arp_request_sender(const Fib& fib, IfIndex link, const Ip& target,
                                                   const std::optional<Ip>& packet_source);

}  // namespace retour
