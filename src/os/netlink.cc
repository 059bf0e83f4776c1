// SPDX-License-Identifier: Apache-2.0
#include "os/netlink.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace retour {
namespace {

// The kernel fills datagrams of a dump up to 32 KiB when the reader has shown that much room.
constexpr std::size_t buffer_size = 64 * 1024;
// An acknowledgement costs the queue about 1 KiB of its accounting; the kernel doubles the figure.
constexpr int receive_queue = 1024 * 1024;

// One event is dropped into the queue for one change of the host. More than this and the host is
// not going to hold still within this try.
constexpr int drain_limit = 1 << 18;

void option(int fd, int name) {
  // All three are improvements: a kernel without them still answers.
  const int on = 1;
  setsockopt(fd, SOL_NETLINK, name, &on, sizeof(on));
}

std::string_view extended_text(Bytes error_payload, std::uint16_t flags) {
  if ((flags & NLM_F_ACK_TLVS) == 0) return {};
  nlmsgerr error{};
  if (!take(error_payload, error)) return {};
  std::size_t skip = sizeof(error);
  if ((flags & NLM_F_CAPPED) == 0 && error.msg.nlmsg_len > sizeof(nlmsghdr)) {
    skip += ((error.msg.nlmsg_len + 3U) & ~std::size_t{3}) - sizeof(nlmsghdr);
  }
  if (skip > error_payload.size()) return {};
  std::string_view text;
  const bool sound =
      each_attribute(error_payload.subspan(skip), [&](std::uint16_t type, Bytes data) {
        if (type != NLMSGERR_ATTR_MSG || data.empty()) return;
        text = {reinterpret_cast<const char*>(data.data()), data.size()};
        text = text.substr(0, text.find('\0'));
      });
  return sound ? text : std::string_view{};
}

/// Splits a datagram into messages; false when it is malformed.
template <class Visit>
bool each_message(Bytes datagram, Visit&& visit) {
  nlmsghdr header{};
  while (take(datagram, header)) {
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) return false;
    const NetlinkMessage message{
        header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq,
        datagram.subspan(sizeof(header), header.nlmsg_len - sizeof(header))};
    if (!visit(message)) return true;
    const std::size_t next = (header.nlmsg_len + 3U) & ~std::size_t{3};
    datagram = datagram.subspan(std::min(next, datagram.size()));
  }
  return datagram.empty();
}

/// The errno in an NLMSG_ERROR or NLMSG_DONE; both start with it, negative.
int error_of(const NetlinkMessage& message) {
  std::int32_t value = 0;
  if (!take(message.payload, value)) return message.type == NLMSG_DONE ? 0 : EBADMSG;
  return -value;
}

}  // namespace

Error netlink_error(std::string doing, int errnum, std::string_view text) {
  Error error{ErrorKind::system, errnum, std::move(doing),
              text.empty() ? std::string(std::strerror(errnum)) : std::string(text)};
  if (errnum == EPERM || errnum == EACCES) {
    error.kind = ErrorKind::permission;
    error.hint = "changing the network needs CAP_NET_ADMIN: run retour as root";
  } else if (errnum == ENOENT || errnum == ESRCH || errnum == ENODEV) {
    error.kind = ErrorKind::not_found;
  }
  return error;
}

NetlinkSocket::NetlinkSocket(mnl_socket* socket)
    : socket_(socket), fd_(mnl_socket_get_fd(socket)), buffer_(buffer_size) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  mnl_socket* raw = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (raw == nullptr) return fail(netlink_error("open a netlink socket", errno));
  NetlinkSocket socket(raw);
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) != 0) {
    return fail(netlink_error("bind a netlink socket", errno));
  }
  option(socket.fd_, NETLINK_EXT_ACK);
  option(socket.fd_, NETLINK_CAP_ACK);
  option(socket.fd_, NETLINK_GET_STRICT_CHK);
  if (setsockopt(socket.fd_, SOL_SOCKET, SO_RCVBUFFORCE, &receive_queue, sizeof(receive_queue)) !=
      0) {
    setsockopt(socket.fd_, SOL_SOCKET, SO_RCVBUF, &receive_queue, sizeof(receive_queue));
  }
  return socket;
}

