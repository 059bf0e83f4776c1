// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "diagnose/checks/checks.h"

namespace retour {

namespace {

/// "enp137s0f1 (29.28.192.0/20 metric 105, table main)": the door a lookup picks and why.
std::string door(const Snapshot& now, const Lookup& lookup) {
  if (lookup.link.value == 0) return std::string(name(lookup.verdict));
  std::string text;
  for (const IfIndex link : lookup.links()) {
    text += (text.empty() ? "" : " or ") + now.link_name(link);
  }
  if (lookup.route) {
    const Route& route = now.routes[*lookup.route];
    text +=
        fmt::format(" ({}{}{})", route.dst.length == 0 ? "default" : route.dst.str(),
                    route.metric != 0 ? fmt::format(" metric {}", route.metric) : "",
                    route.table == table_main ? "" : fmt::format(" table {}", route.table.value));
  }
  return text;
}

std::string gate(const Snapshot& now, IfIndex link, Conf conf) {
  const Link* found = now.link(link);
  static const ConfValues none;
  const EffectiveConf value = effective(now.conf_all, found != nullptr ? found->conf : none, conf);
  return fmt::format("{}={}", info(conf).name, value.known ? std::to_string(value.value) : "1");
}

bool from_all(const Snapshot& now, IfIndex link, Conf conf) {
  const Link* found = now.link(link);
  return found != nullptr && effective(now.conf_all, found->conf, conf).from_all;
}

std::string names_of(const Snapshot& now, const std::vector<IfIndex>& links) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < links.size() && i < 3; ++i) names.push_back(now.link_name(links[i]));
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (links.size() > 3) text += fmt::format(" and {} more", links.size() - 3);
  return text;
}

struct Wording {
  const char* code;
  std::string what;
  std::string cure;
  bool curable;
};

Wording word(const Snapshot& now, const RoundTrip& trip) {
  const std::string mine = now.link_name(trip.link);
  const std::string way_back = door(now, trip.reply);
  const std::string route_cure =
      fmt::format("a table for {} and a rule \"from {}\" (retour apply)", mine, trip.local.str());
  switch (trip.cause) {
    case Cause::rp_filter:
      return {"lost-rp-filter",
              fmt::format("{} on {} {} requests from {}: the way back to it is {}",
                          gate(now, trip.link, Conf::rp_filter), mine,
                          trip.gates_known ? "drops" : "(if that is set) would drop",
                          trip.peer.str(), way_back),
              route_cure, true};
    case Cause::arp_filter:
      return {"lost-arp-filter",
              fmt::format("{} keeps {} silent: the way back to {} is {}",
                          gate(now, trip.link, Conf::arp_filter), mine, trip.peer.str(), way_back),
              route_cure, true};
    case Cause::arp_ignore:
      return {"lost-arp-ignore",
              fmt::format("{} keeps {} silent for its own address",
                          gate(now, trip.link, Conf::arp_ignore), mine),
              fmt::format("set net.ipv4.conf.{}.arp_ignore to 1",
                          from_all(now, trip.link, Conf::arp_ignore) ? "all" : mine),
              false};
    case Cause::flux:
      return {
          "arp-flux",
          fmt::format("ARP for it is answered by {}: requests arrive there, replies leave by {}",
                      names_of(now, trip.arp_answered_by), way_back),
          route_cure + "; the NICs that answer are told not to", true};
    case Cause::wrong_route:
      return {"wrong-door",
              fmt::format("requests arrive on {}, replies to {} leave by {}", mine, trip.peer.str(),
                          way_back),
              route_cure, true};
    case Cause::wrong_segment:
      return {"lost-wrong-segment",
              fmt::format("replies to {} leave by {}, which is not on the segment of {}",
                          trip.peer.str(), way_back, mine),
              route_cure, true};
    case Cause::link_down: {
      const IfIndex down = trip.leaves_on.value_or(trip.link);
      const Link* link = now.link(down);
      const bool admin = link != nullptr && !link->up();
      return {"link-down",
              fmt::format("{} {}", now.link_name(down), admin ? "is down" : "has no carrier"),
              admin ? fmt::format("ip link set {} up", now.link_name(down))
                    : "check cable, transceiver and switch port",
              // Its own NIC being down no rule can mend; a reply sent to a dead one, it can.
              down != trip.link};
    }
    case Cause::enslaved: {
      const Link* link = now.link(trip.link);
      const std::string master = now.link_name(link->master);
      return {"link-enslaved",
              fmt::format("{} is a port of {}: what arrives there is {}'s", mine, master, master),
              fmt::format("give the address to {}", master), false};
    }
    case Cause::noarp:
      return {"link-noarp", fmt::format("ARP is switched off on {}", mine),
              fmt::format("ip link set {} arp on", mine), false};
    case Cause::martian:
      return {"lost-martian",
              fmt::format("{} takes {} for an impossible source", mine, trip.peer.str()),
              "is that address also configured on this host?", false};
    default:
      // The kernel adds ff00::/8 a moment after a link has come up.
      if (!trip.local.is_v4() && !trip.arp.empty() && trip.arp_answered_by.empty()) {
        return {"lost-no-route",
                fmt::format("{} hears no neighbour solicitation: its route for ff00::/8 is missing",
                            mine),
                fmt::format("it comes by itself when the link has just come up; else ip link set "
                            "{} down, and up",
                            mine),
                false};
      }
      return {"lost-no-route",
              fmt::format("there is no way back to {} ({})", trip.peer.str(),
                          name(trip.reply.ok() ? trip.request.verdict : trip.reply.verdict)),
              route_cure, true};
  }
}

