// SPDX-License-Identifier: Apache-2.0
//
// One JSON object read field by field into the fields of a struct. The first error stays and names
// the path to the value ("routes[3].dst"); a field nobody asked for is an error too, for a
// misspelt one would otherwise be lost in silence. For the readers of our own documents.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.h"
#include "text/import_words.h"
#include "text/json_reader.h"

namespace retour {

/// A chain of stack frames; written out only for an error.
struct JsonPath {
  const JsonPath* up{};
  std::string_view key;
  std::optional<std::size_t> index;
  [[nodiscard]] std::string str() const;
};

/// The first error of a document.
struct JsonProblem {
  std::string file;
  std::optional<Error> error;
  void wrong(const JsonPath& path, const JsonValue* found, std::string_view expected);
};

class JsonObject {
 public:
  /// REQUIRES: all three outlive this.
  JsonObject(const JsonValue& value, const JsonPath& path, JsonProblem& problem);

  /// The value of a field, or nothing; the field counts as known.
  const JsonValue* field(std::string_view key);
  const JsonValue* required(std::string_view key, std::string_view expected);
  void wrong(std::string_view key, const JsonValue* found, std::string_view expected);

  template <class T>
  void number(std::string_view key, T& out) {
    if (const JsonValue* value = field(key)) {
      out = static_cast<T>(unsigned_value(key, *value, std::numeric_limits<T>::max()));
    }
  }
  template <class T>
  void optional_number(std::string_view key, std::optional<T>& out) {
    if (field(key) != nullptr) number(key, out.emplace());
  }
  template <class T>
  void word(std::string_view key, Words words, T& out) {
    if (const JsonValue* value = field(key)) {
      out = static_cast<T>(word_value(key, *value, words, std::numeric_limits<T>::max()));
    }
  }
  template <class T>
  void bits(std::string_view key, Words words, T& out) {
    if (const JsonValue* value = field(key)) {
      out = static_cast<T>(bits_value(key, *value, words, std::numeric_limits<T>::max()));
    }
  }
  template <class T>
  void range(std::string_view key, std::optional<std::pair<T, T>>& out) {
    const auto bounds = range_value(key, std::numeric_limits<T>::max());
    if (bounds) out = {static_cast<T>(bounds->first), static_cast<T>(bounds->second)};
  }
  void flag(std::string_view key, bool& out);
  void optional_flag(std::string_view key, std::optional<bool>& out);
  void text(std::string_view key, std::string& out);
  void mac(std::string_view key, std::vector<std::uint8_t>& out);
  void ip(std::string_view key, std::optional<Ip>& out);
  void prefix(std::string_view key, std::optional<Prefix>& out);
  void family(std::string_view key, Family& out);
  void raw(std::string_view key, std::vector<RawAttribute>& out);
  void conf(std::string_view key, ConfValues& out);
  void conf(std::string_view key, Conf6Values& out);

  /// Calls read(element, path) for each element of an array.
  template <class Read>
  void each(std::string_view key, Read read) {
    const JsonValue* array = field(key);
    if (array == nullptr) return;
    if (array->kind != JsonValue::Kind::array) return wrong(key, array, "an array");
    const JsonPath here = path(key);
    for (std::size_t i = 0; i < array->items.size() && !problem_->error; ++i) {
      read(array->items[i], JsonPath{&here, {}, i});
    }
  }
  /// Fields nobody asked for are errors.
  void finish();
  [[nodiscard]] JsonPath path(std::string_view key) const { return {path_, key, std::nullopt}; }

 private:
  std::uint64_t unsigned_value(std::string_view key, const JsonValue& value, std::uint64_t max);
  std::uint32_t word_value(std::string_view key, const JsonValue& value, Words words,
                           std::uint32_t max);
  std::uint32_t bits_value(std::string_view key, const JsonValue& value, Words words,
                           std::uint32_t max);
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range_value(std::string_view key,
                                                                     std::uint64_t max);
  const JsonValue* string_field(std::string_view key);
  template <class Table, class Values>
  void conf_values(std::string_view key, const Table& table, Values& out);

  const JsonValue* value_;
  const JsonPath* path_;
  JsonProblem* problem_;
  std::vector<std::string_view> known_;
};

/// As snapshot_from_json(), of a value inside a document, and contradictions are taken: a list of
/// objects need not be a host.
[[nodiscard]] Result<Snapshot> snapshot_from_value(const JsonValue& value, std::string_view file);

}  // namespace retour
