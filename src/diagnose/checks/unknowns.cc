// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/checks/checks.h"
#include "diagnose/subnets.h"

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
    if (subnet.routed()) continue;
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
  for (const Link& link : input.now.links) {
    const Link* vrf = vrf_of(input.now, link);
    if (vrf == nullptr) continue;
    Finding finding;
    finding.code = "in-vrf";
    finding.severity = Severity::info;
    finding.link = link.index;
    finding.message = fmt::format("{} is a port of VRF {}: its routes are in the VRF's table",
                                  link.name, vrf->name);
    finding.cure = "not looked at: a VRF keeps its doors apart by itself";
    findings.push_back(std::move(finding));
  }
}

}  // namespace retour
