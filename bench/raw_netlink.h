// SPDX-License-Identifier: Apache-2.0
//
// The calibrator: what a tight program does through the same socket. It decodes nothing, attributes
// nothing and shares no code with the program; nothing that talks to the kernel this way is faster.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "os/fd.h"
#include "plan/change.h"

namespace retour::bench {

/// Whole netlink messages, one after the other, ready to be sent.
struct RawBatch {
  std::vector<std::uint8_t> bytes;
  unsigned count{};
};

/// REQUIRES: only route and rule changes of IPv4, one leg each.
[[nodiscard]] RawBatch encode(std::span<const Change> changes);

struct RawQuery {
  Ip from{};
  Ip to{};
};
/// RTM_GETROUTE, one for each.
[[nodiscard]] RawBatch encode(std::span<const RawQuery> queries);

class RawNetlink {
 public:
  /// In the caller's network namespace.
  [[nodiscard]] static Result<RawNetlink> open();

  /// Links, addresses, routes, rules and neighbours of all families into a buffer, undecoded;
  /// returns how many bytes.
  [[nodiscard]] Result<std::size_t> read_host();

  /// One sendmsg, then a reply for each message: an acknowledgement, or what was asked for.
  /// An error when the kernel refuses any.
  [[nodiscard]] Result<void> exchange(const RawBatch& batch);

 private:
  explicit RawNetlink(Fd fd);
  [[nodiscard]] Result<std::size_t> dump(std::span<const std::uint8_t> request);
  [[nodiscard]] Result<std::size_t> receive();

  Fd fd_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace retour::bench
