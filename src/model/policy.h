// SPDX-License-Identifier: Apache-2.0
//
// What the operator asked to be looked at and assumed. Every member has a sensible default.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip.h"

namespace retour {

/// Which links of one subnet hear each other's broadcasts.
enum class SegmentsFrom : std::uint8_t {
  snapshot,  ///< as measured; one segment where nobody measured
  flat,      ///< all on one segment, whatever was measured
  rails,     ///< each on its own
};

struct Policy {
  std::vector<Ip> peers;  ///< empty: one generic peer per shared subnet
  SegmentsFrom segments{SegmentsFrom::snapshot};
};

}  // namespace retour
