// SPDX-License-Identifier: Apache-2.0
#include "text/snapshot_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "text/import_words.h"
#include "text/printable.h"

namespace retour {
namespace {

using Json = nlohmann::ordered_json;

// What is at its default is left out: the document is for people too.
template <class T>
void put(Json& out, const char* key, const T& value, const T& unless) {
  if (value != unless) out[key] = value;
}

void put_text(Json& out, const char* key, const std::string& value) {
  if (!value.empty()) out[key] = escape(value);
}

void put_ip(Json& out, const char* key, const std::optional<Ip>& value) {
  if (value) out[key] = value->str();
}

// Always with its length, lest an address look like a prefix and the other way round.
std::string prefix_text(const Prefix& prefix) {
  return fmt::format("{}/{}", prefix.address.str(), prefix.length);
}

Json word(Words words, std::uint32_t value) {
  if (const auto name = name_of(words, value)) return std::string(*name);
  return value;
}

void put_word(Json& out, const char* key, Words words, std::uint32_t value, std::uint32_t unless) {
  if (value != unless) out[key] = word(words, value);
}

// Bits by name; those without one together, in hexadecimal.
void put_bits(Json& out, const char* key, Words words, std::uint32_t bits) {
  if (bits == 0) return;
  Json list = Json::array();
  for (const Word& bit : words) {
    if ((bits & bit.value) == 0) continue;
    list.push_back(std::string(bit.name));
    bits &= ~bit.value;
  }
  if (bits != 0) list.push_back(fmt::format("{:#x}", bits));
  out[key] = std::move(list);
}

void put_raw(Json& out, const std::vector<RawAttribute>& attributes) {
  if (attributes.empty()) return;
  Json list = Json::array();
  for (const RawAttribute& attribute : attributes) {
    list.push_back(
        {{"type", attribute.type}, {"data", fmt::format("{:02x}", fmt::join(attribute.data, ""))}});
  }
  out["other"] = std::move(list);
}

template <class T>
void put_range(Json& out, const char* key, const std::optional<Range<T>>& range) {
  if (range) out[key] = {range->first, range->last};
}

template <class Table, class Values>
Json conf(const Table& table, const Values& values) {
  Json out = Json::object();
  for (const auto& about : table) {
    if (const auto value = values.get(about.conf)) out[std::string(about.name)] = *value;
  }
  return out;
}

Json hidden_json(const HiddenBits& hidden) {
  Json out = Json::object();
  const auto put_bit = [&out](const char* key, const std::optional<bool>& bit) {
    if (bit) out[key] = *bit;
  };
  put_bit("custom_rules_v4", hidden.custom_rules_v4);
  put_bit("custom_local_routes_v4", hidden.custom_local_routes_v4);
  put_bit("custom_rules_v6", hidden.custom_rules_v6);
  return out;
}

/// Writes the objects of one snapshot, links by name.
class Writer {
 public:
  explicit Writer(const Snapshot& snapshot) : now_(snapshot) {}

  [[nodiscard]] Json document() const;

 private:
  // By name where there is one: a reader of the document knows eth0, not 3.
  [[nodiscard]] Json device(IfIndex index) const {
    const Link* link = now_.link(index);
    if (link == nullptr) return index.value;
    return escape(link->name);
  }
  [[nodiscard]] Json link(const Link& link) const;
  [[nodiscard]] Json address(const Address& address) const;
  [[nodiscard]] Json neighbor(const Neighbor& neighbor) const;
  [[nodiscard]] Json leg(const NextHop& hop) const;
  [[nodiscard]] Json route(const Route& route) const;
  [[nodiscard]] Json nexthop(const NextHopObject& nexthop) const;
  [[nodiscard]] Json address_label(const AddressLabel& label) const;

  template <class T, class Write>
  Json list(const std::vector<T>& objects, Write write) const {
    Json out = Json::array();
    for (const T& object : objects) out.push_back(write(object));
    return out;
  }

