// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "text/printable.h"
#include "text/snapshot_json.h"
#include "text/snapshot_reader.h"

namespace retour {
namespace {

using Kind = JsonValue::Kind;

class Reader {
 public:
  Reader(const JsonValue& root, std::string_view file) : root_(root) { problem_.file = file; }
  Result<Snapshot> read();

 private:
  void links(JsonObject& document);
  void masters(const std::vector<const JsonValue*>& masters);
  Address address(JsonObject& in);
  Neighbor neighbor(JsonObject& in);
  NextHop leg(JsonObject& in);
  Route route(JsonObject& in);
  Rule rule(JsonObject& in);
  void selectors(JsonObject& in, Rule& out);
  NextHopObject nexthop(JsonObject& in);
  AddressLabel address_label(JsonObject& in);
  Membership group(JsonObject& in);
  void table_names(JsonObject& document);
  void segments(JsonObject& document);
  void device(JsonObject& in, std::string_view key, IfIndex& out);
  IfIndex device_value(const JsonValue& value, const JsonPath& path);

  template <class T>
  void list(JsonObject& in, std::string_view key, std::vector<T>& out,
            T (Reader::*one)(JsonObject&)) {
    in.each(key, [&](const JsonValue& item, const JsonPath& at) {
      JsonObject object(item, at, problem_);
      out.push_back((this->*one)(object));
      object.finish();
    });
  }

