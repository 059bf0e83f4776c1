// SPDX-License-Identifier: Apache-2.0
//
// `ip -j link` and `ip -j addr`: links, and the addresses on them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/address_words.h"
#include "text/json_reader.h"

namespace retour {
namespace {

/// The fields of an address that say something; its flags stand beside them, true or null.
constexpr std::array<std::string_view, 12> address_fields{
    "family", "local", "prefixlen", "address",         "broadcast",           "metric",
    "label",  "scope", "protocol",  "valid_life_time", "preferred_life_time", "ifa_flags"};

/// One object of `ip -j addr`; the first thing missing or wrong is kept.
class JsonParser {
 public:
  JsonParser(const JsonValue& object, const Where& where, Notes& notes)
      : object_(object), where_(where), notes_(notes) {}

  std::optional<Error> parse(ImportedLinks& out);

 private:
  const std::string& text(const JsonValue& object, std::string_view key, bool required);
  std::uint32_t number(const JsonValue& object, std::string_view key, std::uint32_t max,
                       bool required);
  std::optional<Ip> ip(const JsonValue& object, std::string_view key, Family family, bool required);
  ImportedLink link();
  ImportedAddress address(const JsonValue& object, const std::string& device);
  void fail(std::string_view key, std::string_view expected) {
    if (error_) return;
    error_ = input_error(where_, fmt::format("\"{}\" is missing or wrong", key),
                         fmt::format("expected {}", expected));
  }

  const JsonValue& object_;
  Where where_;
  Notes& notes_;
  std::optional<Error> error_;
};

const std::string& JsonParser::text(const JsonValue& object, std::string_view key, bool required) {
  static const std::string none;
  const JsonValue* value = object.find(key);
  if (value != nullptr && value->kind == JsonValue::Kind::string) return value->text;
  if (value != nullptr || required) fail(key, "a string");
  return none;
}

std::uint32_t JsonParser::number(const JsonValue& object, std::string_view key, std::uint32_t max,
                                 bool required) {
  const JsonValue* value = object.find(key);
  if (value == nullptr && !required) return 0;
  const bool good = value != nullptr && value->kind == JsonValue::Kind::integer &&
                    !value->negative && value->magnitude <= max;
  if (!good) fail(key, fmt::format("a number of at most {}", max));
  return good ? static_cast<std::uint32_t>(value->magnitude) : 0;
}

std::optional<Ip> JsonParser::ip(const JsonValue& object, std::string_view key, Family family,
                                 bool required) {
  const std::string& address = text(object, key, required);
  if (address.empty()) return std::nullopt;
  const auto ip = Ip::parse(address);
  if (!ip || ip->family() != family) fail(key, "an address of that family");
  return ip;
}

ImportedLink JsonParser::link() {
  ImportedLink out;
  out.where = where_;
  Link& link = out.link;
  link.index = IfIndex{number(object_, "ifindex", 0x7fffffff, true)};
  link.name = text(object_, "ifname", true);
  link.mtu = number(object_, "mtu", 0xffffffffU, false);
  if (link.index.value == 0) fail("ifindex", "an index from 1");
  if (!is_link_name(link.name)) fail("ifname", "a device name, 1 to 15 bytes without '/'");
  if (const std::string& group = text(object_, "group", false); !group.empty()) {
    link.group = read_group(group, where_, notes_);
  }
  if (auto mac = parse_mac(text(object_, "address", false))) link.mac = std::move(*mac);
  out.master = text(object_, "master", false);
  if (const JsonValue* info = object_.find("linkinfo")) link.kind = text(*info, "info_kind", false);
  LinkFlags seen;
  const JsonValue* flags = object_.find("flags");
  if (flags == nullptr) fail("flags", "the flags of the link");
  for (std::size_t i = 0; flags != nullptr && i < flags->items.size(); ++i) {
    if (!seen.add(flags->items[i].text)) fail("flags", "flags of a link");
  }
  link.flags = seen.bits();
  return out;
}

ImportedAddress JsonParser::address(const JsonValue& object, const std::string& device) {
  ImportedAddress out;
  out.where = where_;
  out.device = device;
  Address& address = out.address;
  const std::string& family_name = text(object, "family", true);
  const Family family = family_name == "inet6" ? Family::v6 : Family::v4;
  if (family_name != "inet" && family_name != "inet6") fail("family", "inet or inet6");
  address.local.address = ip(object, "local", family, true).value_or(Ip(family, 0));
  address.local.length =
      static_cast<std::uint8_t>(number(object, "prefixlen", width(family), true));
  address.peer = ip(object, "address", family, false);
  address.broadcast = ip(object, "broadcast", family, false);
  address.metric = number(object, "metric", 0xffffffffU, false);
  address.label = text(object, "label", false);
  const auto scope = parse_word(scope_words(), text(object, "scope", true), 255);
  if (!scope) fail("scope", "a scope name or number");
  address.scope = static_cast<Scope>(scope.value_or(0));
  if (object.find("protocol") != nullptr) {
    const auto protocol = parse_word(address_protocol_words(), text(object, "protocol", true), 255);
    if (!protocol) fail("protocol", "an address protocol name or number");
    address.protocol = static_cast<std::uint8_t>(protocol.value_or(0));
  }
  address.flags = ifa_permanent;
  for (std::size_t i = 0; i < object.keys.size() && i < object.items.size(); ++i) {
    const JsonValue& value = object.items[i];
    const bool known = std::ranges::find(address_fields, object.keys[i]) != address_fields.end();
    if (const auto text = scalar_text(value); text && !known) {
      notes_.not_represented(
          where_,
          fmt::format("{} {}", object.keys[i] == "anycast" ? "any" : object.keys[i], *text));
    }
    if (!value.truth && value.kind != JsonValue::Kind::null) continue;
    if (!add_address_flag(address, object.keys[i])) notes_.not_represented(where_, object.keys[i]);
  }
  if (object.find("ifa_flags") != nullptr) {
    // The bits it has no name for, in bare hexadecimal.
    const auto bits = parse_number("0x" + text(object, "ifa_flags", true), 0xffffffffU);
    if (!bits) fail("ifa_flags", "bits in hexadecimal");
    address.flags |= static_cast<std::uint32_t>(bits.value_or(0));
  }
  return out;
}

std::optional<Error> JsonParser::parse(ImportedLinks& out) {
  // `ip -j -4 addr` prints an empty object for each link it filters out.
  if (object_.kind == JsonValue::Kind::object && object_.keys.empty()) return std::nullopt;
  ImportedLink imported = link();
  const std::string device = imported.link.name;
  out.links.push_back(std::move(imported));
  const JsonValue* addresses = object_.find("addr_info");
  for (std::size_t i = 0; addresses != nullptr && i < addresses->items.size(); ++i) {
    if (addresses->items[i].keys.empty()) continue;
    out.addresses.push_back(address(addresses->items[i], device));
  }
  return error_;
}

}  // namespace

std::optional<Error> read_link_object(const JsonValue& object, const Where& where, Notes& notes,
                                      ImportedLinks& out) {
  return JsonParser(object, where, notes).parse(out);
}

}  // namespace retour
