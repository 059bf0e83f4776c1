// SPDX-License-Identifier: Apache-2.0
#include "text/render_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "text/lines.h"
#include "text/printable.h"

namespace retour {

namespace {

Ink ink_of(Severity severity) {
  return severity == Severity::error     ? Ink::red
         : severity == Severity::warning ? Ink::yellow
                                         : Ink::dim;
}

std::string arrival(const Snapshot& host, const RoundTrip& trip) {
  if (trip.arrives_on) return link_label(host, *trip.arrives_on);
  if (trip.arp.empty()) return trip.cause == Cause::link_down ? "link is down" : "nothing";
  if (trip.arp_answered_by.empty()) return "nobody answers";
  return fmt::format("any of {}", trip.arp_answered_by.size());
}

std::string gate_text(const Snapshot& host, IfIndex link, Conf conf) {
  const Link* found = host.link(link);
  static const ConfValues none;
  const EffectiveConf value = effective(host.conf_all, found != nullptr ? found->conf : none, conf);
  if (!value.known) return fmt::format("if {}=1", info(conf).name);
  return fmt::format("{}={} ({})", info(conf).name, value.value,
                     value.from_all ? std::string("from all") : "from " + link_label(host, link));
}

std::string silence(const Snapshot& host, const RoundTrip& trip, const ArpReception& heard) {
  switch (heard.silent_because) {
    case Cause::rp_filter:
      return fmt::format("{}, the way back is {}", gate_text(host, heard.link, Conf::rp_filter),
                         ways_words(host, trip.reply));
    case Cause::arp_ignore:
      return gate_text(host, heard.link, Conf::arp_ignore) +
             (heard.link == trip.link ? "" : ", not an address of that NIC");
    case Cause::arp_filter:
      return fmt::format("{}, the way back is {}", gate_text(host, heard.link, Conf::arp_filter),
                         ways_words(host, trip.reply));
    default:
      return silence_words(heard.silent_because);
  }
}

void line(std::string& out, const char* head, const std::string& text, Ink ink,
          const Style& style) {
  out += fmt::format("  {:<9}{}\n", head, style.paint(ink, wrap(text, 11)));
}

/// The NICs other than the owner, those of one fate together: they may be many.
std::string others(const Snapshot& host, const RoundTrip& trip) {
  std::map<std::pair<bool, Cause>, std::vector<const ArpReception*>> fates;
  for (std::size_t i = 1; i < trip.arp.size(); ++i) {
    fates[{!trip.arp[i].answers, trip.arp[i].silent_because}].push_back(&trip.arp[i]);
  }
  std::string text;
  for (const auto& [fate, heard] : fates) {
    std::string who = link_label(host, heard.front()->link);
    if (heard.size() > 1) who += fmt::format(" and {} more", heard.size() - 1);
    text += (text.empty() ? "" : "; ") + who;
    text += heard.front()->answers
                ? std::string(" ANSWER") + (heard.size() == 1 ? "S" : "") + " for it"
                : " stay" + std::string(heard.size() == 1 ? "s" : "") +
                      " silent: " + silence(host, trip, *heard.front());
  }
  return text;
}

/// The route through the owner's own link that lost against the one chosen.
std::string loser(const Snapshot& host, const RoundTrip& trip) {
  if (!trip.reply.route || trip.reply.link == trip.link) return {};
  const Route& won = host.routes[*trip.reply.route];
  for (const Route& route : host.routes) {
    if (route.table != won.table || route.dst != won.dst || route.next_hops.size() != 1) continue;
    if (route.next_hops.front().link != trip.link) continue;
    return route.metric == won.metric
               ? fmt::format("its own route stands behind that one (same metric {})", won.metric)
               : fmt::format("its own route has metric {}, that one {}", route.metric, won.metric);
  }
  return {};
}

std::string outcomes_text(const RoundTrip& trip) {
  std::map<std::pair<DoorVerdict, Cause>, std::vector<const GateOutcome*>, std::greater<>> fates;
  for (const GateOutcome& outcome : trip.outcomes) {
    fates[{outcome.verdict, outcome.cause}].push_back(&outcome);
  }
  // A gate is named only where it matters for that outcome.
  const auto constant = [](const std::vector<const GateOutcome*>& list, int GateOutcome::*gate) {
    return std::ranges::all_of(list,
                               [&](const auto* o) { return o->*gate == list.front()->*gate; });
  };
  std::string text;
  for (const auto& entry : fates) {
    const auto& fate = entry.first;
    const auto& list = entry.second;
    std::string when;
    const auto add = [&](const char* label, int GateOutcome::*gate) {
      if (constant(list, gate)) {
        when += fmt::format("{}{}={}", when.empty() ? "" : " ", label, list.front()->*gate);
      }
    };
    add("rp_filter", &GateOutcome::rp_filter);
    add("arp_ignore", &GateOutcome::arp_ignore);
    add("arp_filter", &GateOutcome::arp_filter);
    text += fmt::format(
        "{}{}{} {}", text.empty() ? "" : "; ", name(fate.first),
        fate.second == Cause::none ? std::string() : fmt::format(" ({})", name(fate.second)),
        when.empty() ? "otherwise" : "if " + when);
  }
  return text;
}

std::string evidence(const Snapshot& host, const RoundTrip& trip, const Style& style) {
  std::string out;
  const std::string mine = link_label(host, trip.link);
  line(out, "request",
       fmt::format("{} asks on {}: who has {}?", trip.peer.str(), mine, trip.local.str()),
       Ink::plain, style);
  if (!trip.arp.empty()) {
    const ArpReception& owner = trip.arp.front();
    line(out, "ARP",
         owner.answers ? fmt::format("{} answers", mine)
                       : fmt::format("{} stays silent: {}", mine, silence(host, trip, owner)),
         owner.answers ? Ink::plain : Ink::red, style);
    if (const std::string rest = others(host, trip); !rest.empty()) {
      line(out, "", rest, Ink::plain, style);
    }
  }
  line(out, "reply", fmt::format("from {} to {}:", trip.local.str(), trip.peer.str()), Ink::plain,
       style);
  out += render_steps(host, trip.reply, 11);
  std::string door = trip.reply.ok() ? fmt::format("leaves by {}", ways_words(host, trip.reply))
                                     : std::string(name(trip.reply.verdict));
  const std::vector<IfIndex> links = trip.reply.links();
  if (trip.reply.ok() && std::ranges::find(links, trip.link) == links.end())
    door += fmt::format(", not by {}", mine);
  if (!trip.arrives_on && trip.arp_answered_by.empty() && trip.reply.ok()) {
    door = fmt::format("none: nothing was answered (it would leave by {})",
                       ways_words(host, trip.reply));
  }
  if (const std::string lost = loser(host, trip); !lost.empty()) door += "; " + lost;
  line(out, "door", door, trip.verdict == DoorVerdict::same_door ? Ink::green : Ink::yellow, style);
  if (!trip.outcomes.empty()) line(out, "gates", outcomes_text(trip), Ink::plain, style);
  return out;
}

bool concerns(const Finding& finding, const DiagnosisView& view) {
  return !view.address || finding.address == view.address;
}

}  // namespace

Ink ink_of(DoorVerdict verdict) {
  switch (verdict) {
    case DoorVerdict::same_door:
      return Ink::green;
    case DoorVerdict::wrong_door:
      return Ink::yellow;
    case DoorVerdict::lost:
      return Ink::red;
  }
  return Ink::plain;
}

std::string_view known_words(SegmentsKnown known) {
  return known == SegmentsKnown::measured ? "measured"
         : known == SegmentsKnown::told   ? "as told"
                                          : "assumed";
}

std::string subnet_line(const SharedSubnet& subnet) {
  std::set<IfIndex> links;
  for (const auto& member : subnet.members) links.insert(member.link);
  std::string segments = "one segment";
  if (subnet.segments.size() == links.size()) {
    segments = "each on a segment of its own";
  } else if (subnet.segments.size() > 1) {
    segments = fmt::format("{} segments", subnet.segments.size());
  }
  const std::string what = !subnet.routed() ? "share " + subnet.prefix.str()
                           : subnet.prefix.length == 0
                               ? "have a default gateway each"
                               : "have a gateway each to " + subnet.prefix.str();
  return fmt::format("{} NICs {}: {} ({})", links.size(), what, segments,
                     known_words(subnet.segments_known));
}

std::string render_steps(const Snapshot& host, const Lookup& lookup, std::size_t indent) {
  std::string out;
  const std::string pad(indent, ' ');
  std::size_t missed = 0;
  const auto flush = [&] {
    if (missed > 0) {
      out += fmt::format("{}({} rule{} not match)\n", pad, missed, missed == 1 ? " does" : "s do");
    }
    missed = 0;
  };
  for (const Step& step : lookup.steps) {
    if (step.outcome == RuleOutcome::no_match) {
      ++missed;
      continue;
    }
    flush();
    const Rule& rule = host.rules[step.rule];
    const std::string tried = fmt::format("rule {}: {}", rule.priority, rule_line(host, rule));
    out += fmt::format("{}{}\n", pad, wrap(tried, indent));
    out += fmt::format("{}  -> {}\n", pad, wrap(step_line(host, lookup, step), indent + 5));
  }
  flush();
  return out;
}

std::string render_doors(const Snapshot& host, const Diagnosis& diagnosis,
                         const DiagnosisView& view, const Style& style) {
  // Where an address is asked by one peer only, any other in its place would get the same.
  std::set<Ip> asked;
  bool peers = false;
  for (const RoundTrip& trip : diagnosis.round_trips) {
    if (view.address && trip.local != *view.address) continue;
    peers = !asked.insert(trip.local).second || peers;
  }
  if (asked.empty()) return {};
  Table table;
  std::vector<Table::Cell> head{{"NIC", Ink::dim}, {"address", Ink::dim}};
  if (peers) head.push_back({"peer", Ink::dim});
  for (const char* title : {"request in", "reply out", "verdict"})
    head.push_back({title, Ink::dim});
  table.row(std::move(head));
  for (const RoundTrip& trip : diagnosis.round_trips) {
    if (view.address && trip.local != *view.address) continue;
    std::string verdict(name(trip.verdict));
    if (trip.cause != Cause::none) verdict += fmt::format(" ({})", name(trip.cause));
    const bool reply = trip.verdict != DoorVerdict::lost;
    std::vector<Table::Cell> row{{link_label(host, trip.link)}, {trip.local.str()}};
    if (peers) row.push_back({trip.peer.str()});
    row.push_back({arrival(host, trip)});
    row.push_back({reply ? ways_words(host, trip.reply) : "-"});
    row.push_back({verdict, ink_of(trip.verdict)});
    table.row(std::move(row));
  }
  return table.str(style);
}

std::string render(const Snapshot& host, const Diagnosis& diagnosis, const DiagnosisView& view,
                   const Style& style) {
  std::string out;
  for (const SharedSubnet& subnet : diagnosis.subnets) out += subnet_line(subnet) + "\n";
  if (diagnosis.subnets.empty()) {
    out += "No two NICs of this host share a subnet, or a prefix behind gateways.\n";
  }
  const std::string doors = render_doors(host, diagnosis, view, style);
  if (!doors.empty()) out += "\n" + doors;

  std::map<std::string, std::size_t> of_code;
  const auto total = static_cast<std::size_t>(std::ranges::count_if(
      diagnosis.findings, [&](const Finding& finding) { return concerns(finding, view); }));
  std::size_t hidden = 0;
  for (const Finding& finding : diagnosis.findings) {
    if (!concerns(finding, view)) continue;
    if (++of_code[finding.code] > 1 && total > view.in_full) {
      ++hidden;
      continue;
    }
    out += fmt::format("\n{} {}\n", style.paint(ink_of(finding.severity), name(finding.severity)),
                       style.paint(Ink::bold, finding.code));
    out += "  " + wrap(printable(finding.message), 2) + "\n";
    if (finding.evidence) out += evidence(host, diagnosis.round_trips[*finding.evidence], style);
    if (!finding.cure.empty()) line(out, "cure", printable(finding.cure), Ink::plain, style);
  }
  if (hidden > 0) {
    out += fmt::format("\n{} more like these; --address IP shows one, --json all.\n", hidden);
  }
  if (view.address && total == 0) {
    for (const RoundTrip& trip : diagnosis.round_trips) {
      if (trip.local == *view.address) out += "\n" + evidence(host, trip, style);
    }
  }
  if (!host.notes.empty()) out += "\n";
  constexpr std::size_t most = 8;
  const std::size_t shown = host.notes.size() <= most + 1 ? host.notes.size() : most;
  for (std::size_t i = 0; i < shown; ++i) {
    out += "note: " + wrap(printable(host.notes[i]), 6) + "\n";
  }
  if (shown < host.notes.size()) {
    out += fmt::format("note: {} more; --json has all\n", host.notes.size() - shown);
  }
  return out;
}

}  // namespace retour
