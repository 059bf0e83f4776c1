// SPDX-License-Identifier: Apache-2.0
#include "diagnose/questions.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace retour {

namespace {

/// Tables that some rule looks up; what stands in others decides nothing.
bool consulted(const Snapshot& now, const Route& route) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return rule.action == RuleAction::lookup && rule.table == route.table &&
           rule.family == route.family();
  });
}

/// Stand-ins for "any peer".
class Peers {
 public:
  explicit Peers(const Snapshot& now) {
    for (const Address& address : now.addresses) ours_.insert(address.local.address);
    std::set<Prefix> seen;
    for (const Route& route : now.routes) {
      if (route.dst.length == 0 || !seen.insert(route.dst.network()).second) continue;
      if (consulted(now, route)) inner_.push_back(route.dst.network());
    }
  }

  /// The lowest address that is not ours and that nothing more specific reaches than the subnet
  /// itself; where there is none, the lowest not ours.
  std::optional<Ip> in(const Prefix& network) {
    auto [it, fresh] = known_.try_emplace(network);
    if (fresh) it->second = find(network, true);
    return it->second;
  }
  /// One that nothing more specific reaches, or none.
  [[nodiscard]] std::optional<Ip> behind(const Prefix& network) const {
    return find(network, false);
  }

 private:
  [[nodiscard]] std::optional<Ip> find(const Prefix& network, bool second) const {
    std::vector<Prefix> inner;
    std::ranges::copy_if(inner_, std::back_inserter(inner), [&](const Prefix& prefix) {
      return prefix.length > network.length && network.contains(prefix);
    });
    const auto free = [&](const Ip& ip) {
      return network.contains(ip) && !ours_.contains(ip) &&
             std::ranges::none_of(inner, [&](const Prefix& p) { return p.contains(ip); });
    };
    // Of the whole Internet the lowest addresses are nobody's: those for documentation serve.
    static const std::array<Ip, 4> strangers{*Ip::parse("192.0.2.1"), *Ip::parse("198.51.100.1"),
                                             *Ip::parse("203.0.113.1"), *Ip::parse("2001:db8::1")};
    if (network.length < 8) {
      const auto it = std::ranges::find_if(strangers, free);
      if (it != strangers.end()) return *it;
    }
    const bool has_ends = network.length + 1 < width(network.family());
    const Family family = network.family();
    const Bits lowest = network.address.bits() + (has_ends ? 1U : 0U);
    const Bits last = network.last().bits() - (has_ends ? 1U : 0U);
    std::optional<Ip> second_best;
    for (Bits candidate = lowest; candidate <= last;) {
      const Ip ip(family, candidate);
      const bool own = ours_.contains(ip);
      const auto it = std::ranges::find_if(inner, [&](const Prefix& p) { return p.contains(ip); });
      if (it == inner.end() && !own) return ip;
      if (!own && !second_best) second_best = ip;
      // Skipping a whole inner prefix must not skip the only address that is not ours.
      const Bits skipped =
          it != inner.end() && (second_best || !second) ? it->last().bits() : candidate;
      if (skipped >= last) break;
      candidate = skipped + 1;
    }
    if (!second) return std::nullopt;
    return second_best;
  }

  std::set<Ip> ours_;
  std::vector<Prefix> inner_;
  std::map<Prefix, std::optional<Ip>> known_;
};

class Asking {
 public:
  Asking(const Snapshot& now, const std::vector<SharedSubnet>& subnets, const Policy& policy)
      : subnets_(subnets), policy_(policy), generic_(now) {}

  void on_the_wire(const SharedSubnet& subnet) {
    std::vector<Ip> named;
    std::ranges::copy_if(policy_.peers, std::back_inserter(named), [&](const Ip& peer) {
      // A peer beyond every shared subnet is asked about from all of them.
      return peer.family() == subnet.prefix.family() &&
             (subnet.prefix.contains(peer) || beyond_all(peer));
    });
    std::set<Prefix> prefixes;
    for (const auto& member : subnet.members) prefixes.insert(member.subnet);
    for (const auto& member : subnet.members) {
      for (const Ip& peer : named) add(subnet, member, peer);
      if (!policy_.peers.empty()) continue;
      // Where prefixes overlap, one peer in each that this address takes for its own wire.
      for (const Prefix& prefix : prefixes) {
        if (!member.subnet.contains(prefix)) continue;
        if (const auto peer = generic_.in(prefix)) add(subnet, member, *peer);
      }
    }
  }

  void behind_gateways(const SharedSubnet& group) {
    const auto far = generic_.behind(group.prefix);
    for (std::size_t i = 0; i < group.members.size(); ++i) {
      const auto& member = group.members[i];
      for (const Ip& peer : policy_.peers) {
        if (group.joins(member.address, peer)) add(group, member, peer);
      }
      if (!policy_.peers.empty()) continue;
      if (far) add(group, member, *far);
      // A peer beside another of our NICs: main would answer it there.
      for (std::size_t step = 1; step < group.members.size(); ++step) {
        const Prefix& other = group.members[(i + step) % group.members.size()].subnet;
        if (other == member.subnet || !group.prefix.contains(other)) continue;
        const auto peer = generic_.in(other);
        if (peer && group.joins(member.address, *peer)) add(group, member, *peer);
        break;
      }
    }
  }

  std::vector<Question> take() && { return std::move(all_); }

 private:
  [[nodiscard]] bool beyond_all(const Ip& peer) const {
    return std::ranges::none_of(subnets_, [&](const SharedSubnet& subnet) {
      return !subnet.routed() && subnet.prefix.contains(peer);
    });
  }
  void add(const SharedSubnet& subnet, const SharedSubnet::Member& member, const Ip& peer) {
    if (!asked_.emplace(member.link, member.address, peer).second) return;
    all_.push_back({member.address, member.link, peer, &subnet.segments});
  }

  const std::vector<SharedSubnet>& subnets_;
  const Policy& policy_;
  Peers generic_;
  std::set<std::tuple<IfIndex, Ip, Ip>> asked_;
  std::vector<Question> all_;
};

}  // namespace

std::vector<Question> questions(const Snapshot& now, const std::vector<SharedSubnet>& subnets,
                                const Policy& policy) {
  Asking asking(now, subnets, policy);
  for (const SharedSubnet& subnet : subnets) {
    if (subnet.routed()) {
      asking.behind_gateways(subnet);
    } else {
      asking.on_the_wire(subnet);
    }
  }
  return std::move(asking).take();
}

}  // namespace retour
