// SPDX-License-Identifier: Apache-2.0
//
// The IPv6 addresses of a host and the choice of one as source (RFC 6724 as ipv6_dev_get_saddr()
// has it). IPv6 judges all addresses of all devices, not only those of the device that sends.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/snapshot.h"

namespace retour {

/// The policy table of a fresh namespace (ip6addrlbl_init_table[]), in the order it is tried.
[[nodiscard]] const std::vector<AddressLabel>& kernel_address_labels();

class Sources6 {
 public:
  /// REQUIRES: `snapshot` outlives the Sources6 and is not changed.
  explicit Sources6(const Snapshot& snapshot);

  /// ipv6_dev_get_saddr(): whom an unbound socket is from when it sends to `dst` by `link`; 0 = by
  /// no link yet.
  [[nodiscard]] std::optional<Ip> select(IfIndex link, const Ip& dst) const;
  /// ipv6_get_lladdr(): the link-local address of a link, neither tentative nor optimistic.
  [[nodiscard]] std::optional<Ip> link_local(IfIndex link) const;

  /// A configured address of this host, on any link or on that one; nullptr = none.
  [[nodiscard]] const Address* find(const Ip& ip) const;
  [[nodiscard]] const Address* find(const Ip& ip, IfIndex link) const;

 private:
  /// What the rules ask of an address, but for what depends on the destination.
  struct Candidate {
    const Address* address{};
    std::uint32_t label{};
    int scope{};
    bool preferred{};  ///< rule 3: neither deprecated nor optimistic
    bool usual{};      ///< rule 7: temporary or public, as the device likes it
    bool optimistic{};
  };
  struct Rank;

  [[nodiscard]] std::uint32_t label(const Ip& ip, IfIndex link) const;
  [[nodiscard]] Candidate candidate(const Address& address) const;

  const Snapshot& snapshot_;
  const std::vector<AddressLabel>& labels_;
  std::vector<Candidate> candidates_;  ///< by link, then in the kernel's list order
  std::unordered_map<Ip, std::vector<const Address*>> owners_;
};

}  // namespace retour
