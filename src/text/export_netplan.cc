// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "text/export.h"
#include "text/export_networkd_sections.h"
#include "text/export_parts.h"

namespace retour {

namespace {

constexpr std::string_view format = "netplan";

/// The mapping that holds a definition of such a link; absent: netplan has none.
std::optional<std::string_view> section_of(const Link& link) {
  if (link.kind.empty() || link.kind == "veth") return "ethernets";
  if (link.kind == "bond") return "bonds";
  if (link.kind == "vlan") return "vlans";
  if (link.kind == "bridge") return "bridges";
  return std::nullopt;
}

std::string key_for(const RouteMetric& metric) {
  const auto word = metric.type < metric_words.size() ? metric_words[metric.type] : "";
  if (metric.locked || !metric.number()) return {};
  if (word == "mtu") return "mtu";
  if (word == "initcwnd") return "congestion-window";
  if (word == "initrwnd") return "advertised-receive-window";
  return {};
}

bool sayable(const Route& route) {
  const auto metrics = native_text::metrics_of(route);
  const bool scoped = route.scope == scope_global || route.scope == scope_link;
  return !native_text::beyond(route) && (scoped || route.family() == Family::v6) &&
         std::ranges::none_of(metrics, [](const auto& each) { return key_for(each).empty(); });
}

bool sayable(const Rule& rule) {
  return !native_text::beyond(rule, native_text::Selector::none) && (rule.from || rule.to);
}

std::string route_yaml(const Route& route) {
  std::string text =
      fmt::format("        - to: \"{}/{}\"\n", route.dst.address.str(), route.dst.length);
  const auto add = [&](std::string_view key, auto value) {
    text += fmt::format("          {}: {}\n", key, value);
  };
  if (route.type != RouteType::unicast) add("type", native_text::type_word(route));
  for (const NextHop& leg : route.next_hops) {
    if (leg.gateway) add("via", "\"" + leg.gateway->str() + "\"");
    if (leg.gateway && leg.onlink()) add("on-link", "true");
  }
  if (route.prefsrc) add("from", "\"" + route.prefsrc->str() + "\"");
  if (route.family() == Family::v4) add("scope", route.scope == scope_link ? "link" : "global");
  add("table", route.table.value);
  if (route.metric != 0) add("metric", route.metric);
  for (const RouteMetric& metric : native_text::metrics_of(route)) {
    add(key_for(metric), *metric.number());
  }
  return text;
}

std::string rule_yaml(const Rule& rule) {
  std::string text =
      fmt::format("        - priority: {}\n          table: {}\n", rule.priority, rule.table.value);
  if (rule.from) text += fmt::format("          from: \"{}\"\n", rule.from->str());
  if (rule.to) text += fmt::format("          to: \"{}\"\n", rule.to->str());
  return text;
}

/// What one NIC gets, in two languages.
struct Parts {
  std::string yaml;
  std::string drop_in;
};

tl::expected<Parts, std::string> parts_of(const Snapshot& host, const NativeLink& link) {
  Parts parts;
  std::vector<Route> routes;
  std::vector<Rule> rules;
  std::string listed;
  for (const Route& route : link.routes) {
    if (sayable(route)) {
      listed += route_yaml(route);
    } else {
      routes.push_back(route);
    }
  }
  if (!listed.empty()) parts.yaml += "      routes:\n" + listed;
  listed.clear();
  for (const Rule& rule : link.rules) {
    if (sayable(rule)) {
      listed += rule_yaml(rule);
    } else {
      rules.push_back(rule);
    }
  }
  if (!listed.empty()) parts.yaml += "      routing-policy:\n" + listed;
  auto sections = networkd_text::sections(host, routes, rules);
  if (!sections) return tl::unexpected(sections.error());
  parts.drop_in = std::move(*sections);
  return parts;
}

}  // namespace

Result<Export> export_netplan(const Native& all) {
  if (auto fine = native_text::check_names(format, all); !fine) return fail(fine.error());
  Export out;
  std::map<std::string_view, std::string> yaml;
  bool beside = false;
  for (const NativeLink& link : all.links) {
    if (link.routes.empty() && link.rules.empty()) continue;
    const auto section = section_of(link.link);
    if (!section) {
      return native_text::no_word(format,
                                  fmt::format("NIC {}, a {}", link.link.name, link.link.kind));
    }
    const auto parts = parts_of(all.host, link);
    if (!parts) return native_text::no_word(format, parts.error());
    if (!parts->yaml.empty())
      yaml[*section] += fmt::format("    {}:\n{}", link.link.name, parts->yaml);
    if (parts->drop_in.empty()) continue;
    beside = true;
    out.files.push_back(
        {fmt::format("/etc/systemd/network/10-netplan-{}.network.d/retour.conf", link.link.name),
         0644, native_text::mark(format) + parts->drop_in});
  }
  std::string text = native_text::mark(format) + "network:\n  version: 2\n";
  for (const auto& [section, body] : yaml) text += fmt::format("  {}:\n{}", section, body);
  if (!yaml.empty()) {
    out.files.insert(out.files.begin(), {"/etc/netplan/90-retour.yaml", 0600, text});
  }
  native_text::add_sysctls(format, all, out);
  native_text::add_notes(all, out);
  out.notes.emplace_back(
      "the definitions add to those of the same name in /etc/netplan; where yours go by another "
      "name (match: ... with an ID of its own), rename these");
  if (beside) {
    out.notes.emplace_back(
        "netplan cannot say all of it (suppress_prefixlength for one): the rest is in drop-ins "
        "for systemd-networkd; with renderer: NetworkManager take retour export networkmanager");
  }
  out.notes.emplace_back("netplan apply takes it up");
  return out;
}

}  // namespace retour
