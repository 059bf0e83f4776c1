// SPDX-License-Identifier: Apache-2.0
#include "text/lines.h"

#include <fmt/format.h>

#include <array>

#include "plan/describe.h"
#include "text/import_words.h"
#include "text/printable.h"

namespace retour {

std::string_view selector_name(Selector selector) {
  static constexpr std::array<std::string_view, 16> names{
      "",   "iif", "oif",  "fwmark",  "tun_id", "l3mdev", "uidrange",  "from",
      "to", "tos", "dscp", "ipproto", "sport",  "dport",  "flowlabel", "not"};
  static_assert(names.size() == static_cast<std::size_t>(Selector::inverted) + 1);
  return names[static_cast<std::size_t>(selector)];
}

std::string link_label(const Snapshot& host, IfIndex link) {
  return printable(host.link_name(link));
}

std::string silence_words(Cause cause) {
  switch (cause) {
    case Cause::link_down:
      return "down or without carrier";
    case Cause::disable_ipv6:
      return "IPv6 is off on it";
    case Cause::enslaved:
      return "a port of another link";
    case Cause::noarp:
      return "ARP is off on it";
    default:
      return std::string(name(cause));
  }
}

std::string ways_words(const Snapshot& host, const Lookup& lookup) {
  const std::vector<IfIndex> links = lookup.links();
  if (links.size() > 2) return fmt::format("one of {} NICs", links.size());
  std::string text = link_label(host, lookup.link);
  if (links.size() == 2) text += " or " + link_label(host, links.back());
  return text;
}

std::string table_label(const Snapshot& host, TableId table) {
  return printable(table_word(table, &host));
}

std::string rule_line(const Snapshot& host, const Rule& rule) {
  return printable(rule_words(rule, &host));
}

namespace {

std::string route_words(const Snapshot& host, const Route& route, bool whole) {
  std::string text;
  if (route.type != RouteType::unicast) {
    text += std::string(name_of(route_type_words(), static_cast<std::uint32_t>(route.type))
                            .value_or("unknown")) +
            " ";
  }
  text += route.dst.length == 0 ? "default" : route.dst.str();
  for (const NextHop& leg : route.next_hops) {
    if (route.next_hops.size() > 1) text += " nexthop";
    if (leg.gateway) text += " via " + leg.gateway->str();
    if (leg.link.value != 0) text += " dev " + printable(host.link_name(leg.link));
  }
  if (route.prefsrc && whole) text += " src " + route.prefsrc->str();
  if (route.tos != 0) text += fmt::format(" tos {:#x}", route.tos);
  if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
  return text;
}

}  // namespace

std::string route_line(const Snapshot& host, const Route& route) {
  return route_words(host, route, true);
}

std::string route_short(const Snapshot& host, const Route& route) {
  return route_words(host, route, false);
}

std::string step_line(const Snapshot& host, const Lookup& lookup, const Step& step) {
  switch (step.outcome) {
    case RuleOutcome::no_match:
      return fmt::format("no match ({})", selector_name(step.selector));
    case RuleOutcome::no_entry:
      return "no route there";
    case RuleOutcome::suppressed:
      return "suppressed: " + route_line(host, host.routes[*step.route]);
    case RuleOutcome::jumped:
      return "goes on there";
    case RuleOutcome::passed:
      return "nothing to do";
    case RuleOutcome::decided:
      return step.route ? route_line(host, host.routes[*step.route])
                        : std::string(name(lookup.verdict));
  }
  return {};
}

}  // namespace retour
