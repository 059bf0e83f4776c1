// SPDX-License-Identifier: Apache-2.0
//
// The parts that a clone is made in, in this order: the kernel checks each thing against those that
// are there already. All of them are called inside the namespace of the clone.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/snapshot.h"
#include "os/kernel_encode.h"
#include "os/netlink.h"
#include "port/kernel.h"

namespace retour {

struct CloneSite {
  const Snapshot& host;
  NetlinkSocket& socket;
  Kernel& kernel;
  std::vector<std::string>& declined;

  void decline(const std::string& what, const std::string& why) const {
    declined.push_back(what + ": " + why);
  }
};

/// Messages on their way to the kernel, many a system call.
class CloneMessages {
 public:
  explicit CloneMessages(NetlinkSocket& socket) : socket_(socket) {}

  /// `encode(batch, sequence)` appends one message of at most `bound` bytes.
  template <class Encode>
  void add(std::size_t bound, Encode&& encode) {
    constexpr std::size_t most_bytes = std::size_t{100} * 1024;
    if (batch_.count() == 256 || batch_.bytes().size() + bound > most_bytes) flush();
    const std::uint32_t sequence = socket_.take_sequence(1);
    if (batch_.count() == 0) first_ = sequence;
    encode(batch_, sequence);
  }
  /// What became of each, in the order of add(): empty, or why not.
  [[nodiscard]] std::vector<std::string> finish();

 private:
  void flush();

  NetlinkSocket& socket_;
  MessageBatch batch_;
  std::uint32_t first_{};
  std::vector<std::string> outcomes_;
};

/// Every link, down; its sysctls, and those of `all`.
void clone_links(const CloneSite& site);
/// Up, with the carriers of the host; those that are down there are up for now, because the kernel
/// takes no route by a link that is down and keeps some that were there before.
void raise_links(const CloneSite& site);
void clone_addresses(const CloneSite& site);
/// Until the kernel has put in the routes of IPv6 addresses, which it does in its own time.
void settle_links(const CloneSite& site);
/// Nexthop objects and the routes of all tables; afterwards no other route is there.
void clone_routes(const CloneSite& site);
/// The links that are down on the host, and what addresses they had all the same.
void lower_links(const CloneSite& site);
/// Routes that are there and not on the host, and none of the kernel's own that is missing.
void clone_rules(const CloneSite& site);
void clone_hidden(const CloneSite& site);
void clone_neighbors(const CloneSite& site);

}  // namespace retour
