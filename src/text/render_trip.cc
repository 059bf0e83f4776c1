// SPDX-License-Identifier: Apache-2.0
//
// A round trip laid open, for people: ARP, the request, the reply, what would better it.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "text/explain_words.h"
#include "text/lines.h"
#include "text/render_diagnosis.h"
#include "text/render_explanation.h"
#include "text/render_rules.h"

namespace retour {

namespace {

/// Nothing reaches the owner: it is down, without carrier, a port, or its ARP is off.
bool hears_nothing(const RoundTrip& trip) { return trip.arp.empty() && !trip.arrives_on; }

std::string deafness(const Snapshot& host, const RoundTrip& trip) {
  const Link* link = host.link(trip.link);
  if (link == nullptr) return "there is no such link";
  switch (trip.cause) {
    case Cause::link_down:
      return link->up() ? "no carrier" : "it is down";
    case Cause::enslaved:
      return fmt::format("it is a port of {}", link_label(host, link->master));
    default:
      return silence_words(trip.cause);
  }
}

std::string answer(const Snapshot& host, const RoundTrip& trip) {
  std::string text(name(trip.verdict));
  if (trip.cause != Cause::none) text += fmt::format(" ({})", name(trip.cause));
  const std::string out = ways_words(host, trip.reply);
  if (trip.verdict == DoorVerdict::same_door) return text + ": in and out by " + out;
  if (hears_nothing(trip)) {
    return text +
           fmt::format(": {} hears nothing: {}", link_label(host, trip.link), deafness(host, trip));
  }
  if (!trip.arp.empty() && trip.arp_answered_by.empty()) {
    return text + (trip.local.is_v4() ? ": nobody answers ARP for it"
                                      : ": no neighbour solicitation for it is answered");
  }
  if (trip.verdict == DoorVerdict::lost) {
    return text + (trip.request.ok() ? ": the request arrives, the reply does not"
                                     : ": the request is dropped");
  }
  const std::string in = trip.arrives_on
                             ? "in by " + link_label(host, *trip.arrives_on)
                             : fmt::format("in by any of {}, a race", trip.arp_answered_by.size());
  return fmt::format("{}: {}, out by {}", text, in, out);
}

std::string silence(const Snapshot& host, const TripExplanation& found, const ArpReception& heard) {
  const RoundTrip& trip = found.trip;
  const auto way_back = [&] {
    return trip.reply.ok() ? ", way back " + ways_words(host, trip.reply) : ", no way back";
  };
  if (const auto gate = silencer(host, heard)) {
    return gate_words(host, *gate) + (gate->conf != Conf::arp_ignore ? way_back()
                                      : heard.link == trip.link      ? std::string()
                                                                     : ", not its address");
  }
  if (heard.silent_because == Cause::none) {
    return heard.link == trip.link ? "it is still tried out (tentative)" : "not its address";
  }
  if (heard.silent_because == Cause::noarp && !trip.local.is_v4()) {
    return "neighbour discovery is off on it";
  }
  return silence_words(heard.silent_because);
}

/// The owner alone, then the others, those of one fate together.
void print_arp(Page& page, const Snapshot& host, const TripExplanation& found,
               const ExplanationView& view) {
  const RoundTrip& trip = found.trip;
  page.label(trip.local.is_v4() ? "ARP" : "NDP");
  if (trip.arp.empty()) {
    const Link* link = host.link(trip.link);
    return page.line(
        link != nullptr && link->noarp()
            ? fmt::format("nobody asks: {} is the end of a tunnel", link_label(host, trip.link))
            : "nobody here knows who would ask: the peer is beyond the subnet");
  }
  const auto fate = [&](const ArpReception& heard) {
    return heard.answers ? std::string(heard.certain ? "" : "may ") + "answer"
                         : "stay silent: " + silence(host, found, heard);
  };
  std::vector<std::pair<std::string, std::vector<IfIndex>>> groups;
  for (const ArpReception& heard : trip.arp) {
    std::string text = fate(heard);
    // The owner stands by itself.
    const auto same = groups.empty()
                          ? groups.end()
                          : std::find_if(groups.begin() + 1, groups.end(),
                                         [&](const auto& group) { return group.first == text; });
    if (same == groups.end() || view.all) {
      groups.emplace_back(std::move(text), std::vector<IfIndex>{heard.link});
    } else {
      same->second.push_back(heard.link);
    }
  }
  for (const auto& group : groups) {
    const auto& links = group.second;
    std::string who = link_label(host, links.front());
    if (links.size() == 2) who += " and " + link_label(host, links.back());
    if (links.size() > 2) who += fmt::format(" and {} more", links.size() - 1);
    std::string what = group.first;
    if (links.size() == 1 && !what.starts_with("may "))
      what.insert(what.starts_with("stay") ? 4 : 6, "s");
    const bool owner = &group == &groups.front();
    page.line(who + " " + what, 0, owner && what.starts_with("stay") ? Ink::red : Ink::plain);
  }
}

void print_lookup(Page& page, const Snapshot& host, const Explanation& found,
                  const ExplanationView& view) {
  print_ways(page, host, found.lookup);
  print_rules(page, host, found.seen, found.lookup.steps, found.tables, view);
  print_way_back(page, host, found, view);
  print_gates(page, host, found.lookup);
}

void print_request(Page& page, const Snapshot& host, const TripExplanation& found,
                   const ExplanationView& view) {
  const RoundTrip& trip = found.trip;
  if (!trip.arp.empty() && trip.arp_answered_by.empty()) {
    const Cause cause = trip.arp.front().silent_because;
    if (cause != Cause::arp_ignore) {
      page.label("why");
      page.line(cause == Cause::arp_filter
                    ? "arp_filter looks up where the reply would leave:"
                    : fmt::format("what {} looks up for the {}:", link_label(host, trip.link),
                                  trip.local.is_v4() ? "ARP request" : "solicitation"));
      print_lookup(page, host, found.arp, view);
    }
    page.label("request");
    return page.line("is never sent");
  }
  const IfIndex on = trip.request.flow.iif.value_or(trip.link);
  page.label("request");
  page.line(
      fmt::format("on {}{}: {}", link_label(host, on), trip.arrives_on ? "" : ", if it comes by it",
                  outcome_words(host, trip.request)),
      0, trip.request.ok() ? Ink::plain : Ink::red);
  if (const std::string reason = outcome_reason(host, trip.request); !reason.empty()) {
    page.line(reason, 0, Ink::plain, 0);
  }
  print_lookup(page, host, found.request, view);
}

bool same_steps(const std::vector<Step>& a, const std::vector<Step>& b) {
  return std::ranges::equal(a, b, [](const Step& x, const Step& y) {
    return x.rule == y.rule && x.outcome == y.outcome && x.route == y.route;
  });
}

/// Where the same was looked up before, with the same outcome; empty when it was not.
std::string_view told_already(const TripExplanation& found) {
  const Lookup& reply = found.trip.reply;
  const bool arp_failed = !found.trip.arp.empty() && found.trip.arp_answered_by.empty();
  const Lookup& before = arp_failed ? found.arp.lookup : found.request.lookup;
  if (reply.candidates.size() > 1) return {};
  if (!before.flow.iif) return same_steps(before.steps, reply.steps) ? "for arp_filter" : "";
  const auto& check = before.source_check;
  return check && check->looked_up && same_steps(check->steps, reply.steps) ? "for the way back"
                                                                            : "";
}

void print_reply(Page& page, const Snapshot& host, const TripExplanation& found,
                 const ExplanationView& view) {
  const RoundTrip& trip = found.trip;
  const Lookup& reply = trip.reply;
  page.label("reply");
  std::string text = reply.ok() && trip.verdict == DoorVerdict::lost && !trip.leaves_on
                         ? "would leave by " + ways_words(host, reply)
                         : outcome_words(host, reply);
  const std::vector<IfIndex> links = reply.links();
  const bool other = reply.ok() && std::ranges::find(links, trip.link) == links.end();
  if (other) text += fmt::format(", not {}", link_label(host, trip.link));
  const std::string_view told = told_already(found);
  if (!told.empty()) text += fmt::format(": as looked up {}", told);
  page.line(text, 0, other || !reply.ok() ? Ink::yellow : Ink::plain);
  if (!told.empty()) return;
  print_ways(page, host, reply);
  print_rules(page, host, found.reply.seen, reply.steps, found.reply.tables, view);
}

void print_unknown(Page& page, const RoundTrip& trip) {
  if (trip.gates_known) return;
  page.label("unknown");
  const bool alike = std::ranges::all_of(trip.outcomes, [&](const GateOutcome& outcome) {
    return outcome.verdict == trip.verdict && outcome.cause == trip.cause;
  });
  if (alike) {
    return page.line(
        "rp_filter, arp_ignore and arp_filter are not all known; it is the same with "
        "any values.",
        0, Ink::plain, 0);
  }
  page.line("rp_filter, arp_ignore and arp_filter are not all known: taken to be 1, 1 and 0.", 0,
            Ink::plain, 0);
  for (const GateOutcome& outcome : trip.outcomes) {
    std::string text(name(outcome.verdict));
    if (outcome.cause != Cause::none) text += fmt::format(" ({})", name(outcome.cause));
    page.line(fmt::format("rp_filter={} arp_ignore={} arp_filter={}: {}", outcome.rp_filter,
                          outcome.arp_ignore, outcome.arp_filter, text),
              2);
  }
}

/// Who hears whom decides who answers and who gets the reply; no dump tells it.
void print_segments(Page& page, const Snapshot& host, const TripExplanation& found) {
  std::string text = "one";
  if (found.segments.size() > 1) {
    const bool own = std::ranges::all_of(
        found.segments, [](const Segment& segment) { return segment.size() == 1; });
    text = own ? "each NIC on its own" : std::to_string(found.segments.size());
  } else if (!found.segments.empty() && found.segments.front().size() == 1) {
    text = link_label(host, found.trip.link) + " alone";
  }
  page.label("segments");
  page.line(fmt::format("{} ({})", text, known_words(found.segments_known)));
}

}  // namespace

std::string render(const Snapshot& host, const TripExplanation& found, const ExplanationView& view,
                   const Style& style) {
  const RoundTrip& trip = found.trip;
  Page page(style);
  page.label("asked");
  page.line(fmt::format("{} asks for {}, the address of {}", trip.peer.str(), trip.local.str(),
                        link_label(host, trip.link)),
            0, Ink::bold);
  for (const IfIndex other : found.also_on) {
    page.line(fmt::format("which {} has, too", link_label(host, other)), 0, Ink::yellow);
  }
  page.label("answer");
  page.line(answer(host, trip), 0, ink_of(trip.verdict));
  if (!hears_nothing(trip)) {
    print_unknown(page, trip);
    print_segments(page, host, found);
    print_arp(page, host, found, view);
    print_request(page, host, found, view);
    print_reply(page, host, found, view);
  }
  if (!found.remedies.empty()) print_changes(page, host, found.remedies, true);
  print_notes(page, host, view.all);
  return page.take();
}

}  // namespace retour
