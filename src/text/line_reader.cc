// SPDX-License-Identifier: Apache-2.0
#include "text/line_reader.h"

#include <fmt/format.h>

#include "text/printable.h"

namespace retour {
namespace {

// A word of the message, not the message: pasted text can be anything, of any length.
std::string quoted(std::string_view text) {
  constexpr std::size_t longest = 60;
  if (text.size() <= longest) return "\"" + printable(text) + "\"";
  return "\"" + printable(text.substr(0, longest)) + "…\"";
}

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

Line split_words(std::string_view text, std::size_t number) {
  Line line;
  line.number = number;
  std::size_t at = 0;
  for (; at < text.size() && blank(text[at]); ++at) line.indent += text[at] == '\t' ? 8U : 1U;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && !blank(text[end])) ++end;
    line.words.push_back({text.substr(at, end - at), number});
    for (at = end; at < text.size() && blank(text[at]);) ++at;
  }
  return line;
}

// A backslash before white space: no name holds white space, so none is cut in two.
std::size_t line_break(std::string_view text) {
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] == '\\' && blank(text[at + 1])) return at;
  }
  return std::string_view::npos;
}

}  // namespace

std::string Where::str() const {
  std::string name = printable(*file);
  if (number == 0 && !element) return name;
  return element ? fmt::format("{} [{}]", name, number) : fmt::format("{}:{}", name, number);
}

Error parse_error(const Where& where, std::string_view found, std::string_view expected) {
  return input_error(where, found.empty() ? "ends too early" : quoted(found) + " is unexpected",
                     fmt::format("expected {}", expected));
}

Error input_error(const Where& where, std::string why, std::string hint) {
  return Error{.kind = ErrorKind::parse,
               .errnum = 0,
               .doing = "read " + where.str(),
               .why = std::move(why),
               .hint = std::move(hint)};
}

std::vector<Line> split_lines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    while (!rest.empty()) {
      const auto stop = line_break(rest);
      Line line = split_words(rest.substr(0, stop), number);
      if (!line.words.empty()) lines.push_back(std::move(line));
      rest = stop == std::string_view::npos ? std::string_view{} : rest.substr(stop + 1);
    }
  }
  return lines;
}

bool is_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '[';
}

std::string_view Cursor::take() {
  if (done()) return {};
  return (*tokens_)[at_++].text;
}

bool Cursor::take_if(std::string_view word) {
  if (done() || peek() != word) return false;
  ++at_;
  return true;
}

std::string_view Cursor::value(std::string_view expected) {
  if (error_) return {};
  if (at_ >= tokens_->size()) fail("", expected);
  return take();
}

std::uint64_t Cursor::number(std::string_view expected, std::uint64_t max) {
  const std::string_view text = value(expected);
  const auto number = parse_number(text, max);
  if (!number) fail(text, expected);
  return number.value_or(0);
}

std::uint32_t Cursor::word(Words words, std::string_view expected, std::uint32_t max) {
  const std::string_view text = value(expected);
  const auto number = parse_word(words, text, max);
  if (!number) fail(text, expected);
  return number.value_or(0);
}

Ip Cursor::ip(std::string_view expected) {
  const std::string_view text = value(expected);
  const auto ip = Ip::parse(text);
  if (!ip) fail(text, expected);
  return ip.value_or(Ip{});
}

Prefix Cursor::prefix(std::string_view expected) {
  const std::string_view text = value(expected);
  const auto prefix = Prefix::parse(text);
  if (!prefix || prefix->network() != *prefix) fail(text, expected);
  return prefix.value_or(Prefix{});
}

std::vector<std::uint8_t> Cursor::mac(std::string_view expected) {
  const std::string_view text = value(expected);
  auto mac = parse_mac(text);
  if (!mac) fail(text, expected);
  return mac.value_or(std::vector<std::uint8_t>{});
}

std::string Cursor::device() {
  const std::string_view name = value("a device name");
  if (!is_link_name(name)) fail(name, "a device name, 1 to 15 bytes without '/'");
  return std::string(name);
}

void Cursor::fail(std::string_view found, std::string_view expected) {
  fail(parse_error(where(), found, expected));
}

void Cursor::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Where Cursor::where() const {
  if (element_) return {file_, *element_, true};
  if (tokens_->empty()) return {file_, 0, false};
  return {file_, (*tokens_)[at_ == 0 ? 0 : at_ - 1].line, false};
}

}  // namespace retour
