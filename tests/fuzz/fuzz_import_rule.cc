// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  ImportTexts texts;
  texts.rule = NamedText{"rules", std::string(text)};
  texts.rt_tables = NamedText{"tables", "200 table0\n201 table1\n"};
  fuzz::check(import_texts(texts));
  return 0;
}
