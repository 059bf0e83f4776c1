// SPDX-License-Identifier: Apache-2.0
#include "model/sources6.h"

#include <algorithm>
#include <bit>
#include <compare>

#include "model/scope6.h"

namespace retour {

namespace {

constexpr std::uint32_t flag_temporary = 0x01;
constexpr std::uint32_t flag_optimistic = 0x04;
constexpr std::uint32_t flag_deprecated = 0x20;
constexpr std::uint32_t flag_tentative = 0x40;

/// ipv6_addr_diff(): how many leading bits two addresses share.
int common_bits(const Ip& a, const Ip& b) {
  const Bits differ = a.bits() ^ b.bits();
  const auto high = static_cast<std::uint64_t>(differ >> 64);
  if (high != 0) return std::countl_zero(high);
  return 64 + std::countl_zero(static_cast<std::uint64_t>(differ));
}

/// What may be told apart by a label for one kind alone (addrtype of an ip6addrlbl_entry).
enum class Kind : std::uint8_t { any, mapped, compatible, loopback };

Kind kind_of(const Ip& ip) {
  if (is_mapped6(ip)) return Kind::mapped;
  if (is_compatible6(ip)) return Kind::compatible;
  return ip.is_loopback() ? Kind::loopback : Kind::any;
}

/// ip6addrlbl_alloc(): which kind of address a prefix is for.
Kind kind_of(const Prefix& prefix) {
  const Kind kind = kind_of(prefix.address);
  const std::uint8_t whole = kind == Kind::loopback ? 128 : 96;
  return prefix.length == whole ? kind : Kind::any;
}

}  // namespace

const std::vector<AddressLabel>& kernel_address_labels() {
  static const std::vector<AddressLabel> table = [] {
    std::vector<AddressLabel> labels;
    const auto add = [&labels](const char* prefix, std::uint32_t label) {
      labels.push_back({Prefix::parse(prefix).value(), {}, label});
    };
    add("::1", 0);
    add("::/96", 3);
    add("::ffff:0:0/96", 4);
    add("2001::/32", 6);
    add("2001:10::/28", 7);
    add("3ffe::/16", 12);
    add("2002::/16", 2);
    add("fec0::/10", 11);
    add("fc00::/7", 5);
    add("::/0", 1);
    return labels;
  }();
  return table;
}

/// One candidate for one destination; the greater is better. In the order of the kernel's rules
/// (IPV6_SADDR_RULE_*).
struct Sources6::Rank {
  bool same{};
  int scope{};
  bool preferred{};
  bool outgoing{};
  bool label{};
  bool usual{};
  bool orchid{};
  int prefix{};
  bool certain{};
  friend auto operator<=>(const Rank&, const Rank&) = default;
};

Sources6::Sources6(const Snapshot& snapshot)
    : snapshot_(snapshot),
      labels_(snapshot.address_labels ? *snapshot.address_labels : kernel_address_labels()) {
  for (const Address& address : snapshot.addresses) {
    if (address.local.family() != Family::v6) continue;
    owners_[address.local.address].push_back(&address);
    const bool tentative =
        (address.flags & flag_tentative) != 0 && (address.flags & flag_optimistic) == 0;
    // The kernel lets a link have an address of a group, which is nobody's source.
    if (!tentative && !address.local.address.is_multicast()) {
      candidates_.push_back(candidate(address));
    }
  }
  // The kernel goes by its list of devices, which no dump tells: nearly always that of the indices.
  std::ranges::stable_sort(candidates_, {}, [](const Candidate& c) { return c.address->link; });
}

Sources6::Candidate Sources6::candidate(const Address& address) const {
  const Ip& ip = address.local.address;
  const auto on = [&](Conf6 conf) { return snapshot_.effective(address.link, conf).value; };
  const bool optimistic = (address.flags & flag_optimistic) != 0;
  const bool avoided =
      (address.flags & flag_deprecated) != 0 ||
      (optimistic && (on(Conf6::optimistic_dad) == 0 || on(Conf6::use_optimistic) == 0));
  const bool temporary = (address.flags & flag_temporary) != 0;
  Candidate made;
  made.address = &address;
  made.label = label(ip, address.link);
  made.scope = scope6_of(ip);
  made.preferred = kind_of(ip) != Kind::any || !avoided;
  made.usual = temporary == (on(Conf6::use_tempaddr) >= 2);
  made.optimistic = optimistic;
  return made;
}

// ipv6_addr_label().
std::uint32_t Sources6::label(const Ip& ip, IfIndex link) const {
  for (const AddressLabel& entry : labels_) {
    if (entry.link.value != 0 && entry.link != link) continue;
    const Kind kind = kind_of(entry.prefix);
    if (kind != Kind::any && kind != kind_of(ip)) continue;
    if (entry.prefix.contains(ip)) return entry.label;
  }
  return 0xffffffffU;
}

std::optional<Ip> Sources6::select(IfIndex link, const Ip& dst) const {
  const int wanted = scope6_of(dst);
  const std::uint32_t dst_label = label(dst, link);
  const bool only_link =
      link.value != 0 && (dst.is_multicast() || wanted <= scope6_link ||
                          snapshot_.effective(link, Conf6::use_oif_addrs_only).value != 0);
  const Candidate* best = nullptr;
  Rank highest;
  for (const Candidate& candidate : candidates_) {
    const Address& address = *candidate.address;
    if (only_link && address.link != link) continue;
    const Ip& ip = address.local.address;
    // A scope that reaches far enough, the nearest of them; else the farthest there is.
    const Rank rank{
        ip == dst,
        candidate.scope >= wanted ? -candidate.scope : candidate.scope - 128,
        candidate.preferred,
        address.link == link,
        candidate.label == dst_label,
        candidate.usual,
        is_orchid6(ip) == is_orchid6(dst),
        std::min<int>(common_bits(ip, dst), address.local.length),
        !candidate.optimistic,
    };
    if (best != nullptr && !(highest < rank)) continue;
    best = &candidate;
    highest = rank;
  }
  if (best == nullptr) return std::nullopt;
  return best->address->local.address;
}

std::optional<Ip> Sources6::link_local(IfIndex link) const {
  // The kernel looks from the end of its list, which is sorted by scope.
  const auto found = std::find_if(candidates_.rbegin(), candidates_.rend(), [&](const auto& each) {
    const Address& address = *each.address;
    return address.link == link && !each.optimistic && is_link_local6(address.local.address);
  });
  if (found == candidates_.rend()) return std::nullopt;
  return found->address->local.address;
}

const Address* Sources6::find(const Ip& ip) const {
  const auto it = owners_.find(ip);
  return it != owners_.end() ? it->second.front() : nullptr;
}

const Address* Sources6::find(const Ip& ip, IfIndex link) const {
  const auto it = owners_.find(ip);
  if (it == owners_.end()) return nullptr;
  const auto on = std::ranges::find(it->second, link, &Address::link);
  return on != it->second.end() ? *on : nullptr;
}

}  // namespace retour
