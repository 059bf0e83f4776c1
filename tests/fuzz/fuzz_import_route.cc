// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  ImportTexts texts;
  texts.route = NamedText{"routes", std::string(text)};
  fuzz::check(import_texts(texts));
  return 0;
}
