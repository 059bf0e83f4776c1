// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  // What is before the first zero byte as `ip route`, what is after it as `ip route show table
  // 200`.
  const auto zero = text.find('\0');
  ImportTexts texts;
  texts.route = NamedText{"routes", std::string(text.substr(0, zero))};
  if (zero != std::string_view::npos) {
    texts.route_tables = {{"200", {"table 200", std::string(text.substr(zero + 1))}}};
  }
  fuzz::check(import_texts(texts));
  return 0;
}
