// SPDX-License-Identifier: Apache-2.0
#include "plan/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "plan/raw_attributes.h"
#include "plan/words.h"

namespace retour {
namespace {

/// Phrase with single spaces between.
class Phrase {
 public:
  template <class... Arguments>
  Phrase& add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!text_.empty()) text_ += ' ';
    fmt::format_to(std::back_inserter(text_), format, std::forward<Arguments>(arguments)...);
    return *this;
  }
  void no_words_for(std::uint16_t attribute) {
    remarks_ += fmt::format("{}attribute {}", remarks_.empty() ? " # not said: " : ", ", attribute);
  }
  [[nodiscard]] std::string str() const { return text_ + remarks_; }

 private:
  std::string text_;
  std::string remarks_;
};

/// In messages the ownership tag and the priorities that iproute2 spells are noise; in commands the
/// names of tables are, for rt_tables may change before they are run.
enum class For : bool { people, iproute2 };

std::string table_for(For whom, TableId table, const Snapshot* names) {
  return whom == For::people ? table_word(table, names) : std::to_string(table.value);
}

std::string link_name(const Snapshot* names, IfIndex index) {
  return names != nullptr ? names->link_name(index) : fmt::format("#{}", index.value);
}

std::uint32_t number_at(const std::vector<std::uint8_t>& data, std::size_t offset) {
  std::uint32_t value = 0;
  if (offset + sizeof(value) <= data.size()) std::memcpy(&value, &data[offset], sizeof(value));
  return value;
}

void add_realms(const RawAttribute& raw, Phrase& words) {
  const std::uint32_t realms = number_at(raw.data, 0);
  words.add("realms {}/{}", realms >> 16U, realms & 0xffffU);
}

/// One metric; false where iproute2 has no words for it.
bool add_metric(const RouteMetric& metric, Phrase& words) {
  const std::string_view lock = metric.locked ? "lock " : "";
  if (metric.type == metric_congctl) {
    const std::string name(metric.value.begin(), std::ranges::find(metric.value, 0));
    words.add("congctl {}{}", lock, name);
    return true;
  }
  const auto value = metric.number();
  if (!value) return false;
  const std::uint32_t number = *value;
  switch (metric.type) {
    case metric_rtt:
      words.add("rtt {}{}ms", lock, number / 8);
      return true;
    case metric_rttvar:
      words.add("rttvar {}{}ms", lock, number / 4);
      return true;
    case metric_rto_min:
      words.add("rto_min {}ms", number);  // always locked by iproute2
      return true;
    case metric_features:
      if ((number & ~(feature_ecn | feature_tcp_usec_ts)) != 0) return false;
      words.add("features {}{}", lock, (number & feature_ecn) != 0 ? "ecn" : "tcp_usec_ts");
      if (number == (feature_ecn | feature_tcp_usec_ts)) words.add("tcp_usec_ts");
      return true;
    default:
      if (metric.type >= metric_words.size()) return false;
      words.add("{} {}{}", metric_words[metric.type], lock, number);
      return true;
  }
}

void add_metrics(const RawAttribute& raw, Phrase& words) {
  for (const RouteMetric& metric : route_metrics(raw)) {
    if (!add_metric(metric, words)) words.no_words_for(attribute_metrics);
  }
}

std::string scope_word(Scope scope) {
  const auto name = name_of(scope_words(), scope);
  return name ? std::string(*name) : std::to_string(scope);
}

void add_leg(const NextHop& leg, Family family, const Snapshot* names, Phrase& words) {
  if (leg.gateway && leg.gateway->family() == family) words.add("via {}", leg.gateway->str());
  if (leg.gateway && leg.gateway->family() != family) {
    words.add("via {} {}", leg.gateway->is_v4() ? "inet" : "inet6", leg.gateway->str());
  }
  if (leg.link.value != 0) words.add("dev {}", link_name(names, leg.link));
}

