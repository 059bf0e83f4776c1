// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "text/import_words.h"
#include "text/lines.h"
#include "text/manager_words.h"
#include "text/printable.h"
#include "text/render_diagnosis.h"
#include "text/render_report.h"

namespace retour {

namespace {

std::string addresses_of(const Snapshot& host, IfIndex link) {
  std::vector<std::string> list;
  for (const Address& address : host.addresses) {
    if (address.link == link && address.local.family() == Family::v4) {
      list.push_back(fmt::format("{}/{}", address.local.address.str(), address.local.length));
    }
  }
  if (list.size() > 2) {
    return fmt::format("{} and {} more", list.front(), list.size() - 1);
  }
  return fmt::format("{}", fmt::join(list, " "));
}

/// Rules of others, by who made them: what may fight with ours, or win over it.
std::map<std::string, std::size_t> foreign_rules(const Snapshot& host) {
  std::map<std::string, std::size_t> by;
  for (const Rule& rule : host.rules) {
    if (rule.protocol == protocol_retour || rule.protocol == protocol_kernel) continue;
    const auto word = name_of(route_protocol_words(), rule.protocol);
    ++by[rule.protocol == 0 ? "an unnamed protocol"
         : word             ? std::string(*word)
                            : fmt::format("protocol {}", rule.protocol)];
  }
  return by;
}

}  // namespace

std::string render_status(const Snapshot& host, const Diagnosis& diagnosis,
                          const std::optional<std::vector<Configurator>>& managers,
                          const Style& style) {
  std::string out = style.paint(Ink::bold, host.host.empty() ? "host" : printable(host.host));
  if (!host.kernel.empty()) out += fmt::format(", kernel {}", printable(host.kernel));
  out += "\n\n";
  Table links;
  links.row({{"NIC", Ink::dim},
             {"state", Ink::dim},
             {"kind", Ink::dim},
             {"MTU", Ink::dim},
             {"IPv4", Ink::dim}});
  for (const Link& link : host.links) {
    if (link.loopback()) continue;
    const bool fine = link.up() && link.carrier();
    links.row({{printable(link.name)},
               {fine        ? "up"
                : link.up() ? "no carrier"
                            : "down",
                fine ? Ink::green : Ink::red},
               {link.kind.empty() ? "-" : printable(link.kind)},
               {link.mtu == 0 ? "-" : std::to_string(link.mtu)},
               {addresses_of(host, link.index)}});
  }
  out += links.str(style) + "\n";
  for (const SharedSubnet& subnet : diagnosis.subnets) out += subnet_line(subnet) + "\n";
  if (diagnosis.subnets.empty()) {
    out += "No two NICs share a subnet, or a prefix behind gateways.\n";
  }
  const auto errors = std::ranges::count(diagnosis.findings, Severity::error, &Finding::severity);
  const auto warnings =
      std::ranges::count(diagnosis.findings, Severity::warning, &Finding::severity);
  out += errors > 0 ? style.paint(Ink::red, fmt::format("{} finding{} of severity error", errors,
                                                        errors == 1 ? "" : "s")) +
                          ": retour diagnose\n"
         : warnings > 0 ? style.paint(Ink::yellow, fmt::format("{} warning{}", warnings,
                                                               warnings == 1 ? "" : "s")) +
                              ": retour diagnose\n"
                        : style.paint(Ink::green, "healthy") + "\n";

  std::size_t rules = 0;
  std::size_t routes = 0;
  std::string owned;
  for (const Rule& rule : host.rules) {
    if (rule.protocol != protocol_retour) continue;
    ++rules;
    owned += fmt::format("  {}: {}\n", rule.priority, wrap(rule_line(host, rule), 9));
  }
  for (const Route& route : host.routes) {
    if (route.protocol != protocol_retour) continue;
    ++routes;
    owned += fmt::format("  table {}: {}\n", table_label(host, route.table),
                         wrap(route_line(host, route), 4));
  }
  out += rules + routes == 0
             ? "\nretour owns nothing here.\n"
             : fmt::format("\nretour owns {} rules and {} routes:\n{}", rules, routes, owned);
  if (managers) {
    out += managers->empty() ? "\nNobody else was found to manage the network.\n"
                             : "\nWho else manages the network:\n" + render(*managers, style);
  }
  for (const auto& [who, n] : foreign_rules(host)) {
    out += fmt::format("  {} rule{} made by {}\n", n, n == 1 ? "" : "s", who);
  }
  for (const std::string& note : host.notes) out += "note: " + wrap(printable(note), 6) + "\n";
  return out;
}

}  // namespace retour
