// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  // What is before the first zero byte as `ip link`, what is after it as `ip addr` beside it.
  const auto zero = text.find('\0');
  ImportTexts texts;
  texts.link = NamedText{"links", std::string(text.substr(0, zero))};
  if (zero != std::string_view::npos) {
    texts.addr = NamedText{"addresses", std::string(text.substr(zero + 1))};
  }
  fuzz::check(import_texts(texts));
  return 0;
}
