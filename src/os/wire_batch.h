// SPDX-License-Identifier: Apache-2.0
//
// Many packets for one system call each way: at ten thousand probes the calls are the cost.
#pragma once

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "os/wire_frame.h"

namespace retour {

/// Large: keep it on the heap.
class WireBatch {
 public:
  WireBatch();
  WireBatch(const WireBatch&) = delete;
  WireBatch& operator=(const WireBatch&) = delete;

  static constexpr std::size_t capacity = 64;
  static constexpr std::size_t snap = 192;  ///< our own probes are well below it

  /// Never waits; 0 when there is nothing.
  [[nodiscard]] Result<std::size_t> receive(int fd);

  // REQUIRES for all: `i` below what receive() returned.
  [[nodiscard]] std::span<const std::uint8_t> data(std::size_t i) const;
  [[nodiscard]] bool whole(std::size_t i) const { return headers_[i].msg_len < snap; }
  [[nodiscard]] const sockaddr_ll& from(std::size_t i) const { return slots_[i].from; }
  /// SO_TIMESTAMPNS; zero if the socket does not have it on.
  [[nodiscard]] std::chrono::nanoseconds at(std::size_t i);

 private:
  struct Slot {
    std::array<std::uint8_t, snap> data;
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(timespec))> control;
    sockaddr_ll from;
    iovec io;
  };
  std::array<Slot, capacity> slots_;
  std::array<mmsghdr, capacity> headers_;
  std::size_t used_{capacity};  ///< headers that the last call overwrote
};

/// What a socket needs before a WireBatch receives from it: a filter, timestamps, and `room` bytes
/// of queue (without CAP_NET_ADMIN as much as rmem_max allows). False: errno says why.
[[nodiscard]] bool prepare_to_receive(int fd, std::span<sock_filter> filter, int room);

/// One packet to send; `tag` is the sender's own.
template <class Address, std::size_t Size>
struct Outgoing {
  Address to;
  std::array<std::uint8_t, Size> data;
  std::size_t tag;
};

/// Sends all, waiting for room where it must. `refused(tag, errno)` hears of each the kernel would
/// not take; the others go out all the same.
template <class Address, std::size_t Size, class Refused>
void send_batch(int fd, std::span<Outgoing<Address, Size>> packets, Refused refused);

/// How many the kernel took, at least 1, or -errno for the first of them.
[[nodiscard]] int send_some(int fd, std::span<mmsghdr> headers);

template <class Address, std::size_t Size, class Refused>
void send_batch(int fd, std::span<Outgoing<Address, Size>> packets, Refused refused) {
  std::vector<iovec> io(packets.size());
  std::vector<mmsghdr> headers(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    io[i] = {packets[i].data.data(), Size};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &packets[i].to;
    header.msg_namelen = sizeof(Address);
    header.msg_iov = &io[i];
    header.msg_iovlen = 1;
  }
  for (std::size_t next = 0; next < packets.size();) {
    const int sent = send_some(fd, std::span(headers).subspan(next));
    if (sent < 0) refused(packets[next].tag, -sent);
    next += sent < 0 ? 1U : static_cast<std::size_t>(sent);
  }
}

}  // namespace retour
