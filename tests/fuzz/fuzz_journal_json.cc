// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"
#include "text/journal_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto read = journal_from_json(fuzz::text_of(data, size), "input");
  if (!read) {
    fuzz::check(read.error());
    return 0;
  }
  const std::string written = to_json(*read);
  const auto again = journal_from_json(written, "again");
  fuzz::require(again.has_value(), "what we write we can read");
  fuzz::require(to_json(*again) == written, "one entry, one text");
  return 0;
}
