// SPDX-License-Identifier: Apache-2.0
//
// The SSH session that this program was called from, as sshd tells it in the environment.
#pragma once

#include <vector>

#include "model/connection.h"
#include "model/snapshot.h"

namespace retour {

/// Says of one of `connections` that it is the operator's (SSH_CONNECTION, else SSH_CLIENT). One
/// to an address of `host` that is not among them is put there: rather one too many than the one
/// that matters missing.
void find_operator(const Snapshot& host, std::vector<Connection>& connections);

}  // namespace retour
