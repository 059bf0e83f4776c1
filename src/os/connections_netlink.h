// SPDX-License-Identifier: Apache-2.0
//
// Connections by NETLINK_SOCK_DIAG, as `ss` reads them. /proc/net/tcp shows a table that changes
// between two reads of it, and no mark.
#pragma once

#include <memory>

#include "os/netlink.h"
#include "port/open_connections.h"

namespace retour {

class NetlinkConnections final : public OpenConnections {
 public:
  /// Of the namespace the caller is in now; it may leave afterwards.
  [[nodiscard]] static Result<std::unique_ptr<NetlinkConnections>> open();

  /// Needs no privilege; without CAP_NET_ADMIN the kernel tells no mark.
  [[nodiscard]] Result<std::vector<Connection>> list() override;

 private:
  explicit NetlinkConnections(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace retour
