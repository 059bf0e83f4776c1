// SPDX-License-Identifier: Apache-2.0
#include "text/export_networkd_sections.h"

#include <algorithm>

#include "plan/describe.h"
#include "plan/words.h"
#include "text/export_parts.h"

namespace retour::networkd_text {

namespace {

using native_text::Selector;

constexpr std::uint8_t protocol_static = 4;

std::optional<std::string> metric_line(const RouteMetric& metric) {
  const auto number = metric.number();
  if (metric.locked) return std::nullopt;
  if (metric.type == metric_congctl) {
    const std::string name(metric.value.begin(), std::ranges::find(metric.value, 0));
    return fmt::format("TCPCongestionControlAlgorithm={}\n", name);
  }
  if (!number || metric.type >= metric_words.size()) return std::nullopt;
  const std::string_view word = metric_words[metric.type];
  if (word == "mtu") return fmt::format("MTUBytes={}\n", *number);
  if (word == "advmss") return fmt::format("TCPAdvertisedMaximumSegmentSize={}\n", *number);
  if (word == "initcwnd") return fmt::format("InitialCongestionWindow={}\n", *number);
  if (word == "initrwnd") return fmt::format("InitialAdvertisedReceiveWindow={}\n", *number);
  if (word == "quickack") return fmt::format("QuickAck={}\n", *number != 0 ? "yes" : "no");
  if (word == "fastopen_no_cookie") {
    return fmt::format("FastOpenNoCookie={}\n", *number != 0 ? "yes" : "no");
  }
  return std::nullopt;
}

std::string ports(std::string_view key, const std::optional<Range<std::uint16_t>>& range) {
  if (!range) return {};
  return range->first == range->last ? fmt::format("{}={}\n", key, range->first)
                                     : fmt::format("{}={}-{}\n", key, range->first, range->last);
}

Said<std::string> rule_section(const Rule& rule) {
  const auto unknown = native_text::beyond(
      rule, Selector::suppress | Selector::mark | Selector::device | Selector::ports |
                Selector::uid | Selector::invert | Selector::tos);
  if (unknown) {
    return tl::unexpected(
        fmt::format("{} (rule {} {})", *unknown, rule.priority, rule_words(rule)));
  }
  std::string text = "\n[RoutingPolicyRule]\n";
  if (!rule.from && !rule.to) {
    text += fmt::format("Family={}\n", rule.family == Family::v4 ? "ipv4" : "ipv6");
  }
  if (rule.invert) text += "InvertRule=yes\n";
  if (rule.from) text += fmt::format("From={}\n", rule.from->str());
  if (rule.to) text += fmt::format("To={}\n", rule.to->str());
  if (rule.fwmark != 0 || rule.fwmask != 0) {
    text += fmt::format("FirewallMark={}/{}\n", rule.fwmark, rule.fwmask);
  }
  if (rule.tos != 0) text += fmt::format("TypeOfService={}\n", rule.tos);
  if (!rule.iif.empty()) text += fmt::format("IncomingInterface={}\n", rule.iif);
  if (!rule.oif.empty()) text += fmt::format("OutgoingInterface={}\n", rule.oif);
  if (rule.ip_proto != 0) text += fmt::format("IPProtocol={}\n", rule.ip_proto);
  text += ports("SourcePort", rule.sport) + ports("DestinationPort", rule.dport);
  if (rule.uid) text += fmt::format("User={}-{}\n", rule.uid->first, rule.uid->last);
  text += fmt::format("Table={}\nPriority={}\n", rule.table.value, rule.priority);
  if (rule.suppress_prefixlength) {
    text += fmt::format("SuppressPrefixLength={}\n", *rule.suppress_prefixlength);
  }
  return text;
}

}  // namespace

Said<std::string> route_section(const Snapshot& host, const Route& route, std::uint8_t protocol) {
  const auto said = [&] { return describe({AddRoute{route}, ""}, &host).substr(4); };
  if (const auto unknown = native_text::beyond(route)) {
    return tl::unexpected(fmt::format("{} ({})", *unknown, said()));
  }
  std::string text =
      fmt::format("\n[Route]\nDestination={}/{}\n", route.dst.address.str(), route.dst.length);
  if (route.type != RouteType::unicast) {
    text += fmt::format("Type={}\n", native_text::type_word(route));
  }
  for (const NextHop& leg : route.next_hops) {
    if (leg.gateway) text += fmt::format("Gateway={}\n", leg.gateway->str());
    if (leg.gateway && leg.onlink()) text += "GatewayOnLink=yes\n";
  }
  if (route.prefsrc) text += fmt::format("PreferredSource={}\n", route.prefsrc->str());
  if (route.table != table_main) text += fmt::format("Table={}\n", route.table.value);
  if (route.metric != 0) text += fmt::format("Metric={}\n", route.metric);
  if (route.family() == Family::v4) {
    const auto scope = name_of(scope_words(), route.scope);
    if (!scope) return tl::unexpected(fmt::format("scope {} ({})", route.scope, said()));
    text += fmt::format("Scope={}\n", *scope);
  }
  if (protocol != protocol_static) text += fmt::format("Protocol={}\n", protocol);
  for (const RouteMetric& metric : native_text::metrics_of(route)) {
    const auto line = metric_line(metric);
    if (!line) {
      const auto name = metric.type < metric_words.size() ? metric_words[metric.type] : "";
      return tl::unexpected(
          fmt::format("{}metric {} ({})", metric.locked ? "locked " : "", name, said()));
    }
    text += *line;
  }
  return text;
}

Said<std::string> sections(const Snapshot& host, std::span<const Route> routes,
                           std::span<const Rule> rules) {
  std::string text;
  for (const Route& route : routes) {
    auto section = route_section(host, route, protocol_static);
    if (!section) return section;
    text += *section;
  }
  for (const Rule& rule : rules) {
    auto section = rule_section(rule);
    if (!section) return section;
    text += *section;
  }
  return text;
}

}  // namespace retour::networkd_text
