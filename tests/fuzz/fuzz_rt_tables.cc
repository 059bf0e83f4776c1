// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const NamedText named{"rt_tables", std::string(fuzz::text_of(data, size))};
  const auto names = read_rt_tables(named);
  if (!names) fuzz::check(names.error());
  ImportTexts texts;
  texts.rt_tables = named;
  texts.rule = NamedText{"rules", "5: from all lookup one\n6: from all lookup 7\n"};
  texts.route_tables = {{"one", {"routes", "10.0.0.0/24 dev eth0 scope link\n"}}};
  fuzz::check(import_texts(texts));
  return 0;
}
