// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plan/describe.h"
#include "plan/numbers.h"
#include "text/export.h"
#include "text/export_parts.h"
#include "text/import_words.h"

namespace retour {

namespace {

using native_text::Selector;

constexpr std::string_view format = "networkmanager";
constexpr std::uint32_t permanent = 0x80;  // IFA_F_PERMANENT

/// The same for the same NIC each time, so that a second export is the same profile: FNV-1a of its
/// name and MAC, as a UUID of version 8 (RFC 9562: no meaning but its owner's).
std::string uuid_of(const Link& link) {
  std::uint64_t halves[2]{};
  std::uint64_t seed = 0xcbf29ce484222325U;
  for (std::uint64_t& half : halves) {
    std::uint64_t hash = seed;
    const auto feed = [&](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3U; };
    for (const char c : link.name) feed(static_cast<unsigned char>(c));
    for (const std::uint8_t byte : link.mac) feed(byte);
    half = hash;
    seed = hash ^ 0x9e3779b97f4a7c15U;
  }
  halves[0] = (halves[0] & ~std::uint64_t{0xf000}) | 0x8000U;
  halves[1] = (halves[1] & ~(std::uint64_t{3} << 62U)) | (std::uint64_t{2} << 62U);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", halves[0] >> 32U,
                     halves[0] >> 16U & 0xffffU, halves[0] & 0xffffU, halves[1] >> 48U,
                     halves[1] & 0xffffffffffffU);
}

tl::expected<std::string, std::string> route_options(const Snapshot& host, const Route& route) {
  const auto said = [&] { return describe({AddRoute{route}, ""}, &host).substr(4); };
  if (const auto unknown = native_text::beyond(route)) {
    return tl::unexpected(fmt::format("{} ({})", *unknown, said()));
  }
  std::string options;
  const auto add = [&](std::string_view key, auto value) {
    options += fmt::format("{}{}={}", options.empty() ? "" : ",", key, value);
  };
  if (route.type != RouteType::unicast) add("type", native_text::type_word(route));
  if (route.table != table_main) add("table", route.table.value);
  if (route.prefsrc) add("src", route.prefsrc->str());
  const bool by_gateway = !route.next_hops.empty() && route.next_hops.front().gateway;
  const Scope usual = by_gateway ? scope_global : scope_link;
  if (route.family() == Family::v4 && route.type == RouteType::unicast && route.scope != usual) {
    add("scope", static_cast<unsigned>(route.scope));
  }
  if (by_gateway && route.next_hops.front().onlink()) add("onlink", "true");
  for (const RouteMetric& metric : native_text::metrics_of(route)) {
    static constexpr std::string_view numbers[] = {"mtu",      "advmss",   "cwnd",
                                                   "initcwnd", "initrwnd", "window"};
    const std::string_view word =
        metric.type < metric_words.size() ? metric_words[metric.type] : "";
    const auto number = metric.number();
    if (word == "quickack" && number) {
      add("quickack", *number != 0 ? "true" : "false");
    } else if (number && std::ranges::find(numbers, word) != std::end(numbers)) {
      add(word, *number);
      if (metric.locked) add(fmt::format("lock-{}", word), "true");
    } else {
      return tl::unexpected(fmt::format("metric {} ({})", word, said()));
    }
  }
  return options;
}

/// "priority 31000 from 0.0.0.0/0 to 29.28.192.0/20 table 254 suppress_prefixlength 20"
tl::expected<std::string, std::string> rule_text(const Rule& rule) {
  const auto unknown =
      native_text::beyond(rule, Selector::suppress | Selector::mark | Selector::device |
                                    Selector::ports | Selector::uid | Selector::invert);
  if (unknown) {
    return tl::unexpected(
        fmt::format("{} (rule {} {})", *unknown, rule.priority, rule_words(rule)));
  }
  std::string text = fmt::format("priority {}", rule.priority);
  if (rule.invert) text += " not";
  if (rule.from) text += fmt::format(" from {}", rule.from->str());
  if (rule.to) text += fmt::format(" to {}", rule.to->str());
  if (!rule.from && !rule.to) {
    text += rule.family == Family::v4 ? " from 0.0.0.0/0" : " from ::/0";
  }
  if (rule.fwmark != 0 || rule.fwmask != 0) {
    text += fmt::format(" fwmark {:#x}/{:#x}", rule.fwmark, rule.fwmask);
  }
  if (!rule.iif.empty()) text += " iif " + rule.iif;
  if (!rule.oif.empty()) text += " oif " + rule.oif;
  if (rule.ip_proto != 0) text += fmt::format(" ipproto {}", rule.ip_proto);
  if (rule.sport) text += fmt::format(" sport {}-{}", rule.sport->first, rule.sport->last);
  if (rule.dport) text += fmt::format(" dport {}-{}", rule.dport->first, rule.dport->last);
  if (rule.uid) text += fmt::format(" uidrange {}-{}", rule.uid->first, rule.uid->last);
  text += fmt::format(" table {}", rule.table.value);
  if (rule.suppress_prefixlength) {
    text += fmt::format(" suppress_prefixlength {}", *rule.suppress_prefixlength);
  }
  return text;
}

/// The metric of the connected routes: NetworkManager has one for all of them.
std::uint32_t connected_metric(const Native& all, const NativeLink& link, Family family) {
  for (const Route& route : all.host.routes) {
    if (route.table == table_main && route.family() == family && route.dst.length != 0 &&
        route.protocol == protocol_kernel && route.next_hops.size() == 1 &&
        route.next_hops.front().link == link.link.index && !route.next_hops.front().gateway) {
      return route.metric;
    }
  }
  return 0;
}

Result<std::string> ip_section(const Native& all, const NativeLink& link, Family family,
                               Export& out) {
  const bool v4 = family == Family::v4;
  std::string text = v4 ? "\n[ipv4]\n" : "\n[ipv6]\n";
  std::string addresses;
  bool leased = false;
  int number = 0;
  for (const Address& address : link.addresses) {
    if (address.local.family() != family) continue;
    if ((address.flags & permanent) == 0) {
      leased = true;
      continue;
    }
    addresses += fmt::format("address{}={}/{}\n", ++number, address.local.address.str(),
                             address.local.length);
  }
  const bool off = !v4 && link.link.conf6.get(Conf6::disable_ipv6).value_or(0) != 0;
  text += fmt::format("method={}\n", leased               ? "auto"
                                     : !addresses.empty() ? "manual"
                                     : v4 || off          ? "disabled"
                                                          : "link-local");
  text += addresses;
  if (leased && v4) {
    out.notes.push_back(
        fmt::format("{} has its address from DHCP: the rules hold as long as it keeps that address",
                    link.link.name));
  }
  const std::uint32_t metric = connected_metric(all, link, family);
  if (metric != 0) text += fmt::format("route-metric={}\n", metric);
  number = 0;
  for (const auto* list : {&link.main, &link.routes}) {
    for (const Route& route : *list) {
      if (route.family() != family) continue;
      const auto options = route_options(all.host, route);
      if (!options) return native_text::no_word(format, options.error());
      const auto& legs = route.next_hops;
      const std::string gateway =
          !legs.empty() && legs.front().gateway ? legs.front().gateway->str() : Ip(family, 0).str();
      text += fmt::format("route{}={}/{},{},{}\n", ++number, route.dst.address.str(),
                          route.dst.length, gateway, route.metric);
      if (!options->empty()) text += fmt::format("route{}_options={}\n", number, *options);
    }
  }
  number = 0;
  for (const Rule& rule : link.rules) {
    if (rule.family != family) continue;
    const auto words = rule_text(rule);
    if (!words) return native_text::no_word(format, words.error());
    text += fmt::format("routing-rule{}={}\n", ++number, *words);
  }
  return text;
}

Result<std::string> keyfile(const Native& all, const NativeLink& link, Export& out) {
  const bool infiniband = link.link.mac.size() == 20;
  if (!link.link.kind.empty() && link.link.kind != "veth") {
    return fail({ErrorKind::contradiction, 0, "export networkmanager",
                 fmt::format("{} is a {}: its profile holds what retour does not know",
                             link.link.name, link.link.kind),
                 "retour export iproute2 shows what to add to it with nmcli"});
  }
  std::string text = native_text::mark(format);
  text += fmt::format("[connection]\nid={}\nuuid={}\ntype={}\ninterface-name={}\n",
                      table_name(link.link.name), uuid_of(link.link),
                      infiniband ? "infiniband" : "ethernet", link.link.name);
  // It comes before the profile that the NIC has now, which stays.
  text += "autoconnect=true\nautoconnect-priority=100\n";
  text += infiniband ? "\n[infiniband]\ntransport-mode=datagram\n" : "\n[ethernet]\n";
  if (link.link.mtu != 0 && link.link.mtu != 1500) text += fmt::format("mtu={}\n", link.link.mtu);
  for (const Family family : {Family::v4, Family::v6}) {
    auto section = ip_section(all, link, family, out);
    if (!section) return section;
    text += *section;
  }
  return text;
}

}  // namespace

Result<Export> export_networkmanager(const Native& all) {
  if (auto fine = native_text::check_names(format, all); !fine) return fail(fine.error());
  Export out;
  for (const NativeLink& link : all.links) {
    if (link.routes.empty() && link.rules.empty()) continue;
    const auto text = keyfile(all, link, out);
    if (!text) return fail(text.error());
    out.files.push_back({fmt::format("/etc/NetworkManager/system-connections/{}.nmconnection",
                                     table_name(link.link.name)),
                         0600, *text});
  }
  native_text::add_sysctls(format, all, out);
  native_text::add_notes(all, out);
  out.notes.emplace_back(
      "each profile is complete, with the addresses of now, and is preferred to the one the NIC "
      "has; what that one says of DNS or 802.1X is not in it");
  out.notes.emplace_back(
      "nmcli connection reload takes them up, and nmcli connection up of each profile");
  return out;
}

}  // namespace retour
