// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"
#include "text/policy_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const auto read = policy_from_toml(fuzz::text_of(data, size), "input");
  if (!read) {
    fuzz::check(read.error());
    return 0;
  }
  const Policy& policy = read->policy;
  for (const auto& range : {policy.tables, policy.priorities}) {
    if (range) fuzz::require(range->first > 0 && range->first <= range->last, "a range is one");
  }
  for (const FabricPrefix& fabric : policy.fabrics) {
    fuzz::require(fabric.prefix.network() == fabric.prefix, "a network");
    for (const Ip& ip : fabric.gateways) {
      fuzz::require(ip.family() == fabric.prefix.family(), "gateways of the family");
    }
  }
  for (const auto& word : read->words) fuzz::require(word.line > 0, "every word has its line");
  return 0;
}
