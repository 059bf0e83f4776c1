// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  ImportTexts texts;
  texts.route =
      NamedText{"routes", "10.0.0.0/24 dev eth0.100 proto kernel scope link src 10.0.0.1\n"};
  texts.sysctl = NamedText{"sysctls", std::string(fuzz::text_of(data, size))};
  fuzz::check(import_texts(texts));
  return 0;
}
