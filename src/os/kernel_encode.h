// SPDX-License-Identifier: Apache-2.0
//
// Changes as rtnetlink messages, many in one buffer. Everything a Route or Rule can say is encoded,
// `other` included; what is left out of a deletion would be a wildcard to the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/objects.h"
#include "model/rule.h"
#include "os/netlink.h"

namespace retour {

/// `exclusive` refuses a rule that is there already; the kernel compares with every rule it has for
/// that, so thousands of them cost the square.
enum class Exclusive : bool { no, yes };

class MessageBatch {
 public:
  MessageBatch();

  void add_route(const Route& route, std::uint32_t sequence);
  /// Behind those of the same prefix, tos and metric.
  void append_route(const Route& route, std::uint32_t sequence);
  void delete_route(const Route& route, std::uint32_t sequence);
  void add_rule(const Rule& rule, std::uint32_t sequence, Exclusive exclusive);
  /// The kernel ignores `not` and the target of a goto when it looks for the rule, and takes an
  /// absent selector for any: among rules of one priority the first that fits goes.
  void delete_rule(const Rule& rule, std::uint32_t sequence);

  // What a clone is made of (kernel_encode_clone.cc).

  /// A veth with the index, name, MAC, MTU and group of `link`, down; its other end in the same
  /// namespace. An address that is no Ethernet address is left to the kernel.
  void add_veth(const Link& link, IfIndex peer, const std::string& peer_name,
                std::uint32_t sequence);
  /// Of IFF_UP, IFF_NOARP and the like those in `mask`, to what `flags` has.
  void set_flags(IfIndex link, std::uint32_t flags, std::uint32_t mask, std::uint32_t sequence);
  /// Without a connected route but on `lo`, and without asking the neighbours whether they have it.
  void add_address(const Address& address, std::uint32_t sequence);
  void delete_address(const Address& address, std::uint32_t sequence);
  void add_nexthop(const NextHopObject& object, std::uint32_t sequence);
  /// As it is on the host: a neighbour that does not answer is one, too.
  void add_neighbor(const Neighbor& neighbor, std::uint32_t sequence);

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] Bytes bytes() const { return Bytes(room_).first(used_); }
  void clear();

 private:
  nlmsghdr* start(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                  std::size_t at_most);
  void finish(const nlmsghdr* message);
  void put_route(nlmsghdr* message, const Route& route);
  void put_rule(nlmsghdr* message, const Rule& rule);

  std::vector<std::uint8_t> room_;
  std::size_t used_{};
  std::size_t count_{};
};

/// Larger than any message the change can become; a netlink attribute holds less than 64 KiB, and
/// so must every object.
[[nodiscard]] std::size_t encoded_bound(const Route& route);
[[nodiscard]] std::size_t encoded_bound(const Rule& rule);
[[nodiscard]] std::size_t encoded_bound(const NextHopObject& object);
inline constexpr std::size_t encoded_limit = 60 * 1024;

}  // namespace retour
