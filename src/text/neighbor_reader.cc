// SPDX-License-Identifier: Apache-2.0
//
// `ip neigh`.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/import_parts.h"
#include "text/json_reader.h"

namespace retour {
namespace {

ImportedNeighbor parse_neighbor(Cursor& in, Notes& notes) {
  ImportedNeighbor out;
  Neighbor& neighbor = out.neighbor;
  neighbor.address = in.ip("an address");
  out.where = in.where();
  while (!in.done()) {
    if (in.take_if("dev")) {
      out.device = in.device();
    } else if (in.take_if("lladdr")) {
      neighbor.mac = in.mac("a link-layer address");
    } else if (in.take_if("proto")) {
      notes.not_represented(in.where(), fmt::format("proto {}", in.value("a protocol")));
    } else if (in.peek() == "used" || in.peek() == "ref" || in.peek() == "probes") {
      // Counters of `ip -s`; print_neigh() leaves no space between two of them.
      in.take();
      if (in.value("a count").ends_with("probes")) in.value("a count");
    } else if (const auto state = value_of(neighbor_state_words(), in.peek())) {
      in.take();
      neighbor.state = static_cast<std::uint16_t>(neighbor.state | *state);
    } else if (const auto flag = value_of(neighbor_flag_words(), in.peek())) {
      in.take();
      neighbor.flags = static_cast<std::uint8_t>(neighbor.flags | *flag);
    } else if (in.peek() == "managed" || in.peek() == "offloaded" || in.peek() == "extern_valid" ||
               in.peek() == "NONE") {
      in.take();
    } else {
      in.fail(in.peek(), "dev, lladdr, a flag or a state of the neighbour");
    }
  }
  if (out.device.empty()) in.fail("", "`dev NAME` (print neighbours without a device filter)");
  return out;
}

/// Counters of `ip -s`.
constexpr std::array<std::string_view, 5> counters{"used", "confirmed", "updated", "probes",
                                                   "refcnt"};

TokenList neighbor_tokens(const JsonValue& object, const Where& where, Notes& notes) {
  TokenList out;
  if (const JsonValue* dst = object.find("dst")) out.add(dst->text);
  for (std::size_t i = 0; i < object.keys.size() && i < object.items.size(); ++i) {
    const std::string_view key = object.keys[i];
    const JsonValue& value = object.items[i];
    if (key == "dev" || key == "lladdr") {
      out.add(key, value.text);
    } else if (key == "state") {
      for (const JsonValue& state : value.items) out.add(state.text);
    } else if (value.kind == JsonValue::Kind::null) {
      out.add(key);
    } else if (key != "dst" && std::ranges::find(counters, key) == counters.end()) {
      notes.not_represented(where, fmt::format("{} {}", key == "protocol" ? "proto" : key,
                                               scalar_text(value).value_or("")));
    }
  }
  return out;
}

}  // namespace

Result<std::vector<ImportedNeighbor>> read_neighbors(const NamedText& from, Notes& notes) {
  std::vector<ImportedNeighbor> neighbors;
  if (!is_json(from.text)) {
    for (const Line& line : split_lines(from.text)) {
      Cursor in(from.file, line.words);
      neighbors.push_back(parse_neighbor(in, notes));
      if (in.error()) return fail(*in.error());
    }
    return neighbors;
  }
  auto elements = read_json_arrays(from.text, from.file);
  if (!elements) return fail(std::move(elements.error()));
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const TokenList list = neighbor_tokens((*elements)[i], {&from.file, i, true}, notes);
    Cursor in(from.file, list.tokens(), i);
    neighbors.push_back(parse_neighbor(in, notes));
    if (in.error()) return fail(*in.error());
  }
  return neighbors;
}

}  // namespace retour
