// SPDX-License-Identifier: Apache-2.0
//
// explain_round_trip(): the simulated round trip, its lookups laid open, and what would better it.
#include <algorithm>
#include <array>

#include "diagnose/explanation.h"
#include "diagnose/gates.h"
#include "diagnose/remedies.h"
#include "diagnose/subnets.h"
#include "model/fib.h"

namespace retour {

namespace {

/// The links that have the address, those with a door first, and the wires its requests may come
/// by.
struct Wires {
  std::vector<IfIndex> owners;
  std::vector<Segment> segments;
  SegmentsKnown known{};
};

bool has_door(const Snapshot& now, IfIndex index) {
  const Link* link = now.link(index);
  return link != nullptr && !link->loopback() && (!link->noarp() || link->pointopoint());
}

/// The links with an address in the subnet of `owner`'s address `local`, itself among them.
Segment links_beside(const Snapshot& now, const Ip& local, IfIndex owner) {
  Segment links{owner};
  for (const Address& own : now.addresses) {
    if (own.link != owner || own.local.address != local) continue;
    for (const Address& other : now.addresses) {
      if (!own.subnet().contains(other.local.address) || !has_door(now, other.link)) continue;
      if (std::ranges::find(links, other.link) == links.end()) links.push_back(other.link);
    }
  }
  return links;
}

Wires wires_of(const Snapshot& now, const Ip& local, SegmentsFrom from) {
  Wires doors;
  for (const Address& address : now.addresses) {
    if (address.local.address == local) doors.owners.push_back(address.link);
  }
  std::stable_partition(doors.owners.begin(), doors.owners.end(),
                        [&](IfIndex link) { return has_door(now, link); });
  if (from != SegmentsFrom::snapshot) doors.known = SegmentsKnown::told;
  Policy policy;
  policy.segments = from;
  for (SharedSubnet& subnet : shared_subnets(now, policy)) {
    const bool here = std::ranges::any_of(subnet.members, [&](const SharedSubnet::Member& member) {
      return member.address == local;
    });
    if (!here) continue;
    doors.segments = std::move(subnet.segments);
    doors.known = subnet.segments_known;
  }
  if (!doors.segments.empty()) return doors;
  // Of a subnet that is no shared one.
  const IfIndex owner = doors.owners.front();
  doors.segments = segments_of(links_beside(now, local, owner), now, from);
  const bool placed = std::ranges::any_of(doors.segments, [owner](const Segment& segment) {
    return std::ranges::find(segment, owner) != segment.end();
  });
  if (!placed) {
    doors.segments = {{owner}};
  } else if (from == SegmentsFrom::snapshot && now.segments) {
    doors.known = SegmentsKnown::measured;
  }
  return doors;
}

/// Round trips of the same question on hosts with one thing changed.
class Trial {
 public:
  Trial(const Snapshot& host, const RoundTrip& before, const std::vector<Segment>& segments)
      : host_(host), before_(before), segments_(segments) {}

  bool conf(IfIndex link, Conf conf, std::int32_t wanted) {
    Remedy remedy;
    remedy.settings = settings_for(host_, link, conf, wanted);
    return !remedy.settings.empty() && keep(std::move(remedy));
  }

  /// A table of its own; and where others then still answer ARP for the address, silence them, too.
  void own(const std::optional<OwnTable>& table) {
    if (!table) return;
    Remedy remedy;
    remedy.own_table = table;
    const RoundTrip then = ask_with(remedy);
    if (then.cause == Cause::flux) {
      Remedy quiet = remedy;
      for (const IfIndex link : then.arp_answered_by) {
        if (link == then.link) continue;
        const auto settings = settings_for(host_, link, Conf::arp_ignore, 1);
        quiet.settings.insert(quiet.settings.end(), settings.begin(), settings.end());
      }
      if (keep(std::move(quiet))) return;
    }
    keep(std::move(remedy));
  }

  void everywhere(Conf conf, std::int32_t value) {
    Remedy remedy;
    const std::int32_t before = host_.conf_all.get(conf).value_or(0);
    remedy.settings = {{conf, std::nullopt, before, value}};
    if (before < value) keep(std::move(remedy));
  }

