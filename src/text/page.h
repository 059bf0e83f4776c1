// SPDX-License-Identifier: Apache-2.0
//
// Text behind labels, 80 columns wide: a narrow column says what a paragraph is about, once, and
// long lines go on below themselves, indented a little more.
#pragma once

#include <string>
#include <string_view>

#include "text/style.h"

namespace retour {

class Page {
 public:
  /// REQUIRES: `style` outlives the page.
  explicit Page(const Style& style) : style_(style) {}

  /// Of the next line.
  void label(std::string_view label) { label_ = label; }
  /// Its further lines hang `hang` columns deeper.
  void line(std::string_view text, std::size_t indent = 0, Ink ink = Ink::plain,
            std::size_t hang = 2);
  /// On one line, without an indent.
  [[nodiscard]] static bool fits(std::string_view text);
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  const Style& style_;
  std::string label_;
  std::string out_;
};

}  // namespace retour
