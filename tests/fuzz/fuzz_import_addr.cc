// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  ImportTexts texts;
  texts.addr = NamedText{"addresses", std::string(text)};
  fuzz::check(import_texts(texts));
  // What is before the first zero byte as links, what is after it as neighbours.
  const auto zero = text.find('\0');
  if (zero == std::string_view::npos) return 0;
  texts.addr->text = text.substr(0, zero);
  texts.neigh = NamedText{"neighbours", std::string(text.substr(zero + 1))};
  fuzz::check(import_texts(texts));
  return 0;
}
