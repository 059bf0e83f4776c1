// SPDX-License-Identifier: Apache-2.0
//
// How text for a terminal looks: colour only when asked for, columns of equal width, and never a
// byte that a terminal would obey.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace retour {

enum class Ink : unsigned char { plain, bold, dim, red, green, yellow };

class Style {
 public:
  explicit Style(bool color) : color_(color) {}
  [[nodiscard]] std::string paint(Ink ink, std::string_view text) const;

 private:
  bool color_;
};

/// Rows of cells; columns as wide as their widest cell, two spaces between, no trailing blanks.
class Table {
 public:
  struct Cell {
    std::string text;
    Ink ink{Ink::plain};
  };
  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string str(const Style& style, std::string_view indent = "  ") const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

/// Breaks at blanks so that no line is longer than `width`; further lines are indented.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t indent, std::size_t width = 80);

/// Code points of UTF-8 text: what it takes in columns on a terminal, near enough.
[[nodiscard]] std::size_t columns(std::string_view text);

}  // namespace retour