  const Snapshot& now_;
};

Json Writer::link(const Link& link) const {
  Json out;
  out["index"] = link.index.value;
  out["name"] = escape(link.name);
  put_text(out, "kind", link.kind);
  put_text(out, "driver", link.driver);
  put_text(out, "bus", link.bus);
  if (!link.mac.empty()) out["mac"] = mac_text(link.mac);
  put_bits(out, "flags", link_flag_words(), link.flags);
  put(out, "mtu", link.mtu, 0U);
  put(out, "group", link.group, 0U);
  if (link.master.value != 0) out["master"] = device(link.master);
  put(out, "speed_mbps", link.speed_mbps, 0U);
  if (!link.conf.empty()) out["conf"] = conf(conf_table(), link.conf);
  if (!link.conf6.empty()) out["conf6"] = conf(conf6_table(), link.conf6);
  return out;
}

Json Writer::address(const Address& address) const {
  Json out;
  out["dev"] = device(address.link);
  out["local"] = prefix_text(address.local);
  put_ip(out, "peer", address.peer);
  put_ip(out, "broadcast", address.broadcast);
  put_word(out, "scope", scope_words(), address.scope, scope_global);
  put_bits(out, "flags", address_flag_words(), address.flags);
  put_text(out, "label", address.label);
  put(out, "metric", address.metric, 0U);
  put(out, "protocol", unsigned{address.protocol}, 0U);
  return out;
}

Json Writer::neighbor(const Neighbor& neighbor) const {
  Json out;
  out["address"] = neighbor.address.str();
  out["dev"] = device(neighbor.link);
  if (!neighbor.mac.empty()) out["mac"] = mac_text(neighbor.mac);
  put_bits(out, "state", neighbor_state_words(), neighbor.state);
  put_bits(out, "flags", neighbor_flag_words(), neighbor.flags);
  return out;
}

Json Writer::leg(const NextHop& hop) const {
  Json out = Json::object();
  put_ip(out, "via", hop.gateway);
  if (hop.link.value != 0) out["dev"] = device(hop.link);
  put(out, "weight", unsigned{hop.weight}, 1U);
  put_bits(out, "flags", route_flag_words(), hop.flags);
  return out;
}

Json Writer::route(const Route& route) const {
  Json out;
  out["dst"] = prefix_text(route.dst);
  if (route.src) out["from"] = prefix_text(*route.src);
  put_word(out, "type", route_type_words(), static_cast<std::uint8_t>(route.type), 1);
  out["table"] = route.table.value;
  put_word(out, "protocol", route_protocol_words(), route.protocol, 0);
  put_word(out, "scope", scope_words(), route.scope, scope_global);
  put(out, "tos", unsigned{route.tos}, 0U);
  put(out, "metric", route.metric, 0U);
  put_ip(out, "src", route.prefsrc);
  if (!route.next_hops.empty()) {
    out["nexthops"] = list(route.next_hops, [&](const NextHop& hop) { return leg(hop); });
  }
  put(out, "nhid", route.nexthop_id, 0U);
  put_bits(out, "flags", route_flag_words(), route.flags);
  put(out, "pref", unsigned{route.preference}, 0U);
  put(out, "expired", route.expired, false);
  put_raw(out, route.other);
  return out;
}

void put_selectors(Json& out, const Rule& rule) {
  put(out, "not", rule.invert, false);
  if (rule.from) out["from"] = prefix_text(*rule.from);
  if (rule.to) out["to"] = prefix_text(*rule.to);
  put_text(out, "iif", rule.iif);
  put(out, "iif_detached", rule.iif_detached, false);
  put_text(out, "oif", rule.oif);
  put(out, "oif_detached", rule.oif_detached, false);
  put(out, "fwmark", rule.fwmark, 0U);
  put(out, "fwmask", rule.fwmask, 0U);
  put(out, "tos", unsigned{rule.tos}, 0U);
  if (rule.dscp) out["dscp"] = *rule.dscp;
  put(out, "dscp_mask", unsigned{rule.dscp_mask}, 0x3fU);
  put(out, "flowlabel", rule.flowlabel, 0U);
  put(out, "flowlabel_mask", rule.flowlabel_mask, 0U);
  put(out, "ipproto", unsigned{rule.ip_proto}, 0U);
  put_range(out, "sport", rule.sport);
  put_range(out, "dport", rule.dport);
  put(out, "sport_mask", unsigned{rule.sport_mask}, 0xffffU);
  put(out, "dport_mask", unsigned{rule.dport_mask}, 0xffffU);
  put_range(out, "uidrange", rule.uid);
  put(out, "tun_id", rule.tun_id, std::uint64_t{0});
  put(out, "l3mdev", rule.l3mdev, false);
}

Json rule_json(const Rule& rule) {
  Json out;
  out["family"] = rule.family == Family::v4 ? "inet" : "inet6";
  out["priority"] = rule.priority;
  put_selectors(out, rule);
  put_word(out, "action", rule_action_words(), static_cast<std::uint8_t>(rule.action), 1);
  put(out, "table", rule.table.value, 0U);
  put(out, "goto", rule.goto_target, 0U);
  put(out, "unresolved", rule.goto_unresolved, false);
  if (rule.suppress_prefixlength) out["suppress_prefixlength"] = *rule.suppress_prefixlength;
  if (rule.suppress_ifgroup) out["suppress_ifgroup"] = *rule.suppress_ifgroup;
  put_word(out, "protocol", route_protocol_words(), rule.protocol, 0);
  put_raw(out, rule.other);
  return out;
}

Json Writer::nexthop(const NextHopObject& nexthop) const {
  Json out;
  out["id"] = nexthop.id;
  out["family"] = nexthop.family == Family::v4 ? "inet" : "inet6";
  if (Json hop = leg(nexthop.leg); !hop.empty()) out["leg"] = std::move(hop);
  put(out, "blackhole", nexthop.blackhole, false);
  if (!nexthop.group.empty()) {
    Json group = Json::array();
    for (const auto& [id, weight] : nexthop.group)
      group.push_back({{"id", id}, {"weight", weight}});
    out["group"] = std::move(group);
  }
  put_word(out, "protocol", route_protocol_words(), nexthop.protocol, 0);
  put_raw(out, nexthop.other);
  return out;
}

Json Writer::address_label(const AddressLabel& label) const {
  Json out;
  out["prefix"] = prefix_text(label.prefix);
  if (label.link.value != 0) out["dev"] = device(label.link);
  out["label"] = label.label;
  return out;
}

Json Writer::document() const {
  Json out;
  out["schema"] = std::string(snapshot_schema);
  put_text(out, "host", now_.host);
  put_text(out, "kernel", now_.kernel);
  put_text(out, "source", now_.source);
  out["links"] = list(now_.links, [&](const Link& each) { return link(each); });
  out["addresses"] = list(now_.addresses, [&](const Address& each) { return address(each); });
  out["neighbors"] = list(now_.neighbors, [&](const Neighbor& each) { return neighbor(each); });
  out["routes"] = list(now_.routes, [&](const Route& each) { return route(each); });
  out["rules"] = list(now_.rules, rule_json);
  out["nexthops"] = list(now_.nexthops, [&](const NextHopObject& each) { return nexthop(each); });
  out["conf_all"] = conf(conf_table(), now_.conf_all);
  if (!now_.conf6_all.empty()) out["conf6_all"] = conf(conf6_table(), now_.conf6_all);
  out["hidden"] = hidden_json(now_.hidden);
  if (now_.address_labels) {
    out["address_labels"] =
        list(*now_.address_labels, [&](const AddressLabel& each) { return address_label(each); });
  }
  if (now_.groups) {
    out["groups"] = list(*now_.groups, [&](const Membership& each) {
      return Json{{"group", each.group.str()}, {"dev", device(each.link)}};
    });
  }
  Json names = Json::object();
  for (const auto& [id, name] : now_.table_names) names[std::to_string(id.value)] = escape(name);
  out["table_names"] = std::move(names);
  if (now_.segments) {
    out["segments"] = list(*now_.segments, [&](const Segment& segment) {
      return list(segment, [&](IfIndex index) { return device(index); });
    });
  }
  out["notes"] = list(now_.notes, [](const std::string& note) { return Json(escape(note)); });
  return out;
}

}  // namespace

std::string to_json(const Snapshot& snapshot) { return Writer(snapshot).document().dump(1) + "\n"; }

}  // namespace retour
