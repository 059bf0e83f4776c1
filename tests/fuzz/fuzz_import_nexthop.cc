// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  ImportTexts texts;
  texts.nexthop = NamedText{"nexthops", std::string(fuzz::text_of(data, size))};
  fuzz::check(import_texts(texts));
  texts.route = NamedText{"routes", "10.5.0.0/16 nhid 1 via 10.0.0.9 dev eth0\nfd00::/16 nhid 3\n"};
  fuzz::check(import_texts(texts));
  return 0;
}
