// SPDX-License-Identifier: Apache-2.0
//
// Route metrics and realms in the words of print_route(), made into the attributes that the
// kernel's own dump has, byte for byte: a host read from text is the host read from the kernel.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/objects.h"
#include "text/import_parts.h"
#include "text/line_reader.h"

namespace retour {

/// A number as netlink has it: in the order of this machine.
template <class T>
[[nodiscard]] RawAttribute number_attribute(std::uint16_t type, T number) {
  RawAttribute out{type, std::vector<std::uint8_t>(sizeof(number))};
  std::memcpy(out.data.data(), &number, sizeof(number));
  return out;
}

/// "4/5", "5" or names of rt_realms; nothing when a name has no known number.
[[nodiscard]] std::optional<RawAttribute> read_realms(std::string_view text);

class RouteAttributes {
 public:
  /// Takes one metric, `realm` or `realms` with its value, when one stands next. Realms of unknown
  /// names are noted.
  [[nodiscard]] bool take(Cursor& in, Notes& notes);
  /// In the order of the kernel's dump: metrics, then realms.
  [[nodiscard]] std::vector<RawAttribute> attributes() const;

 private:
  void metric(std::size_t type, Cursor& in);

  std::map<std::size_t, std::uint32_t> numbers_;
  std::string congctl_;
  std::optional<RawAttribute> realms_;
};

}  // namespace retour
