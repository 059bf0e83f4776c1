// SPDX-License-Identifier: Apache-2.0
//
// What is wrong, with the objects it concerns, the evidence and the cure. Codes are stable; each
// has its paragraph in docs/findings.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/round_trip.h"
#include "model/snapshot.h"

namespace retour {

enum class Severity : std::uint8_t { error, warning, info };

[[nodiscard]] std::string_view name(Severity severity);  ///< "error", …

struct Finding {
  std::string code;  ///< "lost-rp-filter"
  Severity severity{};
  std::optional<IfIndex> link;
  std::optional<Ip> address;
  std::string message;                  ///< one sentence, names included
  std::string cure;                     ///< what would mend it; empty when nothing need be done
  std::optional<std::size_t> evidence;  ///< index in Diagnosis::round_trips
  bool curable{};                       ///< policy routing on this host can mend it
};

/// How far to trust SharedSubnet::segments.
enum class SegmentsKnown : std::uint8_t { assumed, told, measured };

[[nodiscard]] std::string_view name(SegmentsKnown known);  ///< "assumed", …

/// Where doors can be mixed up: addresses of one prefix, or of prefixes that overlap, on two or
/// more links; or a prefix that two or more links reach by a gateway each.
struct SharedSubnet {
  struct Member {
    IfIndex link{};
    Ip address{};
    Prefix subnet;  ///< its own; may be longer than the prefix of the whole
    bool secondary{};
    std::optional<Ip> gateway;  ///< by which the prefix is reached; absent: it is on the wire
    bool onlink{};              ///< the gateway need not be in the subnet
    friend bool operator==(const Member&, const Member&) = default;
  };
  Prefix prefix;                ///< the shortest that a member has, or what is behind the gateways
  std::vector<Member> members;  ///< in the snapshot's order of addresses
  std::vector<Segment> segments;  ///< the members' links by broadcast domain
  SegmentsKnown segments_known{};

  [[nodiscard]] bool routed() const { return !members.empty() && members.front().gateway; }
  /// Whether `local` is a member that reaches `peer` by this prefix: through its gateway, what is
  /// not in its own subnet.
  [[nodiscard]] bool joins(const Ip& local, const Ip& peer) const;
};

struct Diagnosis {
  std::vector<SharedSubnet> subnets;
  std::vector<RoundTrip> round_trips;
  std::vector<Finding> findings;  ///< errors first, then warnings, then info

  [[nodiscard]] bool healthy() const;  ///< no finding of severity error
};

}  // namespace retour