  [[nodiscard]] std::vector<Remedy> take() {
    std::ranges::stable_sort(kept_, {}, [](const Remedy& remedy) { return *remedy.door; });
    return std::move(kept_);
  }

 private:
  [[nodiscard]] RoundTrip ask_with(const Remedy& remedy) const {
    const Snapshot host = with(host_, remedy);
    return round_trip(host, Fib(host), before_.local, before_.link, before_.peer, segments_);
  }

  bool keep(Remedy remedy) {
    const RoundTrip then = ask_with(remedy);
    if (then.verdict >= before_.verdict) return false;  // same door is the least
    remedy.verdict = then.reply.verdict;
    remedy.link = then.reply.link;
    remedy.door = then.verdict;
    remedy.cause = then.cause;
    kept_.push_back(std::move(remedy));
    return true;
  }

  const Snapshot& host_;
  const RoundTrip& before_;
  const std::vector<Segment>& segments_;
  std::vector<Remedy> kept_;
};

std::vector<Remedy> better(const Snapshot& host, const RoundTrip& trip,
                           const std::vector<Segment>& segments) {
  if (trip.verdict == DoorVerdict::same_door) return {};
  Trial trial(host, trip, segments);
  trial.own(own_table(host, trip.local, trip.link, trip.peer));
  if (!trip.local.is_v4()) return trial.take();  // no gate of IPv6 asks for the way back
  if (trip.verdict == DoorVerdict::lost) {
    if (!trial.conf(trip.link, Conf::rp_filter, 2)) trial.conf(trip.link, Conf::rp_filter, 0);
    if (!trial.conf(trip.link, Conf::arp_ignore, 1)) trial.conf(trip.link, Conf::arp_ignore, 0);
    trial.conf(trip.link, Conf::arp_filter, 0);
    trial.conf(trip.link, Conf::accept_local, 1);
  }
  if (trip.arp_answered_by.size() > 1 || trip.cause == Cause::flux) {
    trial.everywhere(Conf::arp_ignore, 1);
    trial.everywhere(Conf::arp_filter, 1);
  }
  if (trip.reply.ok() && trip.reply.link != trip.link) {
    trial.conf(trip.reply.link, Conf::ignore_routes_with_linkdown, 1);
  }
  return trial.take();
}

}  // namespace

std::vector<IfIndex> doors_of(const Snapshot& now, const Ip& local) {
  std::vector<IfIndex> doors;
  for (const Address& address : now.addresses) {
    if (address.local.address == local && has_door(now, address.link)) {
      doors.push_back(address.link);
    }
  }
  return doors;
}

TripExplanation explain_round_trip(const Snapshot& now, const Ip& local, const Ip& peer,
                                   SegmentsFrom from) {
  const Wires doors = wires_of(now, local, from);
  const Question question{local, doors.owners.front(), peer, &doors.segments};
  std::vector<IfIndex> hearing;
  for (const Segment& segment : doors.segments) {
    hearing.insert(hearing.end(), segment.begin(), segment.end());
  }
  const bool known = !local.is_v4() || gates_known(now, hearing);
  const Snapshot host = known ? now : assume_gates(now);
  const Fib fib(host);
  TripExplanation found;
  found.trip = known ? ask(host, fib, question)
                     : std::move(ask_every_gate(now, std::array{question}).front());
  found.also_on.assign(doors.owners.begin() + 1, doors.owners.end());
  found.beyond = std::ranges::none_of(now.addresses, [&](const Address& address) {
    return address.local.address == local && address.subnet().contains(peer);
  });
  found.arp = lay_open(fib, found.trip.arp_lookup);
  found.request = lay_open(fib, found.trip.request);
  found.reply = lay_open(fib, found.trip.reply);
  for (Explanation* part : {&found.arp, &found.request}) {
    if (!part->lookup.source_check || !part->lookup.flow.iif) continue;
    EffectiveConf& filter = part->lookup.source_check->rp_filter;
    filter.known = now.effective(*part->lookup.flow.iif, Conf::rp_filter).known;
  }
  found.remedies = better(host, found.trip, doors.segments);
  forget_untold(now, found.remedies);
  found.segments = doors.segments;
  found.segments_known = doors.known;
  return found;
}

}  // namespace retour
