// SPDX-License-Identifier: Apache-2.0
//
// Driver and bus address of NICs, which no dump tells (SIOCETHTOOL, ETHTOOL_GDRVINFO).
#pragma once

#include <vector>

#include "model/objects.h"
#include "os/fd.h"

namespace retour {

class LinkDrivers {
 public:
  /// In the namespace of this thread, and stays there.
  LinkDrivers();
  /// Links that tell nothing keep empty words.
  void read(std::vector<Link>& links) const;

 private:
  Fd socket_;
};

}  // namespace retour
