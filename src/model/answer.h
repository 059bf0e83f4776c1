// SPDX-License-Identifier: Apache-2.0
//
// What the running kernel answers when it is asked for a route (RTM_GETROUTE), and what differs
// between that and a Lookup: the model is right when nothing does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/lookup.h"
#include "model/snapshot.h"

namespace retour {

/// One reply to RTM_GETROUTE, with RTM_F_LOOKUP_TABLE where the family knows it.
struct Answer {
  int errnum{};      ///< 0, or the errno that came instead of a route: nothing below is set then
  RouteType type{};  ///< unicast, local, broadcast, multicast or anycast
  TableId table{};   ///< 0 = decided without a table
  IfIndex link{};    ///< RTA_OIF: `lo` for what is delivered to this host
  std::optional<Ip> gateway;  ///< RTA_GATEWAY or RTA_VIA
  /// RTA_PREFSRC. IPv4: only when the kernel chose it, none on input. IPv6: what an unbound socket
  /// would get, also when the question named another source.
  std::optional<Ip> source;
  std::optional<std::uint32_t> metric;  ///< RTA_PRIORITY, IPv6 only
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// The flow that RTM_GETROUTE can say: IPv4 takes UDP for an unknown protocol, input has no output
/// device, and a synthetic ICMP packet no ports. A Lookup of any other flow has no Answer to be
/// compared with. The protocols it knows are TCP, UDP and the family's ICMP.
[[nodiscard]] Flow as_asked(const Flow& flow);

/// What differs, in words: "device: e1, the kernel says e0; gateway: …". Empty when the answer is
/// what the lookup says, or one of its candidates. Whatever the kernel does not tell (which of its
/// gates dropped a packet) is not compared. REQUIRES: `lookup` was made on `snapshot`, of a flow as
/// as_asked() makes it.
[[nodiscard]] std::string difference(const Snapshot& snapshot, const Lookup& lookup,
                                     const Answer& answer);

/// The same for the entry of a table that the kernel says it matched (RTM_F_FIB_MATCH); nothing
/// when it matched none.
[[nodiscard]] std::string difference(const Snapshot& snapshot, const Lookup& lookup,
                                     const std::optional<Route>& matched);

/// "ENETUNREACH", of the errors that a lookup ends with and of those the kernel refuses a question
/// with; "errno 7" for others, "success" for 0.
[[nodiscard]] std::string errno_name(int errnum);

/// "unicast via 10.0.0.9 dev e0 src 10.0.0.1 table 254", "ENETUNREACH".
[[nodiscard]] std::string describe(const Snapshot& snapshot, const Answer& answer);

}  // namespace retour
