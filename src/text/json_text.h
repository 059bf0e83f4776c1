// SPDX-License-Identifier: Apache-2.0
//
// JSON written straight into a string, for what is too much to build as a tree first. Values end in
// a comma, which the closing of their object or list takes away.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

namespace retour {

class JsonText {
 public:
  /// REQUIRES: `out` outlives it.
  explicit JsonText(std::string& out) : out_(out) {}

  void key(std::string_view name) { raw("\"").raw(name).raw("\":"); }
  void open(char bracket) { out_ += bracket; }
  void close(char bracket) {
    if (out_.ends_with(',')) out_.pop_back();
    out_ += bracket;
    out_ += ',';
  }
  void null() { raw("null,"); }
  void value(bool value) { raw(value ? "true," : "false,"); }
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) void value(T value) {
    fmt::format_to(std::back_inserter(out_), "{},", value);
  }
  /// REQUIRES: valid UTF-8.
  void value(std::string_view text) {
    out_ += '"';
    if (text.find_first_of("\"\\") == std::string_view::npos) {
      out_ += text;
    } else {
      for (const char c : text) {
        if (c == '"' || c == '\\') out_ += '\\';
        out_ += c;
      }
    }
    raw("\",");
  }
  void value(const char* text) { value(std::string_view(text)); }
  template <class T>
  void field(std::string_view name, const T& content) {
    key(name);
    value(content);
  }
  /// A whole document: the last comma goes, a newline comes.
  void end_line() {
    if (out_.ends_with(',')) out_.pop_back();
    out_ += '\n';
  }

 private:
  JsonText& raw(std::string_view text) {
    out_ += text;
    return *this;
  }

  std::string& out_;
};

}  // namespace retour