  const JsonValue& root_;
  JsonProblem problem_;
  Snapshot out_;
  std::unordered_map<std::string, IfIndex> by_name_;
};

IfIndex Reader::device_value(const JsonValue& value, const JsonPath& path) {
  if (value.kind == Kind::integer && !value.negative && value.magnitude <= 0xffffffffU) {
    return IfIndex{static_cast<std::uint32_t>(value.magnitude)};
  }
  const auto name = value.kind == Kind::string ? unescape(value.text) : std::nullopt;
  if (!name) {
    problem_.wrong(path, &value, "the name of a link, or its index");
    return {};
  }
  const auto it = by_name_.find(*name);
  if (it != by_name_.end()) return it->second;
  if (!problem_.error) {
    problem_.error = Error{.kind = ErrorKind::contradiction,
                           .errnum = 0,
                           .doing = "read " + printable(problem_.file),
                           .why = fmt::format("{} is \"{}\", and there is no such link", path.str(),
                                              printable(std::string_view(*name).substr(0, 60))),
                           .hint = "every link that is named must stand in `links`"};
  }
  return {};
}

void Reader::device(JsonObject& in, std::string_view key, IfIndex& out) {
  if (const JsonValue* value = in.field(key)) out = device_value(*value, in.path(key));
}

void Reader::links(JsonObject& document) {
  std::vector<const JsonValue*> masters;
  document.each("links", [&](const JsonValue& item, const JsonPath& at) {
    JsonObject in(item, at, problem_);
    Link link;
    in.required("index", "the index of the link");
    in.number("index", link.index.value);
    in.required("name", "the name of the link");
    in.text("name", link.name);
    if (!is_link_name(link.name)) {
      in.wrong("name", in.field("name"), "1 to 15 bytes without '/'");
    }
    in.text("kind", link.kind);
    in.text("driver", link.driver);
    in.text("bus", link.bus);
    in.mac("mac", link.mac);
    in.bits("flags", link_flag_words(), link.flags);
    in.number("mtu", link.mtu);
    in.number("group", link.group);
    in.number("speed_mbps", link.speed_mbps);
    in.conf("conf", link.conf);
    in.conf("conf6", link.conf6);
    masters.push_back(in.field("master"));
    in.finish();
    by_name_.emplace(link.name, link.index);
    out_.links.push_back(std::move(link));
  });
  // A master may stand behind its ports.
  const JsonPath list = document.path("links");
  for (std::size_t i = 0; i < masters.size() && !problem_.error; ++i) {
    const JsonPath element{&list, {}, i};
    if (masters[i] == nullptr) continue;
    out_.links[i].master = device_value(*masters[i], JsonPath{&element, "master", std::nullopt});
  }
  std::ranges::stable_sort(out_.links, {}, &Link::index);
}

Address Reader::address(JsonObject& in) {
  Address out;
  device(in, "dev", out.link);
  in.required("dev", "the link of the address");
  std::optional<Prefix> local;
  in.required("local", "the address with its prefix length");
  in.prefix("local", local);
  out.local = local.value_or(Prefix{});
  in.ip("peer", out.peer);
  in.ip("broadcast", out.broadcast);
  in.word("scope", scope_words(), out.scope);
  in.bits("flags", address_flag_words(), out.flags);
  in.text("label", out.label);
  in.number("metric", out.metric);
  in.number("protocol", out.protocol);
  return out;
}

Neighbor Reader::neighbor(JsonObject& in) {
  Neighbor out;
  std::optional<Ip> address;
  in.required("address", "the address of the neighbour");
  in.ip("address", address);
  out.address = address.value_or(Ip{});
  device(in, "dev", out.link);
  in.mac("mac", out.mac);
  in.bits("state", neighbor_state_words(), out.state);
  in.bits("flags", neighbor_flag_words(), out.flags);
  return out;
}

NextHop Reader::leg(JsonObject& in) {
  NextHop out;
  in.ip("via", out.gateway);
  device(in, "dev", out.link);
  in.number("weight", out.weight);
  in.bits("flags", route_flag_words(), out.flags);
  return out;
}

Route Reader::route(JsonObject& in) {
  Route out;
  std::optional<Prefix> dst;
  in.required("dst", "the destination of the route");
  in.prefix("dst", dst);
  out.dst = dst.value_or(Prefix{});
  in.prefix("from", out.src);
  std::uint8_t type = 1;
  in.word("type", route_type_words(), type);
  if (type > 11) in.wrong("type", in.field("type"), "a route type of at most 11");
  out.type = static_cast<RouteType>(type);
  in.number("table", out.table.value);
  in.word("protocol", route_protocol_words(), out.protocol);
  in.word("scope", scope_words(), out.scope);
  in.number("tos", out.tos);
  in.number("metric", out.metric);
  in.ip("src", out.prefsrc);
  list(in, "nexthops", out.next_hops, &Reader::leg);
  in.number("nhid", out.nexthop_id);
  in.bits("flags", route_flag_words(), out.flags);
  in.number("pref", out.preference);
  in.flag("expired", out.expired);
  in.raw("other", out.other);
  return out;
}

template <class T>
void read_range(JsonObject& in, std::string_view key, std::optional<Range<T>>& out) {
  std::optional<std::pair<T, T>> bounds;
  in.range(key, bounds);
  if (bounds) out = Range<T>{bounds->first, bounds->second};
}

void Reader::selectors(JsonObject& in, Rule& out) {
  in.flag("not", out.invert);
  in.prefix("from", out.from);
  in.prefix("to", out.to);
  in.text("iif", out.iif);
  in.flag("iif_detached", out.iif_detached);
  in.text("oif", out.oif);
  in.flag("oif_detached", out.oif_detached);
  in.number("fwmark", out.fwmark);
  in.number("fwmask", out.fwmask);
  in.number("tos", out.tos);
  in.optional_number("dscp", out.dscp);
  in.number("dscp_mask", out.dscp_mask);
  if (out.dscp.value_or(0) > 63) in.wrong("dscp", in.field("dscp"), "a number from 0 to 63");
  in.number("flowlabel", out.flowlabel);
  in.number("flowlabel_mask", out.flowlabel_mask);
  in.number("ipproto", out.ip_proto);
  read_range(in, "sport", out.sport);
  read_range(in, "dport", out.dport);
  in.number("sport_mask", out.sport_mask);
  in.number("dport_mask", out.dport_mask);
  read_range(in, "uidrange", out.uid);
  in.number("tun_id", out.tun_id);
  in.flag("l3mdev", out.l3mdev);
}

Rule Reader::rule(JsonObject& in) {
  Rule out;
  in.required("family", "inet or inet6");
  in.family("family", out.family);
  in.required("priority", "the priority of the rule");
  in.number("priority", out.priority);
  selectors(in, out);
  std::uint8_t action = 1;
  in.word("action", rule_action_words(), action);
  out.action = static_cast<RuleAction>(action);
  in.number("table", out.table.value);
  in.number("goto", out.goto_target);
  in.flag("unresolved", out.goto_unresolved);
  in.optional_number("suppress_prefixlength", out.suppress_prefixlength);
  in.optional_number("suppress_ifgroup", out.suppress_ifgroup);
  in.word("protocol", route_protocol_words(), out.protocol);
  in.raw("other", out.other);
  return out;
}

AddressLabel Reader::address_label(JsonObject& in) {
  AddressLabel out;
  std::optional<Prefix> prefix;
  in.required("prefix", "the IPv6 prefix of the label");
  in.prefix("prefix", prefix);
  out.prefix = prefix.value_or(Prefix{});
  if (prefix && prefix->family() != Family::v6) {
    in.wrong("prefix", in.field("prefix"), "an IPv6 prefix");
  }
  device(in, "dev", out.link);
  in.required("label", "the label, a number");
  in.number("label", out.label);
  return out;
}

NextHopObject Reader::nexthop(JsonObject& in) {
  NextHopObject out;
  in.required("id", "the id of the nexthop object");
  in.number("id", out.id);
  in.family("family", out.family);
  if (const JsonValue* hop = in.field("leg")) {
    const JsonPath at = in.path("leg");
    JsonObject object(*hop, at, problem_);
    out.leg = leg(object);
    object.finish();
  }
  in.flag("blackhole", out.blackhole);
  in.each("group", [&](const JsonValue& item, const JsonPath& at) {
    JsonObject member(item, at, problem_);
    auto& [id, weight] = out.group.emplace_back();
    member.number("id", id);
    member.number("weight", weight);
    member.finish();
  });
  in.word("protocol", route_protocol_words(), out.protocol);
  in.raw("other", out.other);
  return out;
}

Membership Reader::group(JsonObject& in) {
  Membership out;
  device(in, "dev", out.link);
  std::optional<Ip> address;
  in.required("group", "the address of the group");
  in.ip("group", address);
  out.group = address.value_or(Ip{});
  return out;
}

void Reader::table_names(JsonObject& document) {
  const JsonValue* names = document.field("table_names");
  if (names == nullptr) return;
  if (names->kind != Kind::object) return document.wrong("table_names", names, "an object");
  const JsonPath here = document.path("table_names");
  for (std::size_t i = 0; i < names->keys.size() && i < names->items.size(); ++i) {
    const JsonValue& value = names->items[i];
    const auto id = parse_number(names->keys[i], 0xffffffffU);
    const auto name = value.kind == Kind::string ? unescape(value.text) : std::nullopt;
    const JsonPath at{&here, names->keys[i], std::nullopt};
    if (!id || !name) return problem_.wrong(at, &value, "\"TABLE NUMBER\": \"NAME\"");
    out_.table_names[TableId{static_cast<std::uint32_t>(*id)}] = *name;
  }
}

void Reader::segments(JsonObject& document) {
  if (document.field("segments") == nullptr) return;
  auto& segments = out_.segments.emplace();
  document.each("segments", [&](const JsonValue& item, const JsonPath& at) {
    if (item.kind != Kind::array) return problem_.wrong(at, &item, "an array of links");
    Segment& segment = segments.emplace_back();
    for (std::size_t i = 0; i < item.items.size(); ++i) {
      segment.push_back(device_value(item.items[i], JsonPath{&at, {}, i}));
    }
  });
}

Result<Snapshot> Reader::read() {
  const JsonPath top;
  JsonObject document(root_, top, problem_);
  const JsonValue* schema = document.required("schema", snapshot_schema);
  if (schema != nullptr && schema->text != snapshot_schema) {
    return fail(Error{.kind = ErrorKind::schema,
                      .errnum = 0,
                      .doing = "read " + printable(problem_.file),
                      .why = fmt::format("its schema is \"{}\"",
                                         printable(std::string_view(schema->text).substr(0, 60))),
                      .hint = fmt::format("this program reads {}", snapshot_schema)});
  }
  document.text("host", out_.host);
  document.text("kernel", out_.kernel);
  document.text("source", out_.source);
  document.required("links", "the links of the host");
  links(document);
  list(document, "addresses", out_.addresses, &Reader::address);
  list(document, "neighbors", out_.neighbors, &Reader::neighbor);
  list(document, "routes", out_.routes, &Reader::route);
  list(document, "rules", out_.rules, &Reader::rule);
  list(document, "nexthops", out_.nexthops, &Reader::nexthop);
  document.conf("conf_all", out_.conf_all);
  document.conf("conf6_all", out_.conf6_all);
  if (const JsonValue* hidden = document.field("hidden")) {
    const JsonPath at = document.path("hidden");
    JsonObject in(*hidden, at, problem_);
    in.optional_flag("custom_rules_v4", out_.hidden.custom_rules_v4);
    in.optional_flag("custom_local_routes_v4", out_.hidden.custom_local_routes_v4);
    in.optional_flag("custom_rules_v6", out_.hidden.custom_rules_v6);
    in.finish();
  }
  if (document.field("address_labels") != nullptr) {
    list(document, "address_labels", out_.address_labels.emplace(), &Reader::address_label);
  }
  if (document.field("groups") != nullptr) {
    list(document, "groups", out_.groups.emplace(), &Reader::group);
  }
  table_names(document);
  segments(document);
  document.each("notes", [&](const JsonValue& item, const JsonPath& at) {
    auto note = item.kind == Kind::string ? unescape(item.text) : std::nullopt;
    if (!note) return problem_.wrong(at, &item, "a sentence");
    out_.notes.push_back(std::move(*note));
  });
  document.finish();
  if (problem_.error) return fail(std::move(*problem_.error));
  return std::move(out_);
}

}  // namespace

Result<Snapshot> snapshot_from_value(const JsonValue& value, std::string_view file) {
  return Reader(value, file).read();
}

Result<Snapshot> snapshot_from_json(std::string_view text, std::string_view file) {
  const auto root = read_json(text, file, RepeatedKeys::reject);
  if (!root) return fail(root.error());
  auto snapshot = snapshot_from_value(*root, file);
  if (!snapshot) return snapshot;
  if (auto sound = contradiction_in(*snapshot, file); !sound) return fail(std::move(sound.error()));
  return snapshot;
}

}  // namespace retour
