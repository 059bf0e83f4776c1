// SPDX-License-Identifier: Apache-2.0
//
// IPv6: what the kernel would decide. Mirrors fib6_table_lookup(), rt6_select(),
// fib6_select_path(), ip6_route_output_flags() and ip6_route_input_lookup().
// docs/kernel-model.md says what is modelled.
//
// Immutable once made; safe to read from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/decision.h"
#include "model/destinations.h"
#include "model/fib6_draws.h"
#include "model/nexthops.h"
#include "model/prefix_index.h"
#include "model/rules.h"
#include "model/snapshot.h"
#include "model/sources6.h"

namespace retour {

class Fib6 {
 public:
  /// REQUIRES: `snapshot` outlives the Fib and is not changed.
  explicit Fib6(const Snapshot& snapshot);

  /// ip6_route_output_flags() and the source an unbound socket takes: what RTM_GETROUTE answers.
  /// REQUIRES: !flow.iif
  [[nodiscard]] Lookup output(const Flow& flow) const;

  /// ip6_dst_lookup_tail(): what a socket gets. As output(), but bound to a device it gets no
  /// other, and when the lookup fails for a socket without a source, one is chosen and the rules
  /// are asked again with it. REQUIRES: !flow.iif
  [[nodiscard]] Lookup connect(const Flow& flow) const;

  /// ip6_rcv_core(), ip6_route_input() and what ip6_forward() refuses. REQUIRES: flow.iif
  [[nodiscard]] Lookup input(const Flow& flow) const;

  /// ip6_route_input_lookup(): rules and tables for a packet received on flow.iif, neither its
  /// addresses nor forwarding judged: what RTM_GETROUTE answers. REQUIRES: flow.iif
  [[nodiscard]] Lookup forward(const Flow& flow) const;

  /// fib6_rule_lookup(): rules and tables alone, no choice among the legs of a multipath route.
  /// `flow.iif` unset means `lo`. Appends to `steps` when given.
  [[nodiscard]] Decision decide(const Flow& flow, std::vector<Step>* steps = nullptr) const;

  /// The same for every destination at once.
  [[nodiscard]] Destinations destinations(const Flow& flow) const;

  /// The decision of connect(), before it looks for a source, for flows that differ from this one
  /// in the destination alone: the rules that cannot match are left out once. REQUIRES: the Fib
  /// outlives it.
  [[nodiscard]] Destinations::Decide decider(const Flow& flow) const;

  /// Every route of a table that holds the destination, and why it was or was not taken; with that
  /// many prefixes forgotten (Lookup::forgotten). What is taken with another number is `or_taken`.
  [[nodiscard]] std::vector<Considered> consider(TableId table, const Flow& flow,
                                                 std::uint8_t forgotten = 0) const;

  /// A configured address of this host, on any link or on that one.
  [[nodiscard]] bool owns(const Ip& ip) const { return sources_.find(ip) != nullptr; }
  [[nodiscard]] bool owns(const Ip& ip, IfIndex link) const {
    return sources_.find(ip, link) != nullptr;
  }
  [[nodiscard]] const Sources6& sources() const { return sources_; }
  [[nodiscard]] const RuleList& rules() const { return rules_; }
  /// Until a rule is ever added the rules are not consulted: table local, then main.
  [[nodiscard]] bool custom() const { return custom_; }

 private:
  using Index = PrefixIndex<Bits>;

  /// A route as the lookup needs it, apart from what only printing needs.
  struct Entry {
    std::span<const NextHop> legs;
    std::span<const std::uint32_t> ids;  ///< nexthop object of each leg
    std::uint32_t metric{};
    std::int16_t error{};
    std::uint8_t preference{};  ///< IPV6_DECODE_PREF(): 0 … 3, the higher is taken
    bool object{};
    bool blackhole{};
    bool expired{};
    bool own{};        ///< delivered to this host: the kernel puts `lo` in place of the device
    bool may_fail{};   ///< a gateway of it is known not to answer
    bool resilient{};  ///< of a nexthop group that looks at no neighbour
  };
  /// The routes of one prefix that are for sources of one prefix only (CONFIG_IPV6_SUBTREES).
  struct Branch {
    Prefix from;
    std::vector<std::uint32_t> routes;
  };
  /// A prefix that has such routes.
  struct Subtree {
    std::vector<Branch> branches;      ///< the longest `from` first
    std::vector<std::uint32_t> plain;  ///< the routes for every source
    bool forgets{};                    ///< it may be lost, see Search
  };
  struct Table {
    Index index;
    std::unordered_map<std::size_t, Subtree> subtrees;  ///< by position in index.nodes()
    std::uint8_t forgets{};  ///< of how many, one within the other, sight may be lost
  };

