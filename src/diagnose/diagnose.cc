// SPDX-License-Identifier: Apache-2.0
#include "diagnose/diagnose.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "diagnose/checks/checks.h"
#include "diagnose/gates.h"
#include "model/fib.h"

namespace retour {

namespace {

/// Tables that some rule looks up; what stands in others decides nothing.
bool consulted(const Snapshot& now, TableId table) {
  return std::ranges::any_of(now.rules, [&](const Rule& rule) {
    return rule.action == RuleAction::lookup && rule.table == table;
  });
}

/// A stand-in for "any peer in the subnet": the lowest address that is not ours and that nothing
/// more specific reaches than the subnet itself; where there is none, the lowest not ours.
std::optional<Ip> generic_peer(const Snapshot& now, const Prefix& network) {
  std::set<std::uint32_t> ours;
  for (const Address& address : now.addresses) {
    if (address.local.family() == Family::v4) ours.insert(address.local.address.v4_bits());
  }
  std::vector<Prefix> inner;
  for (const Route& route : now.routes) {
    if (route.family() == Family::v4 && route.dst.length > network.length &&
        network.contains(route.dst) && consulted(now, route.table)) {
      inner.push_back(route.dst.network());
    }
  }
  const bool has_ends = network.length < 31;  // network and broadcast addresses
  const std::uint64_t lowest = network.address.v4_bits() + (has_ends ? 1U : 0U);
  const std::uint64_t last = network.last().v4_bits() - (has_ends ? 1U : 0U);
  std::optional<Ip> second_best;
  for (std::uint64_t candidate = lowest; candidate <= last;) {
    const Ip ip = Ip::v4(static_cast<std::uint32_t>(candidate));
    const bool own = ours.contains(ip.v4_bits());
    const auto it = std::ranges::find_if(inner, [&](const Prefix& p) { return p.contains(ip); });
    if (it == inner.end() && !own) return ip;
    if (!own && !second_best) second_best = ip;
    // Skipping a whole inner prefix must not skip the only address that is not ours.
    candidate =
        it != inner.end() && second_best ? std::uint64_t{it->last().v4_bits()} + 1 : candidate + 1;
  }
  return second_best;
}

std::vector<Question> questions(const Snapshot& now, const std::vector<SharedSubnet>& subnets,
                                const Policy& policy) {
  std::map<Prefix, std::optional<Ip>> generic;
  std::vector<Question> all;
  for (const SharedSubnet& subnet : subnets) {
    std::vector<Ip> named;
    std::ranges::copy_if(policy.peers, std::back_inserter(named), [&](const Ip& peer) {
      // A peer beyond every shared subnet is asked about from all of them.
      return subnet.prefix.contains(peer) ||
             std::ranges::none_of(subnets, [&](const auto& s) { return s.prefix.contains(peer); });
    });
    std::set<Prefix> prefixes;
    for (const auto& member : subnet.members) prefixes.insert(member.subnet);
    for (const auto& member : subnet.members) {
      const auto add = [&](const Ip& peer) {
        all.push_back({member.address, member.link, peer, &subnet.segments});
      };
      std::ranges::for_each(named, add);
      if (!policy.peers.empty()) continue;
      // Where prefixes overlap, one peer in each that this address takes for its own wire.
      for (const Prefix& prefix : prefixes) {
        if (!member.subnet.contains(prefix)) continue;
        auto [it, fresh] = generic.try_emplace(prefix);
        if (fresh) it->second = generic_peer(now, prefix);
        if (it->second) add(*it->second);
      }
    }
  }
  return all;
}

/// Subnets of equal or overlapping prefixes, each under its shortest.
std::vector<SharedSubnet> by_overlap(const Snapshot& now) {
  std::map<Prefix, SharedSubnet> by_prefix;
  for (const Address& address : now.addresses) {
    const Link* link = now.link(address.link);
    if (address.local.family() != Family::v4 || address.scope >= scope_link || link == nullptr ||
        link->loopback() || address.local.length == 32) {
      continue;
    }
    SharedSubnet& subnet = by_prefix[address.subnet()];
    subnet.prefix = address.subnet();
    subnet.members.push_back(
        {address.link, address.local.address, address.subnet(), address.secondary()});
  }
  std::vector<SharedSubnet> groups;
  for (auto& [prefix, subnet] : by_prefix) {  // in order: what contains comes before its parts
    if (!groups.empty() && groups.back().prefix.contains(prefix)) {
      auto& members = groups.back().members;
      members.insert(members.end(), subnet.members.begin(), subnet.members.end());
    } else {
      groups.push_back(std::move(subnet));
    }
  }
  return groups;
}

Segment links_of(const SharedSubnet& subnet) {
  Segment links;
  for (const auto& member : subnet.members) {
    if (std::ranges::find(links, member.link) == links.end()) links.push_back(member.link);
  }
  return links;
}

bool holds(const Segment& segment, IfIndex link) {
  return std::ranges::find(segment, link) != segment.end();
}

}  // namespace

std::vector<Segment> segments_of(const Segment& links, const Snapshot& now, SegmentsFrom from) {
  std::vector<Segment> segments;
  if (from == SegmentsFrom::rails) {
    for (const IfIndex link : links) segments.push_back({link});
  } else if (from == SegmentsFrom::snapshot && now.segments) {
    std::ranges::copy_if(*now.segments, std::back_inserter(segments), [&](const Segment& measured) {
      return std::ranges::any_of(links, [&](IfIndex link) { return holds(measured, link); });
    });
  } else {
    segments.push_back(links);
  }
  return segments;
}

std::vector<SharedSubnet> shared_subnets(const Snapshot& now, SegmentsFrom from) {
  std::vector<SharedSubnet> shared;
  for (SharedSubnet& subnet : by_overlap(now)) {
    const Segment links = links_of(subnet);
    if (links.size() < 2) continue;
    subnet.segments_known = from != SegmentsFrom::snapshot ? SegmentsKnown::told
                            : now.segments                 ? SegmentsKnown::measured
                                                           : SegmentsKnown::assumed;
    subnet.segments = segments_of(links, now, from);
    // One that nobody could measure stands alone.
    for (const IfIndex link : links) {
      const auto has_it = [link](const Segment& segment) { return holds(segment, link); };
      if (std::ranges::none_of(subnet.segments, has_it)) subnet.segments.push_back({link});
    }
    shared.push_back(std::move(subnet));
  }
  return shared;
}

std::string_view name(Severity severity) {
  static constexpr std::array<std::string_view, 3> names{"error", "warning", "info"};
  static_assert(names.size() == static_cast<std::size_t>(Severity::info) + 1);
  return names[static_cast<std::size_t>(severity)];
}

std::string_view name(SegmentsKnown known) {
  static constexpr std::array<std::string_view, 3> names{"assumed", "told", "measured"};
  static_assert(names.size() == static_cast<std::size_t>(SegmentsKnown::measured) + 1);
  return names[static_cast<std::size_t>(known)];
}

bool Diagnosis::healthy() const {
  return std::ranges::none_of(findings,
                              [](const Finding& f) { return f.severity == Severity::error; });
}

Diagnosis diagnose(const Snapshot& now, const Policy& policy) {
  Diagnosis diagnosis;
  diagnosis.subnets = shared_subnets(now, policy.segments);
  const std::vector<Question> all = questions(now, diagnosis.subnets, policy);
  diagnosis.round_trips.resize(all.size());
  const Fib fib(now);
  std::map<const std::vector<Segment>*, bool> known;
  for (const SharedSubnet& subnet : diagnosis.subnets) {
    known[&subnet.segments] = gates_known(now, links_of(subnet));
  }
  std::vector<Question> open;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (known[all[i].segments]) {
      diagnosis.round_trips[i] = ask(now, fib, all[i]);
    } else {
      open.push_back(all[i]);
      places.push_back(i);
    }
  }
  if (!open.empty()) {
    std::vector<RoundTrip> trips = ask_every_gate(now, open);
    for (std::size_t i = 0; i < open.size(); ++i) {
      diagnosis.round_trips[places[i]] = std::move(trips[i]);
    }
  }

  const CheckInput input{now, diagnosis.subnets, diagnosis.round_trips};
  check_doors(input, diagnosis.findings);
  check_duplicates(input, diagnosis.findings);
  check_leftovers(input, diagnosis.findings);
  check_unknowns(input, diagnosis.findings);
  std::ranges::stable_sort(diagnosis.findings, {}, &Finding::severity);
  return diagnosis;
}

}  // namespace retour