std::uint32_t NetlinkSocket::take_sequence(std::size_t count) {
  const std::uint32_t first = sequence_;
  sequence_ += static_cast<std::uint32_t>(count);
  return first;
}

Result<void> NetlinkSocket::send(NetlinkRequest& request, std::string_view doing) {
  request.header()->nlmsg_seq = take_sequence(1);
  if (mnl_socket_sendto(socket_.get(), request.header(), request.header()->nlmsg_len) < 0) {
    return fail(netlink_error(std::string(doing), errno));
  }
  return {};
}

Result<Bytes> NetlinkSocket::receive(std::string_view doing, int flags) {
  while (true) {
    sockaddr_nl sender{};
    iovec room{buffer_.data(), buffer_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof(sender);
    header.msg_iov = &room;
    header.msg_iovlen = 1;
    const ssize_t size = recvmsg(fd_, &header, flags);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(netlink_error(std::string(doing), errno));
    if (sender.nl_pid != 0) continue;  // not from the kernel
    if ((header.msg_flags & MSG_TRUNC) != 0) {
      return fail({ErrorKind::system, ENOBUFS, std::string(doing),
                   "the kernel's answer was cut off: larger than the receive buffer"});
    }
    return Bytes(buffer_).first(static_cast<std::size_t>(size));
  }
}

void NetlinkSocket::abandon() {
  for (int i = 0; i < drain_limit; ++i) {
    const auto datagram = receive("", MSG_DONTWAIT);
    if (!datagram && datagram.error().errnum == EAGAIN) return;
  }
}

Result<Dumped> NetlinkSocket::dump(NetlinkRequest& request, std::string_view doing,
                                   const std::function<bool(const NetlinkMessage&)>& visit) {
  request.header()->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  if (auto sent = send(request, doing); !sent) return fail(sent.error());
  bool done = false;
  bool interrupted = false;
  std::optional<Error> failure;
  while (!done && !failure) {
    const auto datagram = receive(doing, 0);
    if (!datagram) {
      failure = datagram.error();
      break;
    }
    const bool sound = each_message(*datagram, [&](const NetlinkMessage& message) {
      if (message.sequence != request.header()->nlmsg_seq) return true;
      interrupted = interrupted || (message.flags & NLM_F_DUMP_INTR) != 0;
      if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR) {
        done = true;
        if (const int errnum = error_of(message); errnum != 0) {
          failure = netlink_error(std::string(doing), errnum,
                                  message.type == NLMSG_ERROR
                                      ? extended_text(message.payload, message.flags)
                                      : std::string_view{});
        }
        return false;
      }
      if (message.type < NLMSG_MIN_TYPE || visit(message)) return true;
      failure = Error{ErrorKind::system, EBADMSG, std::string(doing),
                      "the kernel sent a message this program cannot read"};
      return false;
    });
    if (!sound && !failure) {
      failure = Error{ErrorKind::system, EBADMSG, std::string(doing), "malformed netlink datagram"};
    }
  }
  if (!failure) return interrupted ? Dumped::interrupted : Dumped::whole;
  abandon();
  return fail(std::move(*failure));
}

Result<void> NetlinkSocket::ask(NetlinkRequest& request, std::string_view doing,
                                const std::function<bool(const NetlinkMessage&)>& visit) {
  request.header()->nlmsg_flags |= NLM_F_REQUEST;
  if (auto sent = send(request, doing); !sent) return sent;
  std::optional<Result<void>> answer;
  while (!answer) {
    const auto datagram = receive(doing, 0);
    if (!datagram) return fail(datagram.error());
    const bool sound = each_message(*datagram, [&](const NetlinkMessage& message) {
      if (message.sequence != request.header()->nlmsg_seq) return true;
      if (message.type == NLMSG_ERROR) {
        answer = fail(netlink_error(std::string(doing), error_of(message),
                                    extended_text(message.payload, message.flags)));
      } else if (visit(message)) {
        answer = Result<void>{};
      } else {
        answer = fail({ErrorKind::system, EBADMSG, std::string(doing),
                       "the kernel sent a message this program cannot read"});
      }
      return false;
    });
    if (!sound) {
      return fail({ErrorKind::system, EBADMSG, std::string(doing), "malformed netlink datagram"});
    }
  }
  return std::move(*answer);
}

