// SPDX-License-Identifier: Apache-2.0
//
// The value a sysctl had before retour changed it: what no kernel remembers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/conf.h"

namespace retour {

struct ConfRecord {
  std::string link_name;
  std::vector<std::uint8_t> mac;  ///< the NIC's identity; its name may change
  Conf conf{};
  std::int32_t original{};
  std::int32_t ours{};
  friend bool operator==(const ConfRecord&, const ConfRecord&) = default;
};

}  // namespace retour
