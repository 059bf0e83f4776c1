// SPDX-License-Identifier: Apache-2.0
//
// One decision laid open: which rules were tried, which routes stood for election in each table
// that was asked, which gate judged the source, and what single change would have led elsewhere.
// Everything is computed on the model, nothing is guessed; whoever prints needs the Snapshot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "diagnose/finding.h"
#include "model/answer.h"
#include "model/lookup.h"
#include "model/policy.h"
#include "model/round_trip.h"
#include "model/snapshot.h"

namespace retour {

class Fib;

/// A table that a rule led to, and every route there that holds the destination, in the order in
/// which the kernel comes to them.
struct TableAsked {
  std::uint32_t step{};  ///< index in Lookup::steps, or SourceCheck::steps
  TableId table{};
  std::vector<Considered> routes;
};

/// One sysctl, net.ipv4.conf or net.ipv6.conf, set to another value.
struct Setting {
  std::variant<Conf, Conf6> conf;
  std::optional<IfIndex> link;         ///< absent: conf/all
  std::optional<std::int32_t> before;  ///< absent: nobody told it
  std::int32_t after{};

  [[nodiscard]] Family family() const { return conf.index() == 0 ? Family::v4 : Family::v6; }
  [[nodiscard]] std::string_view name() const {
    return std::visit([](auto key) { return info(key).name; }, conf);
  }
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// A table with the address's own view of the way to the other end, and the rule that leads there:
/// what `retour plan` makes.
struct OwnTable {
  Ip from{};
  Prefix to;  ///< what the table holds: the subnet, or everything
  IfIndex link{};
  std::optional<Ip> gateway;
};

/// A change, and what the decision is with it.
struct Remedy {
  std::vector<Setting> settings;  ///< more than one only where `all` and the device must both move
  std::optional<OwnTable> own_table;
  Verdict verdict{};  ///< of the lookup then
  IfIndex link{};
  /// Of a round trip: the door then.
  std::optional<DoorVerdict> door;
  Cause cause{};
};

struct Explanation {
  Lookup lookup;
  /// Of what this host sends by IPv6: what a socket gets, where that is another answer than
  /// `ip route get` has (Fib6::connect()).
  std::optional<Lookup> socket;
  Flow seen;                         ///< the flow as rules and tables see it
  bool merged{};                     ///< tables local and main are one: no rule was ever touched
  std::vector<TableAsked> tables;    ///< of lookup.steps
  std::vector<TableAsked> way_back;  ///< of lookup.source_check->steps
  std::vector<Remedy> remedies;      ///< with which it passes, or leaves by the source's own link
  /// A gate that nobody told us (an import without sysctls) was taken at the kernel's default; the
  /// values with which it ends otherwise.
  std::vector<Remedy> if_set;
};

/// The lookup of `fib` for `flow`, output or input as it has an `iif`, with everything else.
[[nodiscard]] Explanation explain(const Fib& fib, const Flow& flow);
/// The same for a lookup that was made already; without remedies.
[[nodiscard]] Explanation lay_open(const Fib& fib, Lookup lookup);

/// What the running kernel says to the same question.
struct KernelCheck {
  Answer answer;
  /// In words; empty when it says the same, absent when it cannot be asked this (a protocol other
  /// than TCP, UDP and ICMP).
  std::optional<std::string> differs;
};

/// The round trip of a request from a peer to one of our addresses, every lookup laid open.
struct TripExplanation {
  RoundTrip trip;
  std::vector<IfIndex> also_on;  ///< other links that have the address, too
  bool beyond{};                 ///< the peer is not in the address's subnet
  /// Who hears the owner, by wire, and how far that is to be trusted.
  std::vector<Segment> segments;
  SegmentsKnown segments_known{};
  Explanation arp;      ///< the owner's answer to ARP: its input lookup, or arp_filter's
  Explanation request;  ///< the input lookup where the request arrives, or would
  Explanation reply;
  std::vector<Remedy> remedies;  ///< with which it is better: not lost, or by the same door
};

/// A gate that judged a packet or a request, or would judge it next.
struct Gate {
  IfIndex link{};
  Conf conf{};
  EffectiveConf value;  ///< as it was taken to be where nobody told it
  bool matters{};       ///< with another value it may end otherwise
};

/// Those of the receiving link. IPv4; none of a packet that this host sends.
[[nodiscard]] std::vector<Gate> gates_of(const Snapshot& host, const Lookup& lookup);
/// Those that kept a link silent, and those of the request or, where none is sent, of what the
/// owner looked up instead.
[[nodiscard]] std::vector<Gate> gates_of(const Snapshot& host, const TripExplanation& found);
/// That one of a silent link; nothing when it is silent for another reason.
[[nodiscard]] std::optional<Gate> silencer(const Snapshot& host, const ArpReception& heard);

/// The links that have the address and that requests for it come by: on a wire, or the end of a
/// tunnel. Empty when only others have it (`lo`, a dummy, a NIC without ARP): the kernel takes it
/// in by whatever link it comes, and which one that is nobody here decides.
[[nodiscard]] std::vector<IfIndex> doors_of(const Snapshot& now, const Ip& local);

/// REQUIRES: `local` is an address of `now` with a door, `peer` of its family, and no address of
/// `now`.
[[nodiscard]] TripExplanation explain_round_trip(const Snapshot& now, const Ip& local,
                                                 const Ip& peer, SegmentsFrom segments);

}  // namespace retour
