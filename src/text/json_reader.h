// SPDX-License-Identifier: Apache-2.0
//
// A JSON document as a tree of plain values, from text nobody vouches for: bounded in depth and
// size, errors with line and column, nothing thrown. The JSON library stays behind it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace retour {

struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, integer, real, string, array, object };
  Kind kind{Kind::null};
  bool truth{};
  bool negative{};                ///< of an integer
  std::uint64_t magnitude{};      ///< of an integer
  std::string text;               ///< of a string, as it stands in the document
  std::vector<std::string> keys;  ///< of an object, beside items
  std::vector<JsonValue> items;

  /// The first of that key; nullptr when there is none.
  [[nodiscard]] const JsonValue* find(std::string_view key) const;
  [[nodiscard]] std::string_view kind_name() const;
};

/// iproute2 itself repeats keys in one object (`dst` of a route with encap); ours never does.
enum class RepeatedKeys : std::uint8_t { reject, keep };

/// One document, nothing after it.
[[nodiscard]] Result<JsonValue> read_json(std::string_view text, std::string_view file,
                                          RepeatedKeys repeated);

/// The elements of one or several arrays that follow one another, as `ip -j` prints them.
[[nodiscard]] Result<std::vector<JsonValue>> read_json_arrays(std::string_view text,
                                                              std::string_view file);

}  // namespace retour
