// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  ImportTexts texts;
  texts.neigh = NamedText{"neighbours", std::string(fuzz::text_of(data, size))};
  fuzz::check(import_texts(texts));
  return 0;
}
