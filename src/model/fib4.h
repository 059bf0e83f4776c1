// SPDX-License-Identifier: Apache-2.0
//
// IPv4: what the kernel would decide. Mirrors fib_table_lookup(), ip_route_output_key_hash_rcu(),
// ip_route_input_slow() and fib_validate_source(). docs/kernel-model.md says what is modelled.
//
// Immutable once made; safe to read from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/destinations.h"
#include "model/nexthops.h"
#include "model/prefix_index.h"
#include "model/rules.h"
#include "model/snapshot.h"

namespace retour {

class Fib4 {
 public:
  /// REQUIRES: `snapshot` outlives the Fib and is not changed.
  explicit Fib4(const Snapshot& snapshot);

  /// ip_route_output_key_hash_rcu(). REQUIRES: !flow.iif
  [[nodiscard]] Lookup output(const Flow& flow) const;

  /// ip_route_input_rcu(); `arp` when the lookup is made for an ARP request (arp_process()).
  /// REQUIRES: flow.iif
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

  /// decide() for flows that differ from this one in the destination alone: the rules that cannot
  /// match are left out once. REQUIRES: the Fib outlives it.
  [[nodiscard]] Destinations::Decide decider(const Flow& flow) const;

  /// Every route of a table that holds the destination, and why it was or was not taken.
  [[nodiscard]] std::vector<Considered> consider(TableId table, const Flow& flow) const;

  /// inet_select_addr(): the source address for a packet by `link` towards `toward`.
  [[nodiscard]] std::optional<Ip> select_source(IfIndex link, std::optional<Ip> toward,
                                                Scope scope) const;

  /// inet_addr_type(): what the local table makes of an address; local = ours.
  [[nodiscard]] RouteType address_type(const Ip& ip) const;

  /// A configured address of this host, on any link or on that one.
  [[nodiscard]] bool owns(const Ip& ip) const { return owners_.contains(ip.v4_bits()); }
  [[nodiscard]] bool owns(const Ip& ip, IfIndex link) const;

  [[nodiscard]] const RuleList& rules() const { return rules_; }
  /// Until a rule was ever touched, tables local and main are one and the rules not consulted.
  [[nodiscard]] bool merged() const { return merge_; }
  /// decide() for every destination of this flow.
  [[nodiscard]] Destinations destinations(const Flow& flow) const;

 private:
  using Index = PrefixIndex<std::uint32_t>;

  /// A route as the lookup needs it, apart from what only printing needs.
  struct Entry {
    std::span<const NextHop> legs;
    std::int16_t error{};
    std::uint8_t tos{};
    Scope scope{};
    bool object{};
    bool dead{};
    bool resilient{};  ///< of a nexthop group that looks at no neighbour
  };

  void compile_tables();
  [[nodiscard]] Decision decide(const RuleList& rules, const Flow& flow,
                                std::vector<Step>* steps) const;
  /// Where a decision may change: the first address of every prefix of every table and rule in
  /// play, and the address after its last.
  [[nodiscard]] std::vector<std::uint32_t> boundaries(const RuleList& rules) const;
  template <class Note>
  [[nodiscard]] Found find(const Index& table, const Flow& flow, const Note& note) const;
  [[nodiscard]] Found find(const Index* table, const Flow& flow) const;
  [[nodiscard]] const Index* table(TableId id) const;
  /// `taken` for a leg that may carry the flow, else why not.
  [[nodiscard]] bool has_address(IfIndex link) const;
  [[nodiscard]] RouteOutcome usable(const NextHop& leg, const Flow& flow) const;
  [[nodiscard]] Decision decide_merged(const Flow& flow, std::vector<Step>* steps) const;
  /// In table local, or where that is merged into main.
  [[nodiscard]] Found find_local(const Ip& ip) const;
  [[nodiscard]] std::optional<IfIndex> local_by_table(const Ip& ip) const;
  void finish(Lookup& lookup, const Decision& decision) const;
  void select_path(Lookup& lookup, const Decision& decision) const;
  [[nodiscard]] std::vector<Way> multipath(const Lookup& lookup, const Decision& decision) const;
  [[nodiscard]] std::vector<Way> default_routes(const Lookup& lookup,
                                                const Decision& decision) const;
  /// The gateway of a leg is used for certain: it is not this host itself, nor may have been.
  [[nodiscard]] bool gateway_is_sure(const NextHop& leg, const Route& route) const;
  /// A table with routes that end on this host, or say so: a scope narrower than link.
  struct Ending {
    const Index* index{};
    bool asked{};  ///< by rules, or it is local or main
  };
  [[nodiscard]] bool ends_here(std::uint32_t route) const {
    return entries_[route].scope > scope_link && entries_[route].error == 0;
  }
  /// One of them holds flow.dst.
  [[nodiscard]] bool host_route_leads_to(const Index& table, const Flow& flow) const;
  [[nodiscard]] std::vector<std::optional<Ip>> sources(const NextHop& leg, const Route& route,
                                                       const Flow& flow, bool sure) const;
  void add_ways(const NextHop& leg, const Route& route, const Flow& flow,
                std::vector<Way>& ways) const;
  [[nodiscard]] std::optional<Ip> leg_source(const NextHop& leg, Scope scope, bool localnet) const;
  [[nodiscard]] std::optional<Ip> select_source(IfIndex link, std::optional<Ip> toward, Scope scope,
                                                bool localnet) const;
  [[nodiscard]] bool localnet(IfIndex link) const {
    return snapshot_.effective(link, Conf::route_localnet).value != 0;
  }
  [[nodiscard]] bool good_neighbor(const NextHop& leg) const;
  [[nodiscard]] Lookup make_output(Lookup lookup) const;
  [[nodiscard]] Lookup input(const Flow& flow, bool arp, Heard* heard) const;
  [[nodiscard]] Verdict validate_source(Lookup& packet, IfIndex link, const Ip& reply_from,
                                        IfIndex oif, Heard* heard) const;

  const Snapshot& snapshot_;
  Nexthops nexthops_;
  RuleList rules_;
  std::vector<Entry> entries_;  ///< parallel to Snapshot::routes; blank for other families
  std::unordered_map<TableId, Index> tables_;
  std::vector<const Index*> slots_;  ///< parallel to rules_.tables(); nullptr = missing
  std::vector<Ending> ending_;       ///< tables that have such routes
  Index merged_;                     ///< local over main, while no rule was ever touched
  bool merge_{};
  bool custom_local_routes_{};
  bool realms_{};
  std::unordered_map<std::uint32_t, std::vector<IfIndex>> owners_;  ///< address → links
  std::unordered_set<IfIndex> addressed_;                           ///< links with an IPv4 address
};

}  // namespace retour
