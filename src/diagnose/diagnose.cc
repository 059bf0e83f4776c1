// SPDX-License-Identifier: Apache-2.0
#include "diagnose/diagnose.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "diagnose/checks/checks.h"
#include "model/fib.h"

namespace retour {

namespace {

constexpr std::array gates{Conf::rp_filter, Conf::arp_ignore, Conf::arp_filter};

bool same_peer_subnet(const SharedSubnet& subnet, const Ip& peer) {
  return subnet.prefix.contains(peer);
}

/// A stand-in for "any peer in the subnet": the lowest address that is neither ours nor reached by
/// anything more specific than the subnet itself.
std::optional<Ip> generic_peer(const Snapshot& now, const SharedSubnet& subnet) {
  const Prefix network = subnet.prefix;
  std::set<std::uint32_t> ours;
  for (const Address& address : now.addresses) {
    if (address.local.family() == Family::v4) ours.insert(address.local.address.v4_bits());
  }
  std::vector<Prefix> inner;
  for (const Route& route : now.routes) {
    if (route.family() == Family::v4 && route.dst.length > network.length &&
        network.contains(route.dst)) {
      inner.push_back(route.dst.network());
    }
  }
  const bool has_ends = network.length < 31;  // network and broadcast addresses
  std::uint64_t candidate = network.address.v4_bits() + (has_ends ? 1U : 0U);
  const std::uint64_t last = network.last().v4_bits() - (has_ends ? 1U : 0U);
  while (candidate <= last) {
    const Ip ip = Ip::v4(static_cast<std::uint32_t>(candidate));
    if (const auto it =
            std::ranges::find_if(inner, [&](const Prefix& p) { return p.contains(ip); });
        it != inner.end()) {
      candidate = std::uint64_t{it->last().v4_bits()} + 1;
      continue;
    }
    if (!ours.contains(ip.v4_bits())) return ip;
    ++candidate;
  }
  return std::nullopt;
}

bool gates_known(const Snapshot& now, const SharedSubnet& subnet) {
  return std::ranges::all_of(subnet.members, [&](const auto& member) {
    const Link* link = now.link(member.link);
    return std::ranges::all_of(gates, [&](Conf gate) {
      return link != nullptr && effective(now.conf_all, link->conf, gate).known;
    });
  });
}

/// The host if every gate that nobody told us had this value.
Snapshot assume(Snapshot host, const GateOutcome& given) {
  const auto fill = [&](Conf gate, std::int32_t value) {
    // A missing `all` can settle every link at once; else each silent link takes the value.
    const bool all_missing = !host.conf_all.get(gate);
    if (all_missing) host.conf_all.set(gate, value);
    for (Link& link : host.links) {
      if (!link.conf.get(gate)) link.conf.set(gate, all_missing ? 0 : value);
    }
  };
  fill(Conf::rp_filter, given.rp_filter);
  fill(Conf::arp_ignore, given.arp_ignore);
  fill(Conf::arp_filter, given.arp_filter);
  return host;
}

struct Question {
  const SharedSubnet* subnet{};
  const SharedSubnet::Member* member{};
  Ip peer{};
};

RoundTrip ask(const Snapshot& host, const Fib& fib, const Question& question) {
  return round_trip(host, fib, question.member->address, question.member->link, question.peer,
                    question.subnet->segments);
}

std::vector<Question> questions(const Snapshot& now, const std::vector<SharedSubnet>& subnets,
                                const Policy& policy) {
  std::vector<Question> all;
  for (const SharedSubnet& subnet : subnets) {
    std::vector<Ip> peers;
    std::ranges::copy_if(policy.peers, std::back_inserter(peers), [&](const Ip& peer) {
      // A peer beyond every shared subnet is asked about from all of them.
      return same_peer_subnet(subnet, peer) || std::ranges::none_of(subnets, [&](const auto& s) {
               return same_peer_subnet(s, peer);
             });
    });
    if (policy.peers.empty()) {
      if (const auto generic = generic_peer(now, subnet)) peers.push_back(*generic);
    }
    for (const auto& member : subnet.members) {
      for (const Ip& peer : peers) all.push_back({&subnet, &member, peer});
    }
  }
  return all;
}

/// Where gates are unknown: every combination of them, and the verdict of the assumed one.
void ask_every_gate(const Snapshot& now, const std::vector<Question>& open,
                    const std::vector<std::size_t>& places, std::vector<RoundTrip>& trips) {
  const GateOutcome assumed{1, 1, 0, {}, {}};
  const Snapshot base = assume(now, assumed);
  const Fib base_fib(base);
  for (std::size_t i = 0; i < open.size(); ++i) {
    trips[places[i]] = ask(base, base_fib, open[i]);
    trips[places[i]].gates_known = false;
  }
  for (int bits = 0; bits < 8; ++bits) {
    const GateOutcome given{(bits >> 2) & 1, (bits >> 1) & 1, bits & 1, {}, {}};
    const Snapshot host = assume(now, given);
    const Fib fib(host);
    for (std::size_t i = 0; i < open.size(); ++i) {
      const RoundTrip trip = ask(host, fib, open[i]);
      GateOutcome outcome = given;
      // A gate that is known after all shows its real value, not the assumed one.
      outcome.rp_filter = fib.conf(trip.link, Conf::rp_filter).value;
      outcome.arp_ignore = fib.conf(trip.link, Conf::arp_ignore).value;
      outcome.arp_filter = fib.conf(trip.link, Conf::arp_filter).value;
      outcome.verdict = trip.verdict;
      outcome.cause = trip.cause;
      auto& outcomes = trips[places[i]].outcomes;
      const bool known = std::ranges::any_of(outcomes, [&](const GateOutcome& o) {
        return o.rp_filter == outcome.rp_filter && o.arp_ignore == outcome.arp_ignore &&
               o.arp_filter == outcome.arp_filter;
      });
      if (!known) outcomes.push_back(outcome);
    }
  }
}

}  // namespace

std::vector<SharedSubnet> shared_subnets(const Snapshot& now, SegmentsFrom from) {
  std::map<Prefix, SharedSubnet> by_prefix;
  for (const Address& address : now.addresses) {
    const Link* link = now.link(address.link);
    if (address.local.family() != Family::v4 || address.scope >= scope_link || link == nullptr ||
        link->loopback() || address.local.length == 32) {
      continue;
    }
    SharedSubnet& subnet = by_prefix[address.subnet()];
    subnet.prefix = address.subnet();
    subnet.members.push_back({address.link, address.local.address, address.secondary()});
  }
  std::vector<SharedSubnet> shared;
  for (auto& [prefix, subnet] : by_prefix) {
    Segment links;
    for (const auto& member : subnet.members) {
      if (std::ranges::find(links, member.link) == links.end()) links.push_back(member.link);
    }
    if (links.size() < 2) continue;
    if (from != SegmentsFrom::snapshot) subnet.segments_known = SegmentsKnown::told;
    if (from == SegmentsFrom::rails) {
      for (const IfIndex link : links) subnet.segments.push_back({link});
    } else if (from == SegmentsFrom::snapshot && now.segments) {
      subnet.segments_known = SegmentsKnown::measured;
      for (const Segment& measured : *now.segments) {
        Segment part;
        std::ranges::copy_if(links, std::back_inserter(part), [&](IfIndex link) {
          return std::ranges::find(measured, link) != measured.end();
        });
        if (!part.empty()) subnet.segments.push_back(std::move(part));
      }
      for (const IfIndex link : links) {  // a link that nobody could measure stands alone
        const bool placed = std::ranges::any_of(subnet.segments, [&](const Segment& segment) {
          return std::ranges::find(segment, link) != segment.end();
        });
        if (!placed) subnet.segments.push_back({link});
      }
    } else {
      subnet.segments.push_back(links);
    }
    shared.push_back(std::move(subnet));
  }
  return shared;
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
  std::map<const SharedSubnet*, bool> known;
  for (const SharedSubnet& subnet : diagnosis.subnets) known[&subnet] = gates_known(now, subnet);
  std::vector<Question> open;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (known[all[i].subnet]) {
      diagnosis.round_trips[i] = ask(now, fib, all[i]);
    } else {
      open.push_back(all[i]);
      places.push_back(i);
    }
  }
  if (!open.empty()) ask_every_gate(now, open, places, diagnosis.round_trips);

  const CheckInput input{now, diagnosis.subnets, diagnosis.round_trips};
  check_doors(input, diagnosis.findings);
  check_leftovers(input, diagnosis.findings);
  check_unknowns(input, diagnosis.findings);
  std::ranges::stable_sort(diagnosis.findings, {}, &Finding::severity);
  return diagnosis;
}

}  // namespace retour
