// SPDX-License-Identifier: Apache-2.0
//
// Rules and routes as sections of a .network file (systemd.network(5), as of systemd 252).
#pragma once

#include <span>
#include <string>
#include <tl/expected.hpp>

#include "model/snapshot.h"

namespace retour::networkd_text {

/// What systemd-networkd has no word for.
template <class T>
using Said = tl::expected<T, std::string>;

/// A [Route] section, with the blank line before it.
[[nodiscard]] Said<std::string> route_section(const Snapshot& host, const Route& route,
                                              std::uint8_t protocol);
/// [Route] and [RoutingPolicyRule] sections of protocol static: they are the owner's now.
[[nodiscard]] Said<std::string> sections(const Snapshot& host, std::span<const Route> routes,
                                         std::span<const Rule> rules);

}  // namespace retour::networkd_text
