// SPDX-License-Identifier: Apache-2.0
//
// What the operator wants: which NICs are cared for, with which numbers, and what must not move.
// Every member has a sensible default; /etc/retour/retour.toml and the command line set them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/conf.h"
#include "model/rule.h"

namespace retour {

/// Which links of one subnet hear each other's broadcasts.
enum class SegmentsFrom : std::uint8_t {
  snapshot,  ///< as measured; one segment where nobody measured
  flat,      ///< all on one segment, whatever was measured
  rails,     ///< each on its own
};

/// A link is chosen when it meets each list that is not empty. Names, drivers and bus addresses are
/// shell patterns (fnmatch).
struct LinkChoice {
  std::vector<std::string> names;
  std::vector<std::string> not_names;  ///< left alone, whatever else they meet
  std::vector<std::string> drivers;
  std::vector<std::string> buses;  ///< "0000:17:00.*"
  std::vector<Prefix> subnets;     ///< one of its addresses is in one of these
  friend bool operator==(const LinkChoice&, const LinkChoice&) = default;
};

/// Where on the NIC's own subnet the router to a fabric prefix is.
enum class GatewayAt : std::uint8_t {
  main,     ///< where a route of main says
  first,    ///< the lowest host address
  last,     ///< the highest host address
  address,  ///< FabricPrefix::gateways, each for the NIC in whose subnet it is
};

/// What lies behind the routers of every rail.
struct FabricPrefix {
  Prefix prefix;
  GatewayAt at{GatewayAt::main};
  std::vector<Ip> gateways;
  friend bool operator==(const FabricPrefix&, const FabricPrefix&) = default;
};

/// What must hold before a change stays.
enum class CommitGate : std::uint8_t { none, probe };

struct Policy {
  std::vector<Ip> peers;  ///< empty: one generic peer per shared subnet
  SegmentsFrom segments{SegmentsFrom::snapshot};
  LinkChoice links;
  std::vector<FabricPrefix> fabrics;
  std::optional<Range<std::uint32_t>> tables;      ///< absent: from 200 on, around what is there
  std::optional<Range<std::uint32_t>> priorities;  ///< absent: chosen between local and main
  std::vector<Conf> gates{Conf::arp_ignore, Conf::arp_filter};  ///< sysctls that may be changed
  CommitGate gate{CommitGate::none};
  std::vector<Prefix> protect;  ///< no flow to one of these may change its path
  bool move_established{};      ///< open TCP connections may change theirs
};

}  // namespace retour
