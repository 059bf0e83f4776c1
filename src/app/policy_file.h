// SPDX-License-Identifier: Apache-2.0
//
// What the operator wants: the policy file, and over it what the command line says.
#pragma once

#include "app/options.h"
#include "text/policy_reader.h"

namespace retour {

/// Peers and segments as the model wants them, for verbs that judge a packet or a wire and have no
/// use for the file. Errors: usage.
[[nodiscard]] Result<Policy> command_line_policy(const Options& options);

/// --policy FILE, else the host's retour.toml where there is one: in /etc/retour, of a named
/// namespace in /etc/netns/NAME/retour. Peers and segments of the command line come over it.
[[nodiscard]] Result<PolicyText> policy_of(const Options& options);

/// What only the host can tell: a peer cannot be one of its own addresses, and words for links must
/// mean some.
[[nodiscard]] Result<void> check_policy(const PolicyText& text, const Snapshot& host);

}  // namespace retour
