// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace retour {

/// RT_SCOPE_*: wider is smaller.
using Scope = std::uint8_t;
inline constexpr Scope scope_global = 0;
inline constexpr Scope scope_site = 200;
inline constexpr Scope scope_link = 253;
inline constexpr Scope scope_host = 254;
inline constexpr Scope scope_nowhere = 255;

}  // namespace retour
