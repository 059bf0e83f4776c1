// SPDX-License-Identifier: Apache-2.0
//
// Which table ids and rule priorities a plan uses: those we already have, else numbers around what
// is really there. Foreign tables, named tables and foreign rules are never shared; our rules stand
// behind the rule for `local` wherever someone moved it, and before the one for `main`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "diagnose/finding.h"
#include "model/snapshot.h"

namespace retour {

/// "retour-enp1s0": a name that any rt_tables reader takes, whatever bytes the NIC's name holds.
[[nodiscard]] std::string table_name(const std::string& link);

class Numbers {
 public:
  static constexpr std::uint32_t first_table = 200;
  static constexpr std::uint32_t usual_band = 31000;  ///< guards here, addresses 100 further on
  static constexpr std::uint32_t guards_in_band = 100;

  /// A reason when there is no room between `local` and `main`.
  [[nodiscard]] static tl::expected<Numbers, std::string> choose(
      const Snapshot& now, const std::vector<SharedSubnet>& subnets);

  /// Stable: the same table as before for a link that has one of ours.
  [[nodiscard]] TableId table(IfIndex link);
  [[nodiscard]] std::uint32_t rule(const Ip& address);
  [[nodiscard]] std::uint32_t guard(const Prefix& subnet);

 private:
  std::map<IfIndex, TableId> tables_;
  std::set<TableId> taken_tables_;
  std::map<Ip, std::uint32_t> rules_;
  std::map<Prefix, std::uint32_t> guards_;
  std::set<std::uint32_t> taken_priorities_;
  std::uint32_t band_{usual_band};
};

}  // namespace retour
