// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"
#include "text/query_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  static const Snapshot host = [] {
    Snapshot made;
    for (const char* name : {"lo", "eth0", "eth1"}) {
      Link link;
      link.index = IfIndex{static_cast<std::uint32_t>(made.links.size() + 1)};
      link.name = name;
      made.links.push_back(link);
    }
    return made;
  }();
  std::vector<std::string_view> words;
  std::string_view text = fuzz::text_of(data, size);
  while (!text.empty()) {
    const auto end = text.find('\n');
    split_query(text.substr(0, end), words);
    const auto query = read_query(words, host, 0);
    if (!query) {
      fuzz::check(query.error());
      fuzz::require(query.error().message().size() < 400, "an error is short");
    } else {
      const Flow& flow = query->flow;
      fuzz::require(flow.src.family() == flow.dst.family(), "one family");
      fuzz::require(!flow.iif || host.link(*flow.iif) != nullptr, "a link that is there");
      fuzz::require(!flow.oif || host.link(*flow.oif) != nullptr, "a link that is there");
      fuzz::require(flow.flowlabel <= 0xfffff, "20 bits");
    }
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return 0;
}
