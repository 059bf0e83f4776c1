// SPDX-License-Identifier: Apache-2.0
//
// Whether a host is still the one that a plan was made for, in 16 hexadecimal digits.
#pragma once

#include <string>

#include "model/snapshot.h"

namespace retour {

/// FNV-1a, 64 bit, of all that a plan rests on: links (index, name, MAC, up, carrier, gates),
/// addresses, routes, rules, and the gates of `all`. Not of what changes by itself: neighbours,
/// lifetimes, address detection, names of tables, what was measured. Stable between versions of
/// this program as far as the model is.
[[nodiscard]] std::string fingerprint(const Snapshot& host);

}  // namespace retour
