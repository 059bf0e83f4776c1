// SPDX-License-Identifier: Apache-2.0
#include "text/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace retour {
namespace {

struct CodePoint {
  std::uint32_t value{};
  std::size_t size{};  ///< bytes; 0 = not UTF-8 here
};

std::uint32_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// REQUIRES: text is not empty. Strict: no overlong form, no surrogate, nothing above U+10FFFF.
CodePoint decode(std::string_view text) {
  const std::uint32_t lead = byte_at(text, 0);
  if (lead < 0x80) return {lead, 1};
  std::size_t size = 0;
  std::uint32_t least = 0;
  if ((lead & 0xe0) == 0xc0) {
    size = 2;
    least = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3;
    least = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4;
    least = 0x10000;
  }
  if (size == 0 || text.size() < size) return {};
  std::uint32_t value = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const std::uint32_t next = byte_at(text, i);
    if ((next & 0xc0) != 0x80) return {};
    value = (value << 6) | (next & 0x3f);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < least || surrogate || value > 0x10ffff) return {};
  return {value, size};
}

// What changes how other text is shown, or shows as nothing at all.
bool deceives(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe0fff);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text.substr(at));
    if (c.size == 0 || (c.size == 1 && deceives(c.value))) {
      out += fmt::format("\\x{:02x}", byte_at(text, at));
      ++at;
      continue;
    }
    if (deceives(c.value)) {
      out += fmt::format("\\u{{{:x}}}", c.value);
    } else {
      out += text.substr(at, c.size);
    }
    at += c.size;
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text.substr(at));
    const std::size_t size = c.size == 0 ? 1 : c.size;
    if (c.value == '\\') {
      out += "\\\\";
    } else if (c.size == 0 || deceives(c.value)) {
      for (std::size_t i = 0; i < size; ++i) out += fmt::format("\\x{:02x}", byte_at(text, at + i));
    } else {
      out += text.substr(at, size);
    }
    at += size;
  }
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    const std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('\\')) {
      out += '\\';
      at += 1;
      continue;
    }
    if (rest.size() < 3 || rest[0] != 'x') return std::nullopt;
    const auto high = hex_digit(rest[1]);
    const auto low = hex_digit(rest[2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    at += 3;
  }
  return out;
}

}  // namespace retour
