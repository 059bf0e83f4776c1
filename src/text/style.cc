// SPDX-License-Identifier: Apache-2.0
#include "text/style.h"

#include <algorithm>

namespace retour {

std::string Style::paint(Ink ink, std::string_view text) const {
  if (!color_ || ink == Ink::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (ink) {
    case Ink::plain:
      break;
    case Ink::bold:
      code = "\x1b[1m";
      break;
    case Ink::dim:
      code = "\x1b[2m";
      break;
    case Ink::red:
      code = "\x1b[1;31m";
      break;
    case Ink::green:
      code = "\x1b[32m";
      break;
    case Ink::yellow:
      code = "\x1b[33m";
      break;
  }
  return std::string(code) + std::string(text) + "\x1b[0m";
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string Table::str(const Style& style, std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& cells : rows_) {
    widths.resize(std::max(widths.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], columns(cells[i].text));
    }
  }
  std::string out;
  for (const auto& cells : rows_) {
    std::string line(indent);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      line += style.paint(cells[i].ink, cells[i].text);
      const bool last = std::all_of(cells.begin() + static_cast<std::ptrdiff_t>(i) + 1, cells.end(),
                                    [](const Cell& cell) { return cell.text.empty(); });
      if (last) break;
      line.append(widths[i] - columns(cells[i].text) + 2, ' ');
    }
    out += line + "\n";
  }
  return out;
}

std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const auto blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    const std::size_t size = columns(word);
    if (column > indent && column + 1 + size > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += size;
    text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
  }
  return out;
}

}  // namespace retour
