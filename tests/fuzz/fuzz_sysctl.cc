// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto text = fuzz::text_of(data, size);
  const NamedText named{"input", std::string(text)};
  const auto names = read_rt_tables(named);
  if (!names) fuzz::check(names.error());
  ImportTexts texts;
  texts.route =
      NamedText{"routes", "10.0.0.0/24 dev eth0.100 proto kernel scope link src 10.0.0.1\n"};
  texts.sysctl = named;
  if (names) texts.rt_tables = named;
  fuzz::check(import_texts(texts));
  return 0;
}
