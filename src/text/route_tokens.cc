// SPDX-License-Identifier: Apache-2.0
//
// Routes and nexthop objects of `ip -j` as the words that plain `ip` would have printed.
#include <algorithm>
#include <array>

#include "text/import_parts.h"
#include "text/json_reader.h"

namespace retour {
namespace {

/// A key of `ip -j` and the word for it; an empty word: the word is the value.
struct Key {
  std::string_view key;
  std::string_view word;
};

const Key* find(std::span<const Key> keys, std::string_view key) {
  const auto it = std::ranges::find(keys, key, &Key::key);
  return it == keys.end() ? nullptr : &*it;
}

void add_value(TokenList& out, std::string_view word, const JsonValue& value) {
  out.add(word);
  if (auto text = scalar_text(value)) out.add_owned(std::move(*text));
}

void add_flags(TokenList& out, const JsonValue& object) {
  const JsonValue* flags = object.find("flags");
  if (flags == nullptr) return;
  for (const JsonValue& flag : flags->items) out.add(flag.text);
}

void add_realms(TokenList& out, const JsonValue& flow) {
  const JsonValue* from = flow.find("from");
  const JsonValue* to = flow.find("to");
  std::string text;
  if (from != nullptr) text = scalar_text(*from).value_or("?") + "/";
  if (to != nullptr) text += scalar_text(*to).value_or("?");
  out.add("realms");
  out.add_owned(std::move(text));
}

bool add_leg(TokenList& out, std::string_view key, const JsonValue& value) {
  if (key == "via") {
    const JsonValue* host = value.find("host");
    const JsonValue* family = value.find("family");
    out.add("via");
    if (family != nullptr) out.add(family->text);
    if (host != nullptr) out.add(host->text);
    return true;
  }
  if (key == "flow") {
    add_realms(out, value);
    return true;
  }
  static constexpr std::array<Key, 4> keys{
      {{"gateway", "via"}, {"dev", "dev"}, {"weight", "weight"}, {"pref", "pref"}}};
  const Key* known = find(keys, key);
  if (known != nullptr) add_value(out, known->word, value);
  return known != nullptr;
}

/// An encapsulation: an object of its own, or in older iproute2 a kind whose keys follow it
/// unmarked, up to the gateway. Noted as a whole.
class Encapsulation {
 public:
  Encapsulation(const Where& where, Notes& notes) : where_(where), notes_(notes) {}

  /// True: the key belongs to it.
  bool holds(std::string_view key, const JsonValue& value) {
    const bool begins = key == "encap";
    if (begins) notes_.not_represented(where_, key);
    const bool held = begins || (inside_ && key != "gateway" && key != "via" && key != "dev");
    inside_ = held && value.kind != JsonValue::Kind::object;
    return held;
  }

 private:
  const Where& where_;
  Notes& notes_;
  bool inside_{};
};

void add_legs(TokenList& out, const JsonValue& legs, const Where& where, Notes& notes) {
  for (const JsonValue& leg : legs.items) {
    out.add("nexthop");
    Encapsulation encapsulation(where, notes);
    for (std::size_t i = 0; i < leg.keys.size() && i < leg.items.size(); ++i) {
      const std::string_view key = leg.keys[i];
      if (key == "flags" || encapsulation.holds(key, leg.items[i])) continue;
      if (!add_leg(out, key, leg.items[i])) notes.not_represented(where, key);
    }
    add_flags(out, leg);
  }
}

// [{"mtu":1300,"ecn":null,"congestion":"reno"}]: each key is the word, but for two.
void add_metrics(TokenList& out, const JsonValue& metrics) {
  for (const JsonValue& set : metrics.items) {
    for (std::size_t i = 0; i < set.keys.size() && i < set.items.size(); ++i) {
      const std::string_view key = set.keys[i];
      if (key == "ecn" || key == "tcp_usec_ts") {
        out.add("features");
        out.add(key);
      } else {
        add_value(out, key == "congestion" ? "congctl" : key, set.items[i]);
      }
    }
  }
}

// [{"id":1,"weight":5},{"id":2}] is "1,5/2".
void add_group(TokenList& out, const JsonValue& group) {
  std::string text;
  for (const JsonValue& member : group.items) {
    const JsonValue* id = member.find("id");
    const JsonValue* weight = member.find("weight");
    if (!text.empty()) text += '/';
    if (id != nullptr) text += scalar_text(*id).value_or("?");
    if (weight != nullptr) text += "," + scalar_text(*weight).value_or("?");
  }
  out.add("group");
  out.add_owned(std::move(text));
}

}  // namespace

TokenList route_tokens(const JsonValue& object, const Where& where, Notes& notes) {
  static constexpr std::array<Key, 16> named{{{"table", "table"},
                                              {"protocol", "proto"},
                                              {"scope", "scope"},
                                              {"prefsrc", "src"},
                                              {"metric", "metric"},
                                              {"from", "from"},
                                              {"tos", "tos"},
                                              {"nhid", "nhid"},
                                              {"expires", "expires"},
                                              {"error", "error"},
                                              {"users", "users"},
                                              {"used", "used"},
                                              {"age", "age"},
                                              {"mark", "mark"},
                                              {"uid", "uid"},
                                              {"iif", "iif"}}};
  TokenList out;
  if (const JsonValue* type = object.find("type")) out.add(type->text);
  if (const JsonValue* dst = object.find("dst")) out.add(dst->text);
  const JsonValue* legs = nullptr;
  Encapsulation encapsulation(where, notes);
  for (std::size_t i = 0; i < object.keys.size() && i < object.items.size(); ++i) {
    const std::string_view key = object.keys[i];
    const JsonValue& value = object.items[i];
    if (encapsulation.holds(key, value)) continue;
    if (key == "type" || key == "dst" || key == "flags" || key == "nh_info") continue;
    if (key == "nexthops") {
      legs = &value;
    } else if (key == "metrics") {
      add_metrics(out, value);
    } else if (key == "cache") {
      out.add("cache");
    } else if (const Key* known = find(named, key)) {
      add_value(out, known->word, value);
    } else if (!add_leg(out, key, value)) {
      notes.not_represented(where, key);
    }
  }
  add_flags(out, object);
  if (legs != nullptr) add_legs(out, *legs, where, notes);
  return out;
}

TokenList nexthop_tokens(const JsonValue& object, const Where& where, Notes& notes) {
  static constexpr std::array<Key, 6> named{{{"id", "id"},
                                             {"gateway", "via"},
                                             {"dev", "dev"},
                                             {"scope", "scope"},
                                             {"protocol", "proto"},
                                             {"type", "type"}}};
  TokenList out;
  Encapsulation encapsulation(where, notes);
  for (std::size_t i = 0; i < object.keys.size() && i < object.items.size(); ++i) {
    const std::string_view key = object.keys[i];
    const JsonValue& value = object.items[i];
    if (encapsulation.holds(key, value)) continue;
    if (key == "flags" || key == "group_stats" || key == "hw_stats") continue;
    if (const Key* known = find(named, key)) {
      add_value(out, known->word, value);
    } else if (key == "group") {
      add_group(out, value);
    } else if (key == "resilient_args") {
      notes.not_represented(where, key);
    } else {
      out.add(key);  // blackhole, fdb
    }
  }
  add_flags(out, object);
  return out;
}

}  // namespace retour