void add_legs(const Route& route, const Snapshot* names, Phrase& words) {
  if (route.nexthop_id != 0) {
    words.add("nhid {}", route.nexthop_id);
    return;
  }
  if (route.next_hops.size() == 1) {
    add_leg(route.next_hops.front(), route.family(), names, words);
    if (route.next_hops.front().onlink()) words.add("onlink");
    return;
  }
  for (const NextHop& leg : route.next_hops) {
    words.add("nexthop");
    add_leg(leg, route.family(), names, words);
    words.add("weight {}", leg.weight);
    if (leg.onlink()) words.add("onlink");
  }
}

void add_route_options(const Route& route, const std::string& table, Phrase& words) {
  if (route.tos != 0) words.add("tos {:#x}", route.tos);
  words.add("table {}", table);
  if (route.metric != 0) words.add("metric {}", route.metric);
  if (route.preference != 0) words.add("pref {}", route.preference == 1 ? "high" : "low");
  for (const RawAttribute& raw : route.other) {
    if (raw.type == attribute_metrics) {
      add_metrics(raw, words);
    } else if (raw.type == attribute_realms) {
      add_realms(raw, words);
    } else {
      words.no_words_for(raw.type);
    }
  }
}

std::string route_words(std::string_view verb, const Route& route, const Snapshot* names,
                        For whom) {
  Phrase words;
  words.add("{}", verb);
  if (route.type != RouteType::unicast) {
    words.add("{}",
              name_of(route_type_words(), static_cast<std::uint32_t>(route.type)).value_or(""));
  }
  words.add("{}", route.dst.length == 0 ? "default" : route.dst.str());
  if (route.src) words.add("from {}", route.src->str());
  const bool many = route.next_hops.size() > 1 && route.nexthop_id == 0;
  if (!many) add_legs(route, names, words);
  if (route.prefsrc) words.add("src {}", route.prefsrc->str());
  add_route_options(route, table_for(whom, route.table, names), words);
  if (whom == For::iproute2) {
    if (route.family() == Family::v4) words.add("scope {}", scope_word(route.scope));
    words.add("protocol {}", route.protocol);
  }
  if (many) add_legs(route, names, words);  // the grammar has legs last
  return words.str();
}

void add_ports(std::string_view word, const std::optional<Range<std::uint16_t>>& ports,
               std::uint16_t mask, Phrase& words) {
  if (!ports) return;
  if (ports->first != ports->last) {
    words.add("{} {}-{}", word, ports->first, ports->last);
  } else if (mask != 0xffff) {
    words.add("{} {}/{:#x}", word, ports->first, mask);
  } else {
    words.add("{} {}", word, ports->first);
  }
}

void add_selectors(const Rule& rule, Phrase& words) {
  if (rule.invert) words.add("not");
  words.add("from {}", rule.from ? rule.from->str() : "all");
  if (rule.to) words.add("to {}", rule.to->str());
  if (rule.tos != 0) words.add("tos {:#x}", rule.tos);
  if (rule.dscp && rule.dscp_mask == 0x3f) words.add("dscp {}", *rule.dscp);
  if (rule.dscp && rule.dscp_mask != 0x3f) words.add("dscp {}/{:#x}", *rule.dscp, rule.dscp_mask);
  if (rule.flowlabel_mask == 0xfffff) words.add("flowlabel {:#x}", rule.flowlabel);
  if (rule.flowlabel_mask != 0 && rule.flowlabel_mask != 0xfffff) {
    words.add("flowlabel {:#x}/{:#x}", rule.flowlabel, rule.flowlabel_mask);
  }
  if (rule.fwmask == 0xffffffffU) {
    words.add("fwmark {:#x}", rule.fwmark);
  } else if (rule.fwmark != 0 || rule.fwmask != 0) {
    words.add("fwmark {:#x}/{:#x}", rule.fwmark, rule.fwmask);
  }
  if (!rule.iif.empty()) words.add("iif {}", rule.iif);
  if (!rule.oif.empty()) words.add("oif {}", rule.oif);
  if (rule.l3mdev) words.add("l3mdev");
  if (rule.uid) words.add("uidrange {}-{}", rule.uid->first, rule.uid->last);
  if (rule.ip_proto != 0) words.add("ipproto {}", rule.ip_proto);
  add_ports("sport", rule.sport, rule.sport_mask, words);
  add_ports("dport", rule.dport, rule.dport_mask, words);
  if (rule.tun_id != 0) words.add("tun_id {}", rule.tun_id);
}

