// SPDX-License-Identifier: Apache-2.0
//
// A Snapshot indexed for lookup: what the kernel's IPv4 routing would decide. Mirrors
// fib_rules_lookup(), fib_table_lookup(), ip_route_output_key_hash_rcu(), ip_route_input_slow()
// and fib_validate_source(). docs/kernel-model.md says what is modelled and what is not.
//
// Immutable once made; safe to read from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/lookup.h"
#include "model/prefix_index.h"
#include "model/snapshot.h"

namespace retour {

/// A decision without its history: what loops over many flows need. Pointers are into the Snapshot.
struct Decision {
  Verdict verdict{Verdict::no_route};
  int errnum{};
  const Rule* rule{};
  const Route* route{};
  const NextHop* leg{};
  std::span<const NextHop> legs{};  ///< of the route, when more than one may be taken
  TableId table{};
};

class Fib {
 public:
  /// REQUIRES: `snapshot` outlives the Fib and is not changed.
  explicit Fib(const Snapshot& snapshot);

  /// A packet sent by this host: ip_route_output_key_hash_rcu(). IPv4.
  /// REQUIRES: !flow.iif
  [[nodiscard]] Lookup output(const Flow& flow) const;

  /// A packet received on flow.iif: ip_route_input_rcu(). IPv4; `arp` when the lookup is made for
  /// an ARP request (arp_process()). REQUIRES: flow.iif
  [[nodiscard]] Lookup input(const Flow& flow, bool arp = false) const;

  /// The lookups of one packet heard by many links (a broadcast ARP request): the same on every
  /// link while no rule asks for one, so they are made once. Steps are not recorded.
  struct Heard {
    std::optional<Decision> forward;
    std::optional<Decision> back;
  };
  [[nodiscard]] Lookup input(const Flow& flow, bool arp, Heard& heard) const;

  /// Where the tables send a packet received on flow.iif that is not for this host, its source not
  /// judged. REQUIRES: flow.iif
  [[nodiscard]] Lookup forward(const Flow& flow) const;

  /// fib_lookup(): rules and tables alone, no source checks. `flow.iif` unset means `lo`. Appends
  /// to `steps` when given.
  [[nodiscard]] Decision decide(const Flow& flow, std::vector<Step>* steps = nullptr) const;

  /// inet_select_addr(): the source address for a packet by `link` towards `toward`.
  [[nodiscard]] std::optional<Ip> select_source(IfIndex link, std::optional<Ip> toward,
                                                Scope scope) const;

  [[nodiscard]] EffectiveConf conf(IfIndex link, Conf conf) const;
  /// A configured address of this host, on any link.
  [[nodiscard]] bool owns(const Ip& ip) const { return owners_.contains(ip.v4_bits()); }
  [[nodiscard]] bool owns(const Ip& ip, IfIndex link) const;
  [[nodiscard]] const Snapshot& snapshot() const { return snapshot_; }

 private:
  struct CompiledRule {
    const Rule* rule{};
    std::uint32_t index{};  ///< in Snapshot::rules
    IfIndex iif{};          ///< resolved name
    IfIndex oif{};
    const PrefixIndex* table{};         ///< nullptr: missing or empty
    std::optional<std::size_t> jump{};  ///< position in rules_ of the goto target
  };
  struct Found {
    int errnum{};  ///< 0 found, EAGAIN = nothing here, else final
    std::uint32_t route{};
    const NextHop* leg{};
    std::span<const NextHop> legs{};
  };

  void compile_tables();
  void compile_rules();
  [[nodiscard]] std::span<const NextHop> legs_of(const Route& route, bool& blackhole) const;
  [[nodiscard]] Found find(const PrefixIndex& table, const Flow& flow) const;
  [[nodiscard]] bool usable(const NextHop& leg, const Flow& flow) const;
  [[nodiscard]] Selector mismatch(const CompiledRule& rule, const Flow& flow, IfIndex iif) const;
  [[nodiscard]] bool suppressed(const Rule& rule, const Found& found) const;
  [[nodiscard]] Decision decide_merged(const Flow& flow, std::vector<Step>* steps) const;
  void finish(Lookup& lookup, const Decision& decision) const;
  void select_leg(Lookup& lookup, const Decision& decision) const;
  [[nodiscard]] Verdict validate_source(const Flow& packet, IfIndex link, const Ip& reply_from,
                                        IfIndex oif, Heard* heard) const;
  [[nodiscard]] Lookup input(const Flow& flow, bool arp, Heard* heard) const;

  const Snapshot& snapshot_;
  std::unordered_map<TableId, PrefixIndex> tables_;
  PrefixIndex merged_;  ///< local over main, while no rule was ever touched
  bool merge_{};
  std::vector<CompiledRule> rules_;
  std::unordered_map<std::uint32_t, std::vector<IfIndex>> owners_;  ///< address → links
  std::unordered_set<IfIndex> addressed_;                           ///< links with an IPv4 address
  std::unordered_map<std::uint32_t, std::vector<NextHop>> groups_;  ///< nexthop object id → legs
  std::unordered_map<std::uint32_t, bool> blackhole_objects_;
  bool dissects_{};            ///< input lookups see protocol and ports
  bool blind_to_links_{true};  ///< no rule asks for an input or output link
  bool custom_rules_{};
};

}  // namespace retour
