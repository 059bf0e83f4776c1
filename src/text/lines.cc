// SPDX-License-Identifier: Apache-2.0
#include "text/lines.h"

#include <fmt/format.h>

#include <array>

#include "text/import_words.h"
#include "text/printable.h"

namespace retour {

namespace {

std::string range_text(const Range<std::uint16_t>& range, std::uint16_t mask) {
  if (mask != 0xffff) return fmt::format("{}/{:#x}", range.first, mask);
  if (range.first == range.last) return std::to_string(range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

std::string_view selector_name(Selector selector) {
  static constexpr std::array<std::string_view, 14> names{
      "",     "iif", "oif", "fwmark", "tun_id",  "l3mdev", "uidrange",
      "from", "to",  "tos", "dscp",   "ipproto", "sport",  "dport"};
  const auto index = static_cast<std::size_t>(selector);
  return index < names.size() ? names[index] : "not";
}

}  // namespace

std::string table_label(const Snapshot& host, TableId table) {
  if (table == table_main) return "main";
  if (table == table_local) return "local";
  if (table == table_default) return "default";
  const auto it = host.table_names.find(table);
  return it == host.table_names.end() ? std::to_string(table.value) : printable(it->second);
}

std::string rule_line(const Snapshot& host, const Rule& rule) {
  std::string text = rule.invert ? "not " : "";
  text += "from " + (rule.from ? rule.from->str() : "all");
  if (rule.to) text += " to " + rule.to->str();
  if (rule.tos != 0) text += fmt::format(" tos {:#x}", rule.tos);
  if (rule.dscp) text += fmt::format(" dscp {}", *rule.dscp);
  if (rule.fwmask == 0xffffffffU) text += fmt::format(" fwmark {:#x}", rule.fwmark);
  if (rule.fwmask != 0 && rule.fwmask != 0xffffffffU) {
    text += fmt::format(" fwmark {:#x}/{:#x}", rule.fwmark, rule.fwmask);
  }
  if (!rule.iif.empty()) text += " iif " + printable(rule.iif);
  if (!rule.oif.empty()) text += " oif " + printable(rule.oif);
  if (rule.l3mdev) text += " l3mdev";
  if (rule.uid) text += fmt::format(" uidrange {}-{}", rule.uid->first, rule.uid->last);
  if (rule.ip_proto != 0) text += fmt::format(" ipproto {}", rule.ip_proto);
  if (rule.sport) text += " sport " + range_text(*rule.sport, rule.sport_mask);
  if (rule.dport) text += " dport " + range_text(*rule.dport, rule.dport_mask);
  if (rule.tun_id != 0) text += fmt::format(" tun_id {}", rule.tun_id);
  switch (rule.action) {
    case RuleAction::lookup:
      text += rule.l3mdev ? "" : " lookup " + table_label(host, rule.table);
      break;
    case RuleAction::goto_:
      text += fmt::format(" goto {}", rule.goto_target);
      break;
    default:
      text +=
          " " + std::string(name_of(rule_action_words(), static_cast<std::uint32_t>(rule.action))
                                .value_or("unknown action"));
  }
  if (rule.suppress_prefixlength) {
    text += fmt::format(" suppress_prefixlength {}", *rule.suppress_prefixlength);
  }
  if (rule.suppress_ifgroup) text += fmt::format(" suppress_ifgroup {}", *rule.suppress_ifgroup);
  return text;
}

std::string route_line(const Snapshot& host, const Route& route) {
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
  if (route.prefsrc) text += " src " + route.prefsrc->str();
  if (route.tos != 0) text += fmt::format(" tos {:#x}", route.tos);
  if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
  return text;
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
