// SPDX-License-Identifier: Apache-2.0
#include "bench/raw_netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace retour::bench {

namespace {

// Answers are short; what is longer is cut off, and only its head is looked at.
constexpr std::size_t slots = 64;
constexpr std::size_t slot_size = 512;

constexpr std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// One message at the end of a buffer; its length is set when it is complete.
class Message {
 public:
  template <class Header>
  Message(std::vector<std::uint8_t>& bytes, int type, int flags, const Header& header)
      : bytes_(bytes), begin_(bytes.size()) {
    nlmsghdr head{};
    head.nlmsg_type = static_cast<std::uint16_t>(type);
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(&head, sizeof(head));
    append(&header, sizeof(header));
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - begin_);
    std::memcpy(bytes_.data() + begin_, &length, sizeof(length));
  }

  void u32(int type, std::uint32_t value) { attribute(type, &value, sizeof(value)); }
  void u8(int type, std::uint8_t value) { attribute(type, &value, sizeof(value)); }
  void ip(int type, const Ip& ip) { u32(type, __builtin_bswap32(ip.v4_bits())); }

 private:
  void attribute(int type, const void* data, std::size_t size) {
    const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + size),
                      static_cast<std::uint16_t>(type)};
    append(&head, sizeof(head));
    append(data, size);
  }
  void append(const void* data, std::size_t size) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + aligned(size));
    std::memcpy(bytes_.data() + at, data, size);
  }

  std::vector<std::uint8_t>& bytes_;
  std::size_t begin_;
};

void put_route(RawBatch& batch, int type, int flags, const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = route.dst.length;
  header.rtm_table = RT_TABLE_UNSPEC;
  header.rtm_protocol = route.protocol;
  header.rtm_scope = static_cast<std::uint8_t>(route.scope);
  header.rtm_type = RTN_UNICAST;
  Message message(batch.bytes, type, flags, header);
  if (route.dst.length != 0) message.ip(RTA_DST, route.dst.address);
  message.u32(RTA_TABLE, route.table.value);
  message.ip(RTA_PREFSRC, *route.prefsrc);
  message.u32(RTA_OIF, route.next_hops[0].link.value);
  if (route.next_hops[0].gateway) message.ip(RTA_GATEWAY, *route.next_hops[0].gateway);
  ++batch.count;
}

void put_rule(RawBatch& batch, int type, int flags, const Rule& rule) {
  fib_rule_hdr header{};
  header.family = AF_INET;
  header.src_len = rule.from->length;
  header.action = FR_ACT_TO_TBL;
  Message message(batch.bytes, type, flags, header);
  message.u32(FRA_PRIORITY, rule.priority);
  message.ip(FRA_SRC, rule.from->address);
  message.u32(FRA_TABLE, rule.table.value);
  message.u8(FRA_PROTOCOL, rule.protocol);
  ++batch.count;
}

Error failed(const char* doing, int errnum) {
  return {ErrorKind::system, errnum, doing, std::strerror(errnum)};
}

std::vector<std::uint8_t> dump_request(int type) {
  std::vector<std::uint8_t> bytes;
  if (type == RTM_GETLINK) {
    // Counters are a third of a link's dump, and nothing here reads them.
    Message message(bytes, type, NLM_F_DUMP, ifinfomsg{});
    message.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  } else if (type == RTM_GETADDR) {
    const Message message(bytes, type, NLM_F_DUMP, ifaddrmsg{});
  } else if (type == RTM_GETNEIGH) {
    const Message message(bytes, type, NLM_F_DUMP, ndmsg{});
  } else if (type == RTM_GETRULE) {
    const Message message(bytes, type, NLM_F_DUMP, fib_rule_hdr{});
  } else {
    const Message message(bytes, type, NLM_F_DUMP, rtmsg{});
  }
  return bytes;
}

}  // namespace

