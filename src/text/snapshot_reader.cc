// SPDX-License-Identifier: Apache-2.0
#include "text/snapshot_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/printable.h"

namespace retour {

using Kind = JsonValue::Kind;

namespace {

std::string names_of(Words words) {
  std::vector<std::string_view> names;
  for (const Word& word : words) names.push_back(word.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string JsonPath::str() const {
  std::string before = up == nullptr ? "" : up->str();
  if (index) return fmt::format("{}[{}]", before, *index);
  if (!before.empty() && !key.empty()) before += '.';
  return before + printable(key);
}

void JsonProblem::wrong(const JsonPath& path, const JsonValue* found, std::string_view expected) {
  if (error) return;
  std::string what = "missing";
  if (found != nullptr) what = std::string(found->kind_name());
  if (found != nullptr && found->kind == Kind::string) {
    what = "\"" + printable(std::string_view(found->text).substr(0, 60)) + "\"";
  }
  if (found != nullptr && found->kind == Kind::integer) {
    what = fmt::format("{}{}", found->negative ? "-" : "", found->magnitude);
  }
  const std::string where = path.str();
  error = Error{.kind = ErrorKind::parse,
                .errnum = 0,
                .doing = "read " + printable(file),
                .why = fmt::format("{} is {}", where.empty() ? "the document" : where, what),
                .hint = fmt::format("expected {}", expected)};
}

JsonObject::JsonObject(const JsonValue& value, const JsonPath& path, JsonProblem& problem)
    : value_(&value), path_(&path), problem_(&problem) {
  if (value.kind != Kind::object) problem.wrong(path, &value, "an object");
}

const JsonValue* JsonObject::field(std::string_view key) {
  known_.push_back(key);
  return value_->find(key);
}

const JsonValue* JsonObject::required(std::string_view key, std::string_view expected) {
  const JsonValue* value = field(key);
  if (value == nullptr) wrong(key, nullptr, expected);
  return value;
}

void JsonObject::wrong(std::string_view key, const JsonValue* found, std::string_view expected) {
  problem_->wrong(path(key), found, expected);
}

void JsonObject::finish() {
  for (const std::string& key : value_->keys) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    if (problem_->error) return;
    problem_->wrong(path(key), value_->find(key), "no such field; is it misspelt?");
  }
}

std::uint64_t JsonObject::unsigned_value(std::string_view key, const JsonValue& value,
                                         std::uint64_t max) {
  if (value.kind == Kind::integer && !value.negative && value.magnitude <= max) {
    return value.magnitude;
  }
  wrong(key, &value, fmt::format("a number from 0 to {}", max));
  return 0;
}

std::uint32_t JsonObject::word_value(std::string_view key, const JsonValue& value, Words words,
                                     std::uint32_t max) {
  if (value.kind == Kind::string) {
    const auto number = value_of(words, value.text);
    if (number && *number <= max) return *number;
  } else if (value.kind == Kind::integer && !value.negative && value.magnitude <= max) {
    return static_cast<std::uint32_t>(value.magnitude);
  }
  wrong(key, &value, fmt::format("one of {}, or a number up to {}", names_of(words), max));
  return 0;
}

std::uint32_t JsonObject::bits_value(std::string_view key, const JsonValue& value, Words words,
                                     std::uint32_t max) {
  std::uint32_t bits = 0;
  bool good = value.kind == Kind::array;
  for (const JsonValue& item : value.items) {
    std::optional<std::uint32_t> bit;
    if (item.kind == Kind::string) bit = parse_word(words, item.text, max);
    good = good && bit && *bit <= max;
    bits |= bit.value_or(0);
  }
  if (good) return bits;
  wrong(key, &value, fmt::format("an array of {} or \"0x…\"", names_of(words)));
  return 0;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> JsonObject::range_value(std::string_view key,
                                                                               std::uint64_t max) {
  const JsonValue* value = field(key);
  if (value == nullptr) return std::nullopt;
  const auto good = [&](const JsonValue& item) {
    return item.kind == Kind::integer && !item.negative && item.magnitude <= max;
  };
  if (value->kind == Kind::array && value->items.size() == 2 && good(value->items[0]) &&
      good(value->items[1]) && value->items[0].magnitude <= value->items[1].magnitude) {
    return std::pair{value->items[0].magnitude, value->items[1].magnitude};
  }
  wrong(key, value, fmt::format("[FIRST, LAST], two numbers up to {}", max));
  return std::nullopt;
}

const JsonValue* JsonObject::string_field(std::string_view key) {
  const JsonValue* value = field(key);
  if (value == nullptr || value->kind == Kind::string) return value;
  wrong(key, value, "a string");
  return nullptr;
}

void JsonObject::flag(std::string_view key, bool& out) {
  std::optional<bool> value;
  optional_flag(key, value);
  out = value.value_or(out);
}

void JsonObject::optional_flag(std::string_view key, std::optional<bool>& out) {
  const JsonValue* value = field(key);
  if (value == nullptr) return;
  if (value->kind != Kind::boolean) return wrong(key, value, "true or false");
  out = value->truth;
}

void JsonObject::text(std::string_view key, std::string& out) {
  const JsonValue* value = string_field(key);
  if (value == nullptr) return;
  auto plain = unescape(value->text);
  if (!plain) return wrong(key, value, "a string in which a backslash is \\\\ and a byte \\xNN");
  out = std::move(*plain);
}

void JsonObject::mac(std::string_view key, std::vector<std::uint8_t>& out) {
  const JsonValue* value = string_field(key);
  if (value == nullptr) return;
  auto mac = parse_mac(value->text);
  if (!mac) return wrong(key, value, "a link-layer address, aa:bb:…");
  out = std::move(*mac);
}

void JsonObject::ip(std::string_view key, std::optional<Ip>& out) {
  const JsonValue* value = string_field(key);
  if (value == nullptr) return;
  out = Ip::parse(value->text);
  if (!out) wrong(key, value, "an address");
}

void JsonObject::prefix(std::string_view key, std::optional<Prefix>& out) {
  const JsonValue* value = string_field(key);
  if (value == nullptr) return;
  out = Prefix::parse(value->text);
  if (!out) wrong(key, value, "a prefix, ADDRESS/LENGTH");
}

void JsonObject::family(std::string_view key, Family& out) {
  const JsonValue* value = string_field(key);
  if (value == nullptr) return;
  if (value->text != "inet" && value->text != "inet6") return wrong(key, value, "inet or inet6");
  out = value->text == "inet" ? Family::v4 : Family::v6;
}

void JsonObject::raw(std::string_view key, std::vector<RawAttribute>& out) {
  each(key, [&](const JsonValue& item, const JsonPath& at) {
    JsonObject in(item, at, *problem_);
    RawAttribute attribute;
    in.number("type", attribute.type);
    const JsonValue* data = in.string_field("data");
    const std::string_view hex = data == nullptr ? std::string_view{} : data->text;
    bool good = hex.size() % 2 == 0;
    for (std::size_t i = 0; i + 1 < hex.size() && good; i += 2) {
      const auto byte = parse_mac(hex.substr(i, 2));
      good = byte.has_value();
      if (good) attribute.data.push_back(byte->front());
    }
    if (!good) in.wrong("data", data, "bytes in hexadecimal");
    in.finish();
    out.push_back(std::move(attribute));
  });
}

template <class Table, class Values>
void JsonObject::conf_values(std::string_view key, const Table& table, Values& out) {
  const JsonValue* object = field(key);
  if (object == nullptr) return;
  const JsonPath here = path(key);
  JsonObject in(*object, here, *problem_);
  for (const auto& about : table) {
    const JsonValue* value = in.field(about.name);
    if (value == nullptr) continue;
    const std::uint64_t limit = value->negative ? 0x80000000U : 0x7fffffffU;
    if (value->kind != Kind::integer || value->magnitude > limit) {
      in.wrong(about.name, value, "a number of 32 bits");
      continue;
    }
    const auto magnitude = static_cast<std::int64_t>(value->magnitude);
    out.set(about.conf, static_cast<std::int32_t>(value->negative ? -magnitude : magnitude));
  }
  in.finish();
}

void JsonObject::conf(std::string_view key, ConfValues& out) {
  conf_values(key, conf_table(), out);
}

void JsonObject::conf(std::string_view key, Conf6Values& out) {
  conf_values(key, conf6_table(), out);
}

}  // namespace retour
