// SPDX-License-Identifier: Apache-2.0
#include "text/import_parts.h"

#include <fmt/format.h>

#include "text/json_reader.h"
#include "text/printable.h"

namespace retour {

void Notes::not_represented(const Where& where, std::string_view what) {
  constexpr std::size_t most = 20;
  if (unrepresented_.size() >= most) {
    ++more_;
    return;
  }
  unrepresented_.push_back(
      fmt::format("{}: not represented: {}", where.str(), printable(what.substr(0, 200))));
}

std::vector<std::string> Notes::take() {
  auto notes = std::move(notes_);
  notes.insert(notes.end(), unrepresented_.begin(), unrepresented_.end());
  if (more_ != 0) notes.push_back(fmt::format("not represented: {} more like these", more_));
  return notes;
}

TableIds::TableIds(const std::map<TableId, std::string>& names) {
  for (const auto& [id, name] : names) ids_[name].push_back(id);
  const std::pair<std::string_view, TableId> builtins[] = {{"unspec", TableId{0}},
                                                           {"default", table_default},
                                                           {"main", table_main},
                                                           {"local", table_local}};
  for (const auto& [name, id] : builtins) {
    if (!ids_.contains(name)) ids_[std::string(name)].push_back(id);
  }
}

Result<TableId> TableIds::find(std::string_view text, const Where& where) const {
  const auto it = ids_.find(text);
  if (it != ids_.end() && it->second.size() == 1) return it->second.front();
  if (it != ids_.end()) {
    Error error =
        input_error(where,
                    fmt::format("the table name \"{}\" stands for {} and for {}", printable(text),
                                it->second[0].value, it->second[1].value),
                    "print tables by number: ip -N");
    error.kind = ErrorKind::contradiction;
    return fail(std::move(error));
  }
  if (const auto number = parse_number(text, 0xffffffffU)) {
    return TableId{static_cast<std::uint32_t>(*number)};
  }
  return fail(input_error(
      where, fmt::format("no table is known by the name \"{}\"", printable(text.substr(0, 60))),
      "give that host's /etc/iproute2/rt_tables with --rt-tables"));
}

TableId TableIds::read(Cursor& in) const {
  const std::string_view text = in.value("a table name or number");
  if (in.error()) return {};
  auto table = find(text, in.where());
  if (table) return *table;
  in.fail(std::move(table.error()));
  return {};
}

std::uint8_t read_protocol(Cursor& in, Notes& notes) {
  const std::string_view text = in.value("a protocol name or number");
  if (const auto value = parse_word(route_protocol_words(), text, 255)) {
    return static_cast<std::uint8_t>(*value);
  }
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    in.fail(text, "a protocol name or a number of at most 255");
  }
  if (!in.error()) {
    notes.not_represented(in.where(), fmt::format("protocol {}, of unknown number; 0 taken", text));
  }
  return 0;
}

Link assumed_link(IfIndex index, std::string_view name) {
  constexpr std::uint32_t up_running_lower_up = 0x1 | 0x40 | 0x10000;
  constexpr std::uint32_t loopback = 0x8;
  constexpr std::uint32_t broadcast_multicast = 0x2 | 0x1000;
  Link link;
  link.index = index;
  link.name = name;
  link.flags = up_running_lower_up | (name == "lo" ? loopback : broadcast_multicast);
  return link;
}

void TokenList::add_owned(std::string text) {
  owned_.push_back(std::make_unique<std::string>(std::move(text)));
  add(*owned_.back());
}

std::optional<std::string> scalar_text(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::string:
    case JsonValue::Kind::real:
      return value.text;
    case JsonValue::Kind::integer:
      return fmt::format("{}{}", value.negative ? "-" : "", value.magnitude);
    default:
      return std::nullopt;
  }
}

}  // namespace retour
