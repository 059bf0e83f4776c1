// SPDX-License-Identifier: Apache-2.0
//
// Which table ids and rule priorities a plan uses: those we already have, else numbers around what
// is really there. Foreign tables, named tables and foreign rules are never shared; our rules stand
// behind the rule for `local` wherever someone moved it, and before the one for `main`.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "model/policy.h"
#include "model/snapshot.h"

namespace retour {

/// "retour-enp1s0": a name that any rt_tables reader takes, whatever bytes the NIC's name holds.
[[nodiscard]] std::string table_name(const std::string& link);

/// What the rules of one family need numbers for.
struct RuleNeed {
  std::uint32_t guards{};           ///< guards and jumps
  std::map<Ip, IfIndex> addresses;  ///< owner of each address that gets a rule
};

class Numbers {
 public:
  static constexpr std::uint32_t first_table = 200;
  static constexpr std::uint32_t usual_band = 31000;    ///< guards here, addresses 100 further on
  static constexpr std::uint32_t guards_in_band = 100;  ///< more of them where these do not do

  /// A reason when there is no room between `local` and `main`, or in the policy's ranges.
  /// `links` are those that get a table. A family that needs no rule is not looked at.
  [[nodiscard]] static tl::expected<Numbers, std::string> choose(
      const Snapshot& now, const Policy& policy, const std::vector<IfIndex>& links,
      const std::array<RuleNeed, 2>& need);

  /// Stable: the same table as before for a link that has one of ours. REQUIRES: one of `links`.
  [[nodiscard]] TableId table(IfIndex link);
  /// Stable, too. REQUIRES: one of the addresses.
  [[nodiscard]] std::uint32_t rule(const Ip& address);
  /// Guards take from here on in order; the last number of theirs is landing().
  [[nodiscard]] std::uint32_t first_guard(Family family) const { return band(family).first; }
  /// Before every rule for an address, behind every guard.
  [[nodiscard]] std::uint32_t landing(Family family) const {
    return band(family).first + band(family).guards - 1;
  }

 private:
  struct Band {
    std::uint32_t first{};
    std::uint32_t guards{guards_in_band};
    std::map<Ip, std::uint32_t> rules;
    std::set<std::uint32_t> taken;
  };
  [[nodiscard]] const Band& band(Family family) const {
    return bands_[static_cast<std::size_t>(family)];
  }
  void keep_tables(const Snapshot& now, const Policy& policy, const std::vector<IfIndex>& links,
                   const std::array<RuleNeed, 2>& need);
  [[nodiscard]] std::optional<std::string> find_tables(const Policy& policy,
                                                       const std::vector<IfIndex>& links);
  [[nodiscard]] std::optional<std::string> find_band(const Snapshot& now, const Policy& policy,
                                                     Family family, const RuleNeed& need);

  std::map<IfIndex, TableId> tables_;
  std::set<TableId> taken_tables_;
  std::array<Band, 2> bands_;
};

}  // namespace retour
