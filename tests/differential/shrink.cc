// SPDX-License-Identifier: Apache-2.0
#include "differential/shrink.h"

#include <algorithm>

namespace retour::differential {
namespace {

/// Delta debugging: leaves out ever smaller runs of lines.
bool drop_lines(Case& smallest, const StillFails& fails) {
  bool any = false;
  for (std::size_t run = std::max<std::size_t>(smallest.script.size() / 2, 1);; run /= 2) {
    bool dropped = false;
    // From the end: what depends on other lines stands behind them.
    for (std::size_t end = smallest.script.size(); end > 0;) {
      const std::size_t begin = end > run ? end - run : 0;
      Case smaller = smallest;
      smaller.script.erase(smaller.script.begin() + static_cast<std::ptrdiff_t>(begin),
                           smaller.script.begin() + static_cast<std::ptrdiff_t>(end));
      if (fails(smaller)) {
        smallest = std::move(smaller);
        dropped = true;
      }
      end = begin;
    }
    any = any || dropped;
    if (run == 1) {
      if (!dropped) return any;
      run = 2;  // once more, one by one
    }
  }
}

void simplify(Case& smallest, const StillFails& fails) {
  const auto attempt = [&](auto change) {
    Case simpler = smallest;
    change(simpler.query);
    if (fails(simpler)) smallest = std::move(simpler);
  };
  attempt([](Query& query) { query.flow.mark = 0; });
  attempt([](Query& query) { query.flow.tos = 0; });
  attempt([](Query& query) { query.flow.uid = 0; });
  attempt([](Query& query) { query.flow.sport = 0; });
  attempt([](Query& query) { query.flow.dport = 0; });
  attempt([](Query& query) { query.flow.ip_proto = 0; });
  attempt([](Query& query) { query.oif.clear(); });
  if (smallest.query.iif.empty()) {
    attempt([](Query& query) { query.flow.src = Ip(query.flow.dst.family(), 0); });
  }
}

/// Leaves out one or two words of a line, behind the first two ("route add").
bool drop_words(Case& smallest, const StillFails& fails) {
  bool any = false;
  for (std::size_t i = 0; i < smallest.script.size(); ++i) {
    // A link without its name would get another, and other lines mean the name.
    const bool link = smallest.script[i].text.starts_with("link ");
    if (link || smallest.script[i].kind == LineKind::sysctl) continue;
    for (std::size_t count = 2; count > 0; --count) {
      for (std::size_t from = 2;;) {
        const std::string& text = smallest.script[i].text;
        std::size_t begin = 0;
        for (std::size_t word = 0; word < from && begin != std::string::npos; ++word) {
          begin = text.find(' ', begin + (word == 0 ? 0 : 1));
        }
        if (begin == std::string::npos) break;
        std::size_t end = begin;
        for (std::size_t word = 0; word < count && end != std::string::npos; ++word) {
          end = text.find(' ', end + 1);
        }
        Case smaller = smallest;
        smaller.script[i].text =
            text.substr(0, begin) + (end == std::string::npos ? "" : text.substr(end));
        if (fails(smaller)) {
          smallest = std::move(smaller);
          any = true;
        } else {
          ++from;
        }
        if (end == std::string::npos) break;
      }
    }
  }
  return any;
}

}  // namespace

Case shrink(Case whole, const StillFails& fails) {
  Case smallest = std::move(whole);
  drop_lines(smallest, fails);
  simplify(smallest, fails);
  drop_words(smallest, fails);
  drop_lines(smallest, fails);
  return smallest;
}

}  // namespace retour::differential
