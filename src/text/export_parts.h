// SPDX-License-Identifier: Apache-2.0
//
// What the exports share: the words of refusal, and files that are the same for all of them.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/native.h"
#include "plan/raw_attributes.h"

namespace retour::native_text {

/// "# made by retour: retour export networkd", the first line of a file.
[[nodiscard]] std::string mark(std::string_view format);

/// What a program has no word for.
[[nodiscard]] tl::unexpected<Error> no_word(std::string_view format, std::string what);

/// What of a rule goes beyond source, destination, table and priority, and is none of `known`, as
/// `ip rule` calls it; absent: nothing. An action other than `lookup` is named as well.
enum class Selector : unsigned {
  none = 0,
  suppress = 1,
  mark = 2,
  device = 4,
  ports = 8,  ///< ports and protocol
  uid = 16,
  invert = 32,
  tos = 64,
};
[[nodiscard]] constexpr Selector operator|(Selector a, Selector b) {
  return static_cast<Selector>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] std::optional<std::string> beyond(const Rule& rule, Selector known);
/// The same of a route: other than unicast by one leg of its family, or dropping.
[[nodiscard]] std::optional<std::string> beyond(const Route& route);

/// The metrics of a route, none where it has none. `realms` and the like are beyond().
[[nodiscard]] std::vector<RouteMetric> metrics_of(const Route& route);

[[nodiscard]] std::string_view type_word(const Route& route);

/// A NIC's name is safe as a word of a shell, YAML or INI file, and as part of a file's name.
[[nodiscard]] bool is_plain(std::string_view name);
/// Every name that the files would hold is plain; else the error that says which is not.
[[nodiscard]] Result<void> check_names(std::string_view format, const Native& all);

/// /etc/sysctl.d/90-retour.conf, when the plan needs any.
void add_sysctls(std::string_view format, const Native& all, Export& out);

/// What is to be said of each export: what of it is in the kernel already, ...
void add_notes(const Native& all, Export& out);

}  // namespace retour::native_text
