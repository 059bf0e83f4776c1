// SPDX-License-Identifier: Apache-2.0
//
// A network namespace held open, and the way into it and back. The program has one thread: entering
// a namespace moves all of it, and sockets opened meanwhile belong there for good.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/fd.h"

namespace retour {

class Netns {
 public:
  /// `name` as `ip netns` knows it: /run/netns/NAME. Errors: not_found, permission, usage.
  [[nodiscard]] static Result<Netns> open(std::string_view name);
  /// The namespace the caller is in.
  [[nodiscard]] static Result<Netns> current();

  /// Moves the calling thread there, for good. Needs CAP_SYS_ADMIN.
  [[nodiscard]] Result<void> enter() const;

  /// Names the namespace for as long as the machine runs: SO_NETNS_COOKIE, or the inode where the
  /// kernel is older than 5.14 or the namespace may not be entered.
  [[nodiscard]] std::uint64_t cookie() const { return cookie_; }

  /// The namespace of process 1. False when that cannot be told (/proc/1/ns/net is not readable
  /// without privilege): whoever asks must not take host-wide files for its own on a guess.
  [[nodiscard]] bool initial() const;

 private:
  Netns(Fd fd, std::uint64_t inode) : fd_(std::move(fd)), inode_(inode), cookie_(inode) {}
  [[nodiscard]] static Result<Netns> adopt(Fd fd, const std::string& doing);

  Fd fd_;
  std::uint64_t inode_{};
  std::uint64_t cookie_{};
};

/// In the namespace while it lives, back where the caller was afterwards.
class InsideNetns {
 public:
  [[nodiscard]] static Result<InsideNetns> enter(const Netns& netns);
  /// A namespace that is made for it: without a name, gone with the last socket opened there.
  [[nodiscard]] static Result<InsideNetns> enter_new();
  InsideNetns(InsideNetns&&) noexcept = default;
  InsideNetns& operator=(InsideNetns&&) = delete;
  ~InsideNetns();

 private:
  explicit InsideNetns(Fd before) : before_(std::move(before)) {}
  Fd before_;
};

}  // namespace retour
