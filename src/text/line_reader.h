// SPDX-License-Identifier: Apache-2.0
//
// Pasted text as lines of words, and a cursor over the words of one object. Errors are sticky: the
// first one stays, the cursor is at its end from then on, and the parser runs out by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "text/import.h"
#include "text/import_words.h"

namespace retour {

/// A line of a file, or an element of a JSON array; line 0: the file as a whole.
struct Where {
  const std::string* file{};
  std::size_t number{};
  bool element{};
  [[nodiscard]] std::string str() const;  ///< "rules.txt:3" or "rules.json [3]", printable
};

/// A parse error at a place; `found` is quoted and made printable.
[[nodiscard]] Error parse_error(const Where& where, std::string_view found,
                                std::string_view expected);
/// A parse error in words of its own.
[[nodiscard]] Error input_error(const Where& where, std::string why, std::string hint);

struct Token {
  std::string_view text;
  std::size_t line{};
};

struct Line {
  std::size_t number{};
  std::size_t indent{};  ///< a tab counts as eight
  std::vector<Token> words;
};

/// Non-blank lines. The backslash with which `ip -o` joins lines parts them again.
[[nodiscard]] std::vector<Line> split_lines(std::string_view text);

[[nodiscard]] bool is_json(std::string_view text);

class Cursor {
 public:
  /// REQUIRES: file and tokens outlive the cursor. `element`: the tokens come from that element.
  Cursor(const std::string& file, const std::vector<Token>& tokens,
         std::optional<std::size_t> element = std::nullopt)
      : file_(&file), tokens_(&tokens), element_(element) {}

  [[nodiscard]] bool done() const { return error_ || at_ >= tokens_->size(); }
  /// Empty at the end.
  [[nodiscard]] std::string_view peek() const { return done() ? "" : (*tokens_)[at_].text; }
  std::string_view take();
  /// Takes the next word if it is this one.
  bool take_if(std::string_view word);
  /// The next word; at the end, an error.
  std::string_view value(std::string_view expected);

  std::uint64_t number(std::string_view expected, std::uint64_t max);
  std::uint32_t word(Words words, std::string_view expected, std::uint32_t max);
  Ip ip(std::string_view expected);
  /// No address bit beyond the length.
  Prefix prefix(std::string_view expected);
  std::vector<std::uint8_t> mac(std::string_view expected);
  std::string device();

  void fail(std::string_view found, std::string_view expected);
  void fail(Error error);
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  /// Of the word taken last.
  [[nodiscard]] Where where() const;

 private:
  const std::string* file_;
  const std::vector<Token>* tokens_;
  std::optional<std::size_t> element_;
  std::size_t at_{};
  std::optional<Error> error_;
};

}  // namespace retour