/// Whether the address has a door of its own to that peer, which a table can hold.
bool within_reach(const CheckInput& input, const RoundTrip& trip) {
  return std::ranges::any_of(input.subnets, [&](const SharedSubnet& subnet) {
    return subnet.joins(trip.local, trip.peer);
  });
}

bool duplicated(const CheckInput& input, const Ip& address) {
  return std::ranges::any_of(input.subnets, [&](const SharedSubnet& subnet) {
    return !subnet.routed() &&
           std::ranges::count(subnet.members, address, &SharedSubnet::Member::address) > 1;
  });
}

}  // namespace

void check_duplicates(const CheckInput& input, std::vector<Finding>& findings) {
  for (const SharedSubnet& subnet : input.subnets) {
    if (subnet.routed()) continue;
    for (auto it = subnet.members.begin(); it != subnet.members.end(); ++it) {
      const auto twin = std::find_if(subnet.members.begin(), it, [&](const auto& member) {
        return member.address == it->address && member.link != it->link;
      });
      if (twin == it) continue;
      Finding finding;
      finding.code = "duplicate-address";
      finding.severity = Severity::error;
      finding.link = it->link;
      finding.address = it->address;
      finding.message = fmt::format("{} is on {} and on {}: no rule can tell their doors apart",
                                    it->address.str(), input.now.link_name(twin->link),
                                    input.now.link_name(it->link));
      finding.cure = "take it off one of them";
      findings.push_back(std::move(finding));
    }
  }
}

void check_doors(const CheckInput& input, std::vector<Finding>& findings) {
  for (std::size_t i = 0; i < input.round_trips.size(); ++i) {
    const RoundTrip& trip = input.round_trips[i];
    if (trip.verdict == DoorVerdict::same_door) continue;
    const Wording wording = word(input.now, trip);
    Finding finding;
    finding.code = wording.code;
    finding.severity = Severity::error;
    finding.link = trip.link;
    finding.address = trip.local;
    finding.message = fmt::format("{} on {}: {}: {}", trip.local.str(),
                                  input.now.link_name(trip.link), name(trip.verdict), wording.what);
    finding.cure = wording.cure;
    finding.evidence = i;
    // The tables hold what the NIC reaches by itself; to others only main has a gateway.
    const bool beyond = !within_reach(input, trip);
    finding.curable = wording.curable && !beyond && !duplicated(input, trip.local);
    if (wording.curable && beyond) {
      finding.cure =
          "the peer is beyond what the NICs share, and no gateway of this one is known: a "
          "[[fabric]] "
          "of the policy names it";
    }
    findings.push_back(std::move(finding));
  }
}

}  // namespace retour