RawBatch encode(std::span<const Change> changes) {
  constexpr int add = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  RawBatch batch;
  for (const Change& change : changes) {
    const auto& op = change.operation;
    if (const auto* c = std::get_if<AddRoute>(&op)) put_route(batch, RTM_NEWROUTE, add, c->route);
    if (const auto* c = std::get_if<DeleteRoute>(&op)) {
      put_route(batch, RTM_DELROUTE, NLM_F_ACK, c->route);
    }
    if (const auto* c = std::get_if<AddRule>(&op)) put_rule(batch, RTM_NEWRULE, add, c->rule);
    if (const auto* c = std::get_if<DeleteRule>(&op)) {
      put_rule(batch, RTM_DELRULE, NLM_F_ACK, c->rule);
    }
  }
  return batch;
}

RawBatch encode(std::span<const RawQuery> queries) {
  RawBatch batch;
  for (const RawQuery& query : queries) {
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_dst_len = 32;
    header.rtm_src_len = 32;
    Message message(batch.bytes, RTM_GETROUTE, 0, header);
    message.ip(RTA_DST, query.to);
    message.ip(RTA_SRC, query.from);
    ++batch.count;
  }
  return batch;
}

RawNetlink::RawNetlink(Fd fd) : fd_(std::move(fd)), buffer_(std::size_t{64} * 1024) {}

Result<RawNetlink> RawNetlink::open() {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return fail(failed("open a netlink socket", errno));
  const int on = 1;
  // An acknowledgement need not repeat the request, and a thousand of them must fit.
  const int room = 8 << 20;
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) != 0) {
    return fail(failed("set up a netlink socket", errno));
  }
  return RawNetlink(std::move(fd));
}

Result<std::size_t> RawNetlink::receive() {
  const ssize_t size = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  if (size < 0) return fail(failed("receive from netlink", errno));
  return static_cast<std::size_t>(size);
}

Result<std::size_t> RawNetlink::dump(std::span<const std::uint8_t> request) {
  if (send(fd_.get(), request.data(), request.size(), 0) < 0) {
    return fail(failed("ask for a dump", errno));
  }
  std::size_t total = 0;
  while (true) {
    const auto size = receive();
    if (!size) return size;
    total += *size;
    nlmsghdr head{};
    for (std::size_t at = 0; at + sizeof(head) <= *size; at += aligned(head.nlmsg_len)) {
      std::memcpy(&head, buffer_.data() + at, sizeof(head));
      if (head.nlmsg_type == NLMSG_DONE) return total;
      if (head.nlmsg_type == NLMSG_ERROR) return fail(failed("dump", EIO));
    }
  }
}

Result<std::size_t> RawNetlink::read_host() {
  static const std::vector<std::vector<std::uint8_t>> requests{
      dump_request(RTM_GETLINK), dump_request(RTM_GETADDR), dump_request(RTM_GETROUTE),
      dump_request(RTM_GETRULE), dump_request(RTM_GETNEIGH)};
  std::size_t total = 0;
  for (const auto& request : requests) {
    const auto size = dump(request);
    if (!size) return size;
    total += *size;
  }
  return total;
}

Result<void> RawNetlink::exchange(const RawBatch& batch) {
  if (send(fd_.get(), batch.bytes.data(), batch.bytes.size(), 0) < 0) {
    return fail(failed("send a batch", errno));
  }
  // The kernel has answered by the time send() returns, one datagram for each message.
  for (unsigned answered = 0; answered < batch.count;) {
    std::array<iovec, slots> rooms{};
    std::array<mmsghdr, slots> datagrams{};
    for (std::size_t i = 0; i < slots; ++i) {
      rooms[i] = {buffer_.data() + i * slot_size, slot_size};
      datagrams[i].msg_hdr.msg_iov = &rooms[i];
      datagrams[i].msg_hdr.msg_iovlen = 1;
    }
    const int got = recvmmsg(fd_.get(), datagrams.data(), slots, MSG_WAITFORONE, nullptr);
    if (got < 0) return fail(failed("receive from netlink", errno));
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i, ++answered) {
      nlmsghdr head{};
      int error{};
      std::memcpy(&head, buffer_.data() + i * slot_size, sizeof(head));
      std::memcpy(&error, buffer_.data() + i * slot_size + sizeof(head), sizeof(error));
      if (head.nlmsg_type == NLMSG_ERROR && error != 0) {
        return fail(failed("have a batch done", -error));
      }
    }
  }
  return {};
}

}  // namespace retour::bench
