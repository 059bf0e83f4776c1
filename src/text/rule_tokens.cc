// SPDX-License-Identifier: Apache-2.0
//
// Rules of `ip -j` as the words that plain `ip` would have printed.
#include <algorithm>
#include <array>

#include "text/import_parts.h"
#include "text/json_reader.h"

namespace retour {
namespace {

using Entry = std::pair<std::string_view, std::string_view>;

void add_prefix(TokenList& out, std::string_view word, const JsonValue& object,
                std::string_view length_key) {
  const JsonValue* address = object.find(word == "from" ? "src" : "dst");
  if (address == nullptr) return;
  std::string text = address->text;
  if (const JsonValue* length = object.find(length_key)) {
    text += "/" + scalar_text(*length).value_or("?");
  }
  out.add(word);
  out.add_owned(std::move(text));
}

std::string joined(const JsonValue& first, const JsonValue* second, char between) {
  std::string text = scalar_text(first).value_or("?");
  if (second != nullptr) text += between + scalar_text(*second).value_or("?");
  return text;
}

bool add_joined(TokenList& out, std::string_view key, const JsonValue& object,
                const JsonValue& value) {
  struct Pair {
    std::string_view first, second, word;
    char between;
  };
  static constexpr std::array<Pair, 10> pairs{{{"fwmark", "fwmask", "fwmark", '/'},
                                               {"flowlabel", "flowlabel_mask", "flowlabel", '/'},
                                               {"sport", "sport_mask", "sport", '/'},
                                               {"dport", "dport_mask", "dport", '/'},
                                               {"dscp", "dscp_mask", "dscp", '/'},
                                               {"sport_start", "sport_end", "sport", '-'},
                                               {"dport_start", "dport_end", "dport", '-'},
                                               {"uid_start", "uid_end", "uidrange", '-'},
                                               {"flow_from", "flow_to", "realms", '/'},
                                               {"flow_to", "", "realms", '/'}}};
  for (const Pair& pair : pairs) {
    if (key == pair.second) {
      // Written with its first half; only realms may stand without one.
      if (object.find(pair.first) != nullptr) return true;
    }
    if (key != pair.first) continue;
    out.add(pair.word);
    out.add_owned(joined(value, object.find(pair.second), pair.between));
    return true;
  }
  return false;
}

void add_field(TokenList& out, std::string_view key, const JsonValue& object,
               const JsonValue& value, const Where& where, Notes& notes) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> bare{
      {{"iif_detached", "[detached]"},
       {"oif_detached", "[detached]"},
       {"l3mdev", "l3mdev"},
       {"unresolved", "[unresolved]"},
       {"nop", "nop"},
       {"not", "not"}}};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> named{
      {{"iif", "iif"},
       {"oif", "oif"},
       {"tos", "tos"},
       {"ipproto", "ipproto"},
       {"tun_id", "tun_id"},
       {"table", "lookup"},
       {"suppress_prefixlen", "suppress_prefixlength"},
       {"suppress_prefixlength", "suppress_prefixlength"},
       {"suppress_ifgroup", "suppress_ifgroup"},
       {"goto", "goto"},
       {"protocol", "proto"}}};
  if (key == "priority" || key == "src" || key == "srclen" || key == "dst" || key == "dstlen")
    return;
  if (add_joined(out, key, object, value)) return;
  if (const auto* it = std::ranges::find(bare, key, &Entry::first); it != bare.end()) {
    return out.add(it->second);
  }
  const auto* it = std::ranges::find(named, key, &Entry::first);
  auto text = scalar_text(value);
  if (it != named.end() && text) {
    out.add(it->second);
    return out.add_owned(std::move(*text));
  }
  // "to_tbl" is what 4.17 to 4.20 called it.
  if ((key == "action" || key == "to_tbl") && text) return out.add_owned(std::move(*text));
  notes.not_represented(where, key);
}

}  // namespace

TokenList rule_tokens(const JsonValue& object, const Where& where, Notes& notes) {
  TokenList out;
  const JsonValue* priority = object.find("priority");
  out.add_owned((priority ? scalar_text(*priority).value_or("?") : "?") + ":");
  add_prefix(out, "from", object, "srclen");
  add_prefix(out, "to", object, "dstlen");
  for (std::size_t i = 0; i < object.keys.size() && i < object.items.size(); ++i) {
    add_field(out, object.keys[i], object, object.items[i], where, notes);
  }
  return out;
}

}  // namespace retour
