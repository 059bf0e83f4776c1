// SPDX-License-Identifier: Apache-2.0
//
// A host rebuilt in a network namespace that nobody else sees: the same indexes, names, addresses,
// routes, rules, nexthop objects and sysctls on a real kernel, so that it can be asked, and
// changed, in place of the host. The namespace has no name and no process: it goes with its last
// socket, however this program ends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/snapshot.h"
#include "os/kernel_netlink.h"

namespace retour {

class HostClone {
 public:
  /// Needs CAP_SYS_ADMIN (and gets CAP_NET_ADMIN of the namespace with it). Every link is made as a
  /// veth, whatever it is on the host: the tables do not care. The other ends are links with
  /// indexes and names that the host does not use, without addresses and without IPv6.
  ///
  /// What the kernel would not take is in declined(), and the rest is cloned. Errors: permission;
  /// system where no namespace or socket can be had.
  [[nodiscard]] static Result<HostClone> make(const Snapshot& host);

  [[nodiscard]] Kernel& kernel() { return *kernel_; }
  /// A sentence each: what, and the kernel's words.
  [[nodiscard]] const std::vector<std::string>& declined() const { return declined_; }

 private:
  explicit HostClone(std::unique_ptr<NetlinkKernel> kernel) : kernel_(std::move(kernel)) {}

  std::unique_ptr<NetlinkKernel> kernel_;
  std::vector<std::string> declined_;
};

}  // namespace retour
