// SPDX-License-Identifier: Apache-2.0
//
// Words that iproute2 and the kernel use for numbers, both ways: those that more than the readers
// of text need.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace retour {

struct Word {
  std::string_view name;
  std::uint32_t value{};
};
using Words = std::span<const Word>;

[[nodiscard]] Words scope_words();       ///< RT_SCOPE_*
[[nodiscard]] Words route_type_words();  ///< RTN_*

[[nodiscard]] std::optional<std::uint32_t> value_of(Words words, std::string_view name);
[[nodiscard]] std::optional<std::string_view> name_of(Words words, std::uint32_t value);

}  // namespace retour
