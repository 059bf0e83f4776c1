// SPDX-License-Identifier: Apache-2.0
#include "os/wire_batch.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/wire_error.h"

namespace retour {

// What is not set here the kernel fills in.
WireBatch::WireBatch() {
  for (std::size_t i = 0; i < capacity; ++i) {
    slots_[i].io = {slots_[i].data.data(), slots_[i].data.size()};
    msghdr& header = headers_[i].msg_hdr;
    header = {};
    header.msg_name = &slots_[i].from;
    header.msg_iov = &slots_[i].io;
    header.msg_iovlen = 1;
    header.msg_control = slots_[i].control.data();
  }
}

Result<std::size_t> WireBatch::receive(int fd) {
  // Lengths are in and out; those of headers the kernel did not reach stand as they were.
  for (std::size_t i = 0; i < used_; ++i) {
    headers_[i].msg_hdr.msg_namelen = sizeof slots_[i].from;
    headers_[i].msg_hdr.msg_controllen = slots_[i].control.size();
  }
  used_ = 0;
  while (true) {
    const int got = recvmmsg(fd, headers_.data(), capacity, MSG_DONTWAIT, nullptr);
    if (got >= 0) return used_ = static_cast<std::size_t>(got);
    if (errno == EAGAIN) return std::size_t{0};
    // A link that goes down while we listen is reported once and is not the end of listening.
    if (errno != EINTR && errno != ENETDOWN) return fail(wire_error("receive packets"));
  }
}

std::span<const std::uint8_t> WireBatch::data(std::size_t i) const {
  return std::span(slots_[i].data).first(std::min<std::size_t>(headers_[i].msg_len, snap));
}

std::chrono::nanoseconds WireBatch::at(std::size_t i) {
  msghdr& header = headers_[i].msg_hdr;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec at{};
    std::memcpy(&at, CMSG_DATA(c), sizeof at);
    return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
  }
  return {};
}

bool prepare_to_receive(int fd, std::span<sock_filter> filter, int room) {
  const sock_fprog program{static_cast<std::uint16_t>(filter.size()), filter.data()};
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
    return false;
  }
  return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == 0 ||
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0;
}

int send_some(int fd, std::span<mmsghdr> headers) {
  constexpr int patience_ms = 100;
  while (true) {
    const int sent =
        sendmmsg(fd, headers.data(), static_cast<unsigned>(headers.size()), MSG_DONTWAIT);
    if (sent > 0) return sent;
    const int errnum = errno;
    if (errnum == EINTR) continue;
    if (errnum != EAGAIN) return -errnum;
    pollfd room{fd, POLLOUT, 0};
    if (poll(&room, 1, patience_ms) == 0) return -errnum;
  }
}

}  // namespace retour
