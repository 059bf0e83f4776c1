// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "diagnose/checks/checks.h"

namespace retour {

namespace {

void note(std::vector<Finding>& findings, const char* code, std::string message, std::string cure,
          Severity severity = Severity::info) {
  Finding finding;
  finding.code = code;
  finding.severity = severity;
  finding.message = std::move(message);
  finding.cure = std::move(cure);
  findings.push_back(std::move(finding));
}

}  // namespace

void check_unknowns(const CheckInput& input, std::vector<Finding>& findings) {
  const bool guessed = std::ranges::any_of(input.round_trips,
                                           [](const RoundTrip& trip) { return !trip.gates_known; });
  if (guessed) {
    note(findings, "gates-unknown",
         "rp_filter, arp_ignore or arp_filter of the NICs is not known; verdicts are for "
         "rp_filter=1, arp_ignore=1, arp_filter=0, each round trip lists the others",
         "give the output of `sysctl -a` (import --sysctl)");
  }
  for (const SharedSubnet& subnet : input.subnets) {
    for (const auto& member : subnet.members) {
      const bool judged = std::ranges::any_of(input.round_trips, [&](const RoundTrip& trip) {
        return trip.local == member.address && trip.link == member.link;
      });
      if (judged) continue;
      note(findings, "not-judged",
           fmt::format("{} on {}: no peer was named that could ask it, and {} has no free address",
                       member.address.str(), input.now.link_name(member.link), member.subnet.str()),
           "name one: --peer IP", Severity::warning);
    }
    if (subnet.segments_known != SegmentsKnown::assumed) continue;
    note(findings, "segments-assumed",
         fmt::format("the {} addresses in {} are taken to share one segment; nobody measured it",
                     subnet.members.size(), subnet.prefix.str()),
         "say --segments flat or rails; live, with CAP_NET_RAW, it is measured");
  }
  std::map<Prefix, std::set<IfIndex>> v6;
  for (const Address& address : input.now.addresses) {
    if (address.local.family() == Family::v6 && address.scope < scope_link) {
      v6[address.subnet()].insert(address.link);
    }
  }
  for (const auto& [prefix, links] : v6) {
    if (links.size() < 2) continue;
    note(findings, "ipv6-not-diagnosed",
         fmt::format("{} NICs share {}; IPv6 is read and kept, not yet diagnosed", links.size(),
                     prefix.str()),
         "");
  }
}

}  // namespace retour
