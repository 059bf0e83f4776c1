// SPDX-License-Identifier: Apache-2.0
#include "text/export_parts.h"

#include <algorithm>

#include "plan/describe.h"
#include "plan/words.h"

namespace retour::native_text {

namespace {

constexpr bool has(Selector known, Selector one) {
  return (static_cast<unsigned>(known) & static_cast<unsigned>(one)) != 0;
}

std::optional<std::string> beyond_selectors(const Rule& rule, Selector known) {
  if (rule.suppress_ifgroup) return "suppress_ifgroup";
  if (rule.suppress_prefixlength && !has(known, Selector::suppress)) return "suppress_prefixlength";
  if ((rule.fwmark != 0 || rule.fwmask != 0) && !has(known, Selector::mark)) return "fwmark";
  if (!rule.iif.empty() && !has(known, Selector::device)) return "iif";
  if (!rule.oif.empty() && !has(known, Selector::device)) return "oif";
  if (rule.tos != 0 && !has(known, Selector::tos)) return "tos";
  if (rule.dscp) return "dscp";
  if (rule.flowlabel_mask != 0) return "flowlabel";
  if (rule.ip_proto != 0 && !has(known, Selector::ports)) return "ipproto";
  if (rule.sport && !has(known, Selector::ports)) return "sport";
  if (rule.dport && !has(known, Selector::ports)) return "dport";
  if ((rule.sport && rule.sport_mask != 0xffff) || (rule.dport && rule.dport_mask != 0xffff)) {
    return "a mask of ports";
  }
  if (rule.uid && !has(known, Selector::uid)) return "uidrange";
  if (rule.invert && !has(known, Selector::invert)) return "not";
  if (rule.tun_id != 0) return "tun_id";
  if (rule.l3mdev) return "l3mdev";
  if (!rule.other.empty()) return fmt::format("attribute {}", rule.other.front().type);
  return std::nullopt;
}

}  // namespace

std::string mark(std::string_view format) {
  return fmt::format("{}: retour export {}\n", made_by_retour, format);
}

tl::unexpected<Error> no_word(std::string_view format, std::string what) {
  return fail({ErrorKind::contradiction, 0, fmt::format("export {}", format),
               fmt::format("{} has no word for {}", format, what),
               "retour apply --persist makes all of it at boot"});
}

std::optional<std::string> beyond(const Rule& rule, Selector known) {
  switch (rule.action) {
    case RuleAction::lookup:
      return beyond_selectors(rule, known);
    case RuleAction::goto_:
      return "goto";
    case RuleAction::nop:
      return "nop";
    case RuleAction::blackhole:
      return "blackhole";
    case RuleAction::unreachable:
      return "unreachable";
    case RuleAction::prohibit:
      return "prohibit";
    default:
      return fmt::format("action {}", static_cast<unsigned>(rule.action));
  }
}

std::optional<std::string> beyond(const Route& route) {
  if (route.nexthop_id != 0) return "nexthop objects";
  if (route.next_hops.size() > 1) return "several next hops";
  if (route.tos != 0) return "tos";
  if (route.src) return "from";
  if (route.preference != 0) return "pref";
  const bool drops = route.type == RouteType::blackhole || route.type == RouteType::unreachable ||
                     route.type == RouteType::prohibit || route.type == RouteType::throw_;
  if (route.type != RouteType::unicast && !drops) return std::string(type_word(route));
  if (route.type == RouteType::unicast && route.next_hops.empty()) return "no next hop";
  for (const NextHop& leg : route.next_hops) {
    if (leg.gateway && leg.gateway->family() != route.family()) {
      return "a gateway of the other family";
    }
  }
  for (const RawAttribute& raw : route.other) {
    if (raw.type == attribute_realms) return "realms";
    if (raw.type != attribute_metrics) return fmt::format("attribute {}", raw.type);
  }
  return std::nullopt;
}

std::vector<RouteMetric> metrics_of(const Route& route) {
  for (const RawAttribute& raw : route.other) {
    if (raw.type == attribute_metrics) return route_metrics(raw);
  }
  return {};
}

std::string_view type_word(const Route& route) {
  return name_of(route_type_words(), static_cast<std::uint32_t>(route.type)).value_or("");
}

bool is_plain(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<void> check_names(std::string_view format, const Native& all) {
  for (const NativeLink& link : all.links) {
    if (is_plain(link.link.name)) continue;
    return fail({ErrorKind::contradiction, 0, fmt::format("export {}", format),
                 fmt::format("the name of NIC {} cannot be written into a file", link.link.name),
                 "ip link set DEV name NEW gives it one of letters, digits, '-', '_' and '.'"});
  }
  return {};
}

void add_sysctls(std::string_view format, const Native& all, Export& out) {
  std::string text;
  for (const NativeLink& link : all.links) {
    for (const NativeConf& each : link.confs) {
      // With slashes: the name of a VLAN has a dot of its own.
      text += fmt::format("net/ipv4/conf/{}/{} = {}\n", link.link.name, info(each.conf).name,
                          each.value);
    }
  }
  if (!text.empty())
    out.files.push_back({"/etc/sysctl.d/90-retour.conf", 0644, mark(format) + text});
}

void add_notes(const Native& all, Export& out) {
  if (all.present) {
    out.notes.emplace_back(
        "retour's own rules and routes are in the kernel now: retour undo takes them away, before "
        "this configuration is taken up");
  }
}

}  // namespace retour::native_text
