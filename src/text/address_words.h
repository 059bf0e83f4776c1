// SPDX-License-Identifier: Apache-2.0
//
// What text and JSON of `ip addr` and `ip link` have in common: flags, groups and protocols by
// name. Private to their readers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/import_parts.h"

namespace retour {

/// Every address has it unless it is `dynamic`.
inline constexpr std::uint32_t ifa_permanent = 0x80;

/// The flags between `<` and `>`, one by one.
class LinkFlags {
 public:
  /// False: a flag of no known name.
  [[nodiscard]] bool add(std::string_view name);
  [[nodiscard]] std::uint32_t bits() const;

 private:
  std::uint32_t bits_{};
  bool no_carrier_{};
};

/// A flag as iproute2 prints it; false when it is none.
[[nodiscard]] bool add_address_flag(Address& address, std::string_view name);
/// A device group by name or number; an unknown name gives 0 and a note.
[[nodiscard]] std::uint32_t read_group(std::string_view text, const Where& where, Notes& notes);
/// IFAPROT_*, as rt_addrprotos ships.
[[nodiscard]] Words address_protocol_words();

/// One element of `ip -j addr` or `ip -j link`.
[[nodiscard]] std::optional<Error> read_link_object(const JsonValue& object, const Where& where,
                                                    Notes& notes, ImportedLinks& out);

}  // namespace retour
