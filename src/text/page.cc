// SPDX-License-Identifier: Apache-2.0
#include "text/page.h"

namespace retour {

namespace {

constexpr std::size_t margin = 9;  // of the labels

}  // namespace

bool Page::fits(std::string_view text) { return margin + columns(text) <= 80; }

void Page::line(std::string_view text, std::size_t indent, Ink ink, std::size_t hang) {
  const std::size_t start = margin + indent;
  std::string body = wrap(text, start);
  if (const auto end = body.find('\n'); end != std::string::npos && hang > 0) {
    const std::string rest(text.substr(text.find_first_not_of(' ', end)));
    body.resize(end);
    body += "\n" + std::string(start + hang, ' ') + wrap(rest, start + hang);
  }
  const std::string gap(start - label_.size(), ' ');
  out_ += style_.paint(Ink::dim, label_) + gap + style_.paint(ink, body) + "\n";
  label_.clear();
}

}  // namespace retour
