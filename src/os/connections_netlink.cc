// SPDX-License-Identifier: Apache-2.0
#include "os/connections_netlink.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>

#include "model/scope6.h"
#include "os/kernel_decode.h"

namespace retour {
namespace {

constexpr std::uint32_t state(int number) { return 1U << static_cast<unsigned>(number); }

constexpr int tcp_new_syn_recv = 12;  // TCP_NEW_SYN_RECV, which headers for programs leave out
constexpr std::uint32_t states = state(TCP_ESTABLISHED) | state(TCP_SYN_SENT) |
                                 state(TCP_SYN_RECV) | state(TCP_FIN_WAIT1) | state(TCP_FIN_WAIT2) |
                                 state(TCP_CLOSE_WAIT) | state(TCP_LAST_ACK) | state(TCP_CLOSING) |
                                 state(tcp_new_syn_recv);

std::uint16_t host_order(std::uint16_t port) {
  return std::endian::native == std::endian::big ? port : __builtin_bswap16(port);
}

/// Of four words in network order; an IPv4 address that an IPv6 socket holds is one.
std::optional<Ip> ip_of(const __be32 (&words)[4], Family family) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), words, bytes.size());
  const auto ip = Ip::from_bytes(std::span(bytes).first(width(family) / 8));
  if (!ip || ip->is_v4() || !is_mapped6(*ip)) return ip;
  return Ip::v4(static_cast<std::uint32_t>(ip->bits()));
}

bool decode(const NetlinkMessage& message, std::vector<Connection>& connections) {
  inet_diag_msg header{};
  Bytes attributes;
  if (message.type != SOCK_DIAG_BY_FAMILY || !message.split(header, attributes)) return false;
  const auto family = family_of(header.idiag_family);
  if (!family) return false;
  const auto local = ip_of(header.id.idiag_src, *family);
  const auto peer = ip_of(header.id.idiag_dst, *family);
  if (!local || !peer) return false;
  Connection connection;
  connection.local = *local;
  connection.peer = *peer;
  connection.local_port = host_order(header.id.idiag_sport);
  connection.peer_port = host_order(header.id.idiag_dport);
  connection.uid = header.idiag_uid;
  if (header.id.idiag_if != 0) connection.bound = IfIndex{header.id.idiag_if};
  bool sound = true;
  const std::uint16_t traffic_class = peer->is_v4() ? INET_DIAG_TOS : INET_DIAG_TCLASS;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    if (type == INET_DIAG_MARK) sound &= take(data, connection.mark);
    if (type == traffic_class) sound &= take(data, connection.tos);
  });
  if (!peer->is_unspecified()) connections.push_back(connection);
  return sound;
}

}  // namespace

Result<std::unique_ptr<NetlinkConnections>> NetlinkConnections::open() {
  auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!socket) return fail(std::move(socket.error()));
  return std::unique_ptr<NetlinkConnections>(new NetlinkConnections(std::move(*socket)));
}

Result<std::vector<Connection>> NetlinkConnections::list() {
  constexpr std::string_view doing = "read the open TCP connections";
  std::vector<Connection> connections;
  for (const Family family : {Family::v4, Family::v6}) {
    NetlinkRequest request(SOCK_DIAG_BY_FAMILY, 0);
    auto& ask = request.extra<inet_diag_req_v2>();
    ask.sdiag_family = kernel_family(family);
    ask.sdiag_protocol = IPPROTO_TCP;
    ask.idiag_ext = (1U << (INET_DIAG_TOS - 1U)) | (1U << (INET_DIAG_TCLASS - 1U));
    ask.idiag_states = states;
    const auto dumped = socket_.dump(request, doing, [&](const NetlinkMessage& message) {
      return decode(message, connections);
    });
    if (dumped) continue;
    Error error = dumped.error();
    if (error.errnum == ENOENT) {
      error.hint = "the kernel lacks its modules inet_diag and tcp_diag";
    }
    return fail(std::move(error));
  }
  return connections;
}

}  // namespace retour