  /// How a table is searched (the kernel's `oif` and RT6_LOOKUP_F_*).
  struct Search {
    IfIndex oif{};     ///< preferred, 0 = none: of an input lookup the link it came by
    bool strict{};     ///< RT6_LOOKUP_F_IFACE: no other than oif
    bool reachable{};  ///< RT6_LOOKUP_F_REACHABLE: pass over gateways that do not answer
    // What no snapshot tells, and one search takes as given:
    bool received{};  ///< a source of `::` is one (RT6_LOOKUP_F_HAS_SADDR)
    /// The first so many prefixes that only have branches cannot be entered: after a deletion the
    /// kernel compares them by a longer prefix below. Once one is entered, those above it are too.
    std::uint8_t forgotten{};
    Draws* draws{};  ///< for rules that look at the leg or the length; none: the likeliest
  };
  /// A table that rules look into, and what those rules suppress by.
  struct Slot {
    const Table* table{};  ///< nullptr = missing
    bool by_leg{};         ///< suppress_ifgroup
    bool by_length{};      ///< suppress_prefixlength
  };
  struct Chosen {
    bool found{};
    std::uint32_t route{};
    const NextHop* leg{};
    int score{-1};
  };

  [[nodiscard]] const Entry& entry_at(std::uint32_t route) const {
    return entries_[route - first_];
  }

  void compile();
  [[nodiscard]] Entry entry_of(const Route& route) const;
  void share(std::uint32_t route);
  void fill_slots();
  [[nodiscard]] std::ptrdiff_t told_apart(std::uint8_t length) const;
  [[nodiscard]] Table table_of(std::vector<std::uint32_t> routes) const;
  [[nodiscard]] const Table* table(TableId id) const;
  [[nodiscard]] Search search_of(const Flow& flow) const;
  template <class Visit>
  void each_leaf(const Table& table, const Flow& flow, const Search& search,
                 const Visit& visit) const;
  [[nodiscard]] Chosen choose(const Table& table, const Flow& flow, Search& search) const;
  [[nodiscard]] Found find(const Table* table, const Flow& flow, const Search& search) const;
  [[nodiscard]] Found drawn(Found found, const Slot& slot, const Search& search) const;
  void select(std::span<const std::uint32_t> routes, const Search& search, Chosen& chosen) const;
  [[nodiscard]] RouteOutcome usable(const NextHop& leg) const;
  [[nodiscard]] int score(const Entry& entry, const NextHop& leg, const Search& search) const;
  [[nodiscard]] RouteOutcome why_not(std::uint32_t route, const Search& search) const;
  [[nodiscard]] int best_score(std::uint32_t route, const Search& search) const;
  [[nodiscard]] Decision decide(const RuleList& rules, const Flow& flow, const Search& search,
                                std::vector<Step>* steps) const;
  [[nodiscard]] Decision decide_unruled(const Flow& flow, const Search& search,
                                        std::vector<Step>* steps) const;
  /// Where a decision may change: the first address of every prefix of every table and rule, and
  /// the address after its last.
  [[nodiscard]] std::vector<Bits> boundaries(const RuleList& rules) const;
  [[nodiscard]] Lookup look_up(const Flow& flow, const Search& search) const;
  [[nodiscard]] Lookup look_up_once(const Flow& flow, const Search& search) const;
  void select_path(Lookup& lookup, const Decision& decision, const Search& search) const;
  void add_way(Lookup& lookup, std::uint32_t route, const NextHop& leg) const;
  [[nodiscard]] std::vector<const NextHop*> legs_taken(std::uint32_t route, const NextHop* liked,
                                                       const Search& search) const;

  const Snapshot& snapshot_;
  Nexthops nexthops_;
  RuleList rules_;
  Sources6 sources_;
  bool custom_{};
  bool reachable_{};            ///< net.ipv6.conf.all.forwarding is off
  std::uint8_t forgets_{};      ///< the most of any table
  std::uint32_t first_{};       ///< the first IPv6 route of the snapshot
  std::vector<Entry> entries_;  ///< parallel to its routes from there on; blank for other families
  std::unordered_map<TableId, Table> tables_;
  std::vector<Slot> slots_;                  ///< parallel to rules_.tables()
  std::set<std::pair<IfIndex, Ip>> failed_;  ///< gateways that are known not to answer
  /// By nexthop object, a route of each kind that uses it: they share one destination cache entry.
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> sharers_;
  /// By nexthop object, the prefix lengths of its routes, one of each kind that rules tell apart.
  std::unordered_map<std::uint32_t, std::vector<std::uint8_t>> lengths_;
};

}  // namespace retour
