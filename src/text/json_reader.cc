// SPDX-License-Identifier: Apache-2.0
#include "text/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "text/printable.h"

namespace retour {
namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t deepest = 32;
constexpr std::size_t longest = std::size_t{256} << 20;

Error malformed(std::string_view text, std::size_t at, std::string_view file, std::string why) {
  const std::string_view before = text.substr(0, std::min(at, text.size()));
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto newline = before.rfind('\n');
  const auto column =
      1 + (newline == std::string_view::npos ? before.size() : before.size() - newline - 1);
  return Error{.kind = ErrorKind::parse,
               .errnum = 0,
               .doing = fmt::format("read {}:{}:{}", printable(file), line, column),
               .why = std::move(why),
               .hint = "the text is not valid JSON; is it complete?"};
}

/// Builds the tree from the library's events; the stack holds only ancestors, which do not move.
class Tree : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Tree(RepeatedKeys repeated) : repeated_(repeated) {}

  bool null() override { return add({}) != nullptr; }
  bool boolean(bool value) override {
    JsonValue out;
    out.kind = Kind::boolean;
    out.truth = value;
    return add(std::move(out)) != nullptr;
  }
  bool number_integer(number_integer_t value) override {
    const auto bits = static_cast<std::uint64_t>(value);
    return integer(value < 0, value < 0 ? ~bits + 1 : bits);
  }
  bool number_unsigned(number_unsigned_t value) override { return integer(false, value); }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    JsonValue out;
    out.kind = Kind::real;
    out.text = text;
    return add(std::move(out)) != nullptr;
  }
  bool string(string_t& value) override {
    JsonValue out;
    out.kind = Kind::string;
    out.text = std::move(value);
    return add(std::move(out)) != nullptr;
  }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*count*/) override { return open(Kind::object); }
  bool start_array(std::size_t /*count*/) override { return open(Kind::array); }
  bool end_object() override {
    if (repeated_ == RepeatedKeys::reject) {
      auto keys = stack_.back()->keys;
      std::ranges::sort(keys);
      const auto twice = std::ranges::adjacent_find(keys);
      if (twice != keys.end()) {
        refused = "the key \"" + printable(*twice) + "\" stands twice in one object";
        return false;
      }
    }
    return close();
  }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    stack_.back()->keys.push_back(std::move(value));
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) override {
    at = position == 0 ? 0 : position - 1;
    const std::string_view what = error.what();
    const auto colon = what.find(": ");
    refused = printable(colon == std::string_view::npos ? what : what.substr(colon + 2));
    return false;
  }

  JsonValue root;
  std::optional<std::size_t> at;  ///< of an error of syntax
  std::string refused;

 private:
  bool integer(bool negative, std::uint64_t magnitude) {
    JsonValue out;
    out.kind = Kind::integer;
    out.negative = negative;
    out.magnitude = magnitude;
    return add(std::move(out)) != nullptr;
  }
  JsonValue* add(JsonValue value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    return &stack_.back()->items.emplace_back(std::move(value));
  }
  bool open(Kind kind) {
    if (stack_.size() >= deepest) {
      refused = fmt::format("nested deeper than {} levels", deepest);
      return false;
    }
    JsonValue out;
    out.kind = kind;
    stack_.push_back(add(std::move(out)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  std::vector<JsonValue*> stack_;
  RepeatedKeys repeated_;
};

// The end of the array that begins at `begin`, or the end of the text when it does not end.
std::size_t end_of_array(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[') ++depth;
    if (c == ']' && --depth == 0) return at + 1;
  }
  return text.size();
}

Result<JsonValue> read_part(std::string_view whole, std::size_t begin, std::size_t end,
                            std::string_view file, RepeatedKeys repeated) {
  if (whole.size() > longest) {
    return fail(malformed(whole, 0, file, fmt::format("longer than {} bytes", longest)));
  }
  const std::string_view part = whole.substr(begin, end - begin);
  Tree tree(repeated);
  if (nlohmann::json::sax_parse(part.begin(), part.end(), &tree)) return std::move(tree.root);
  if (tree.at) return fail(malformed(whole, begin + *tree.at, file, std::move(tree.refused)));
  return fail(Error{.kind = ErrorKind::parse,
                    .errnum = 0,
                    .doing = "read " + printable(file),
                    .why = std::move(tree.refused),
                    .hint = ""});
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto it = std::ranges::find(keys, key);
  if (it == keys.end()) return nullptr;
  const auto index = static_cast<std::size_t>(it - keys.begin());
  return index < items.size() ? &items[index] : nullptr;
}

std::string_view JsonValue::kind_name() const {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
    case Kind::real:
      return "a number";
    case Kind::string:
      return "a string";
    case Kind::array:
      return "an array";
    case Kind::object:
      return "an object";
  }
  return "";
}

Result<JsonValue> read_json(std::string_view text, std::string_view file, RepeatedKeys repeated) {
  return read_part(text, 0, text.size(), file, repeated);
}

Result<std::vector<JsonValue>> read_json_arrays(std::string_view text, std::string_view file) {
  std::vector<JsonValue> elements;
  std::size_t at = text.find_first_not_of(" \t\r\n");
  while (at != std::string_view::npos && at < text.size()) {
    if (text[at] != '[') {
      return fail(malformed(text, at, file, "what follows the first array is not an array"));
    }
    const std::size_t end = end_of_array(text, at);
    auto array = read_part(text, at, end, file, RepeatedKeys::keep);
    if (!array) return fail(std::move(array.error()));
    std::ranges::move(array->items, std::back_inserter(elements));
    at = text.find_first_not_of(" \t\r\n", end);
  }
  return elements;
}

}  // namespace retour
