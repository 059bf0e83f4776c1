// SPDX-License-Identifier: Apache-2.0
//
// A route netlink socket: dumps that end well or not at all, batches with every message
// acknowledged, and the question "did anything change meanwhile". libmnl opens sockets and builds
// messages; reading is done here, where a truncated datagram must be an error and a host's
// thousands of attributes are walked without a library call for each.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace retour {

using Bytes = std::span<const std::uint8_t>;

/// Copies a number or uapi struct out of `data`; false when it is too short.
template <class T>
[[nodiscard]] bool take(Bytes data, T& out) {
  if (data.size() < sizeof(T)) return false;
  std::memcpy(&out, data.data(), sizeof(T));
  return true;
}

[[nodiscard]] inline std::vector<std::uint8_t> copy_of(Bytes data) {
  return {data.begin(), data.end()};
}

/// A string attribute, without the zero at its end.
[[nodiscard]] inline std::string text_of(Bytes data) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  return std::string(text.substr(0, text.find('\0')));
}

/// visit(type, data) for every attribute in `bytes`, flag bits of the type masked off; false when
/// they are malformed.
template <class Visit>
[[nodiscard]] bool each_attribute(Bytes bytes, Visit&& visit) {
  nlattr header{};
  while (take(bytes, header)) {
    if (header.nla_len < sizeof(header) || header.nla_len > bytes.size()) return false;
    visit(static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
          bytes.subspan(sizeof(header), header.nla_len - sizeof(header)));
    const std::size_t next = (header.nla_len + 3U) & ~std::size_t{3};
    bytes = bytes.subspan(next < bytes.size() ? next : bytes.size());
  }
  return true;
}

/// One message from the kernel.
struct NetlinkMessage {
  std::uint16_t type{};
  std::uint16_t flags{};
  std::uint32_t sequence{};
  Bytes payload;

  /// Splits the payload into its fixed header and the attributes behind it.
  template <class Header>
  [[nodiscard]] bool split(Header& header, Bytes& attributes) const {
    if (!take(payload, header)) return false;
    constexpr std::size_t aligned = (sizeof(Header) + 3U) & ~std::size_t{3};
    attributes = payload.subspan(aligned < payload.size() ? aligned : payload.size());
    return true;
  }
};

/// Room for one request without attributes worth speaking of.
class NetlinkRequest {
 public:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = flags;
  }
  NetlinkRequest(const NetlinkRequest&) = delete;
  NetlinkRequest& operator=(const NetlinkRequest&) = delete;
  template <class Header>
  Header& extra() {
    return *static_cast<Header*>(mnl_nlmsg_put_extra_header(header_, sizeof(Header)));
  }
  [[nodiscard]] nlmsghdr* header() { return header_; }

 private:
  alignas(nlmsghdr) std::array<std::uint8_t, 256> room_{};
  nlmsghdr* header_{mnl_nlmsg_put_header(room_.data())};
};

enum class Dumped : std::uint8_t { whole, interrupted };

/// What the kernel said to one message of a batch.
struct Acknowledgement {
  bool arrived{};
  int errnum{};
  std::string text;  ///< the extended acknowledgement, often empty
};

class NetlinkSocket {
 public:
  /// In the caller's network namespace. `protocol` is of NETLINK_*.
  [[nodiscard]] static Result<NetlinkSocket> open(int protocol = NETLINK_ROUTE);

  /// `visit(message)` returns false for a malformed one. A dump that ends in an error, truncated or
  /// malformed is an error; `interrupted` when the kernel says it changed underneath.
  [[nodiscard]] Result<Dumped> dump(NetlinkRequest& request, std::string_view doing,
                                    const std::function<bool(const NetlinkMessage&)>& visit);

  /// One question, one answer.
  [[nodiscard]] Result<void> ask(NetlinkRequest& request, std::string_view doing,
                                 const std::function<bool(const NetlinkMessage&)>& visit);

  /// Sends whole messages in one system call and collects the acknowledgements. REQUIRES: they
  /// number `count`, in sequence from `first`, each with NLM_F_ACK. An error means none was sent.
  [[nodiscard]] Result<std::vector<Acknowledgement>> send_batch(Bytes messages, std::uint32_t first,
                                                                std::size_t count);
  /// Sends `count` questions, in sequence from `first` and each with one answer, in one system call
  /// and reads the answers: visit(position, errnum, answer), false for a malformed one. REQUIRES:
  /// the answers together fit the socket's queue; some hundred do.
  [[nodiscard]] Result<void> ask_batch(
      Bytes messages, std::uint32_t first, std::size_t count,
      const std::function<bool(std::size_t, int, const NetlinkMessage&)>& visit);
  /// `count` sequence numbers in a row; the first of them.
  [[nodiscard]] std::uint32_t take_sequence(std::size_t count);

  /// Receives events of exactly these groups: bit n-1 for RTNLGRP n, n ≤ 32.
  [[nodiscard]] Result<void> subscribe(std::uint32_t groups);
  /// Takes all waiting events away. True when there was one, or when one may have been lost.
  [[nodiscard]] Result<bool> drain();

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };
  explicit NetlinkSocket(mnl_socket* socket);

  /// The datagram in `buffer_`; errno in the error.
  [[nodiscard]] Result<Bytes> receive(std::string_view doing, int flags);
  [[nodiscard]] Result<void> send(NetlinkRequest& request, std::string_view doing);
  /// Takes datagrams that are waiting, `at_once` a system call, until there are none or `visit`
  /// wants no more.
  void read_waiting(std::size_t at_once, const std::function<bool(Bytes, bool cut_off)>& visit);
  /// After a failure in the middle of a dump: what is left of it must not meet the next one.
  void abandon();

  std::unique_ptr<mnl_socket, Close> socket_;
  int fd_;
  std::uint32_t sequence_{1};
  std::vector<std::uint8_t> buffer_;
};

/// The error an errno makes here, privileges explained.
[[nodiscard]] Error netlink_error(std::string doing, int errnum, std::string_view text = {});

}  // namespace retour