Result<std::vector<Acknowledgement>> NetlinkSocket::send_batch(Bytes messages, std::uint32_t first,
                                                               std::size_t count) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd_, messages.data(), messages.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
             sizeof(kernel)) < 0) {
    return fail(netlink_error("send changes to the kernel", errno));
  }
  std::vector<Acknowledgement> answers(count);
  std::size_t missing = count;
  read_waiting(64, [&](Bytes datagram, bool /*cut_off*/) {
    // Cut off or not, the acknowledgement itself stands first.
    static_cast<void>(each_message(datagram, [&](const NetlinkMessage& message) {
      const std::uint32_t position = message.sequence - first;
      if (message.type != NLMSG_ERROR || position >= count) return true;
      Acknowledgement& answer = answers[position];
      if (!answer.arrived) --missing;
      answer = {true, error_of(message), {}};
      if (answer.errnum != 0) answer.text = extended_text(message.payload, message.flags);
      return true;
    }));
    return missing > 0;
  });
  return answers;
}

Result<void> NetlinkSocket::ask_batch(
    Bytes messages, std::uint32_t first, std::size_t count,
    const std::function<bool(std::size_t, int, const NetlinkMessage&)>& visit) {
  constexpr std::string_view doing = "ask the kernel for routes";
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd_, messages.data(), messages.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
             sizeof(kernel)) < 0) {
    return fail(netlink_error(std::string(doing), errno));
  }
  std::size_t missing = count;
  bool sound = true;
  read_waiting(32, [&](Bytes datagram, bool cut_off) {
    sound = sound && !cut_off && each_message(datagram, [&](const NetlinkMessage& message) {
              const std::uint32_t position = message.sequence - first;
              if (position >= count) return true;
              --missing;
              sound = visit(position, message.type == NLMSG_ERROR ? error_of(message) : 0, message);
              return sound;
            });
    return sound && missing > 0;
  });
  if (sound && missing == 0) return {};
  abandon();
  return fail({ErrorKind::system, sound ? ENOBUFS : EBADMSG, std::string(doing),
               sound ? "the kernel left questions without an answer"
                     : "the kernel sent a message this program cannot read"});
}

void NetlinkSocket::read_waiting(std::size_t at_once,
                                 const std::function<bool(Bytes, bool cut_off)>& visit) {
  // The kernel has carried all of a batch out by the time sendto() returns, so every answer is
  // waiting: one system call takes many, and an empty queue means that there are no more.
  constexpr std::size_t most = 64;
  at_once = std::min(at_once, most);
  const std::size_t room = buffer_.size() / at_once;
  std::array<iovec, most> slots{};
  std::array<mmsghdr, most> headers{};
  for (std::size_t i = 0; i < at_once; ++i) {
    slots[i] = {buffer_.data() + i * room, room};
    headers[i].msg_hdr.msg_iov = &slots[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  while (true) {
    const int got =
        recvmmsg(fd_, headers.data(), static_cast<unsigned>(at_once), MSG_DONTWAIT, nullptr);
    if (got < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (got <= 0) return;
    bool more = true;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      const bool cut_off = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
      more = visit({buffer_.data() + i * room, headers[i].msg_len}, cut_off) && more;
    }
    if (!more) return;
  }
}

Result<void> NetlinkSocket::subscribe(std::uint32_t groups) {
  // bind() again changes all of the first 32 groups at once, setsockopt() one at a time.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_pid = mnl_socket_get_portid(socket_.get());
  address.nl_groups = groups;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(netlink_error("subscribe to changes of the network", errno));
  }
  return {};
}

Result<bool> NetlinkSocket::drain() {
  bool any = false;
  for (int i = 0; i < drain_limit; ++i) {
    const auto datagram = receive("read changes of the network", MSG_DONTWAIT);
    if (!datagram && datagram.error().errnum == EAGAIN) return any;
    // ENOBUFS: events were lost. Cut off: an event all the same.
    if (!datagram && datagram.error().errnum != ENOBUFS) return fail(datagram.error());
    any = true;
  }
  return any;
}

}  // namespace retour
