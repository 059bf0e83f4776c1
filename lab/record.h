// SPDX-License-Identifier: Apache-2.0
//
// What a lab put on the machine, written down before it is made: /run/retour-lab/NAME, and for
// each host /etc/netns/NS/iproute2, so that table names of a lab host stay with it. A removal goes
// by the record alone; what no record names is not ours.
#pragma once

#include <optional>
#include <string>

#include "lab/lab.h"

namespace retour {

/// Claims the name and makes the directories. An error if the lab, a namespace or an /etc/netns
/// directory of such a name exists already; nothing is left behind then.
[[nodiscard]] Result<void> make_record(const Lab& lab);

/// Nothing if there is no such lab.
[[nodiscard]] Result<std::optional<LabOptions>> read_record(const std::string& name);

/// Directories first, the record last. With the last lab go the common directories we made.
[[nodiscard]] Result<void> remove_record(const Lab& lab);

[[nodiscard]] bool netns_exists(const std::string& netns);

}  // namespace retour