void add_action(const Rule& rule, const std::string& table, Phrase& words) {
  switch (rule.action) {
    case RuleAction::lookup:
      if (rule.table.value != 0) words.add("lookup {}", table);
      break;
    case RuleAction::goto_:
      words.add("goto {}", rule.goto_target);
      break;
    case RuleAction::nop:
      words.add("nop");
      break;
    case RuleAction::blackhole:
      words.add("blackhole");
      break;
    case RuleAction::unreachable:
      words.add("unreachable");
      break;
    case RuleAction::prohibit:
      words.add("prohibit");
      break;
    default:
      words.add("type {}", static_cast<unsigned>(rule.action));
  }
}

void add_rule(const Rule& rule, const std::string& table, Phrase& words) {
  add_selectors(rule, words);
  add_action(rule, table, words);
  if (rule.suppress_prefixlength) {
    words.add("suppress_prefixlength {}", *rule.suppress_prefixlength);
  }
  if (rule.suppress_ifgroup) words.add("suppress_ifgroup {}", *rule.suppress_ifgroup);
  for (const RawAttribute& raw : rule.other) {
    if (raw.type == attribute_realms) {
      add_realms(raw, words);
    } else {
      words.no_words_for(raw.type);
    }
  }
}

struct Message {
  const Snapshot* names;

  [[nodiscard]] std::string rule(std::string_view verb, const Rule& rule) const {
    return fmt::format("{} {} {}", verb, rule.priority, rule_words(rule, names));
  }
  std::string operator()(const AddRoute& c) const {
    return route_words("add route", c.route, names, For::people);
  }
  std::string operator()(const DeleteRoute& c) const {
    return route_words("delete route", c.route, names, For::people);
  }
  std::string operator()(const AddRule& c) const { return rule("add rule", c.rule); }
  std::string operator()(const DeleteRule& c) const { return rule("delete rule", c.rule); }
  std::string operator()(const SetConf& c) const {
    return fmt::format("set net/ipv4/conf/{}/{} from {} to {}", c.link_name, info(c.conf).name,
                       c.before, c.after);
  }
};

struct Command {
  const Snapshot& names;

  /// `ip` takes the family of a rule from nowhere else, that of "default" neither.
  static std::string_view option(Family family) { return family == Family::v4 ? "" : "-6 "; }
  [[nodiscard]] std::string route(std::string_view verb, const Route& route) const {
    return fmt::format("{}{}", option(route.family()),
                       route_words(verb, route, &names, For::iproute2));
  }
  [[nodiscard]] std::string rule(std::string_view verb, const Rule& rule) const {
    Phrase words;
    words.add("{} priority {}", verb, rule.priority);
    add_rule(rule, table_for(For::iproute2, rule.table, &names), words);
    words.add("protocol {}", rule.protocol);
    return fmt::format("{}{}", option(rule.family), words.str());
  }
  std::string operator()(const AddRoute& c) const { return route("route add", c.route); }
  std::string operator()(const DeleteRoute& c) const { return route("route del", c.route); }
  std::string operator()(const AddRule& c) const { return rule("rule add", c.rule); }
  std::string operator()(const DeleteRule& c) const { return rule("rule del", c.rule); }
  std::string operator()(const SetConf& c) const {
    return fmt::format("sysctl -w net/ipv4/conf/{}/{}={}", c.link_name, info(c.conf).name, c.after);
  }
};

}  // namespace

std::string table_word(TableId table, const Snapshot* names) {
  if (table == table_main) return "main";
  if (table == table_local) return "local";
  if (table == table_default) return "default";
  if (names != nullptr) {
    const auto it = names->table_names.find(table);
    if (it != names->table_names.end()) return it->second;
  }
  return std::to_string(table.value);
}

std::string rule_words(const Rule& rule, const Snapshot* names) {
  Phrase words;
  add_rule(rule, table_word(rule.table, names), words);
  return words.str();
}

std::string describe(const Change& change, const Snapshot* names) {
  return std::visit(Message{names}, change.operation);
}

std::string ip_command(const Change& change, const Snapshot& names) {
  return std::visit(Command{names}, change.operation);
}

}  // namespace retour
