// SPDX-License-Identifier: Apache-2.0
#include "plan/words.h"

#include <algorithm>
#include <array>

namespace retour {

Words scope_words() {
  static constexpr std::array<Word, 5> words{
      {{"global", 0}, {"site", 200}, {"link", 253}, {"host", 254}, {"nowhere", 255}}};
  return words;
}

Words route_type_words() {
  static constexpr std::array<Word, 12> words{{{"none", 0},
                                               {"unicast", 1},
                                               {"local", 2},
                                               {"broadcast", 3},
                                               {"anycast", 4},
                                               {"multicast", 5},
                                               {"blackhole", 6},
                                               {"unreachable", 7},
                                               {"prohibit", 8},
                                               {"throw", 9},
                                               {"nat", 10},
                                               {"xresolve", 11}}};
  return words;
}

std::optional<std::uint32_t> value_of(Words words, std::string_view name) {
  const auto it = std::ranges::find(words, name, &Word::name);
  if (it == words.end()) return std::nullopt;
  return it->value;
}

std::optional<std::string_view> name_of(Words words, std::uint32_t value) {
  const auto it = std::ranges::find(words, value, &Word::value);
  if (it == words.end()) return std::nullopt;
  return it->name;
}

}  // namespace retour
