// SPDX-License-Identifier: Apache-2.0
#include "differential/arp_wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "model/objects.h"
#include "os/kernel_decode.h"
#include "os/netlink.h"

namespace retour::differential {
namespace {

constexpr std::uint16_t marker_type = 0x88b5;  // for experiments: IEEE 802
constexpr int patience_ms = 2000;              // for a marker: it comes, or the trial is broken

Error system_error(std::string doing) {
  return {ErrorKind::system, errno, std::move(doing), std::strerror(errno), {}};
}

using Mac = std::array<std::uint8_t, 6>;

struct [[gnu::packed]] Frame {
  Mac to, from;
  std::uint16_t type;
  std::uint16_t hardware, protocol;
  std::uint8_t hardware_size, protocol_size;
  std::uint16_t operation;
  Mac sender_mac;
  std::uint32_t sender;
  Mac target_mac;
  std::uint32_t target;
  std::array<std::uint8_t, 18> padding;
};
static_assert(sizeof(Frame) == 60);

Mac mac_of(std::size_t number) {
  return {0x02,
          0x52,
          0x54,
          0,
          static_cast<std::uint8_t>(number >> 8U),
          static_cast<std::uint8_t>(number)};
}

Result<void> send_frame(const Fd& fd, IfIndex by, const Frame& frame) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(by.value);
  to.sll_protocol = frame.type;
  to.sll_halen = 6;
  if (sendto(fd.get(), &frame, sizeof(frame), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof(to)) < 0) {
    return fail(system_error("send a frame"));
  }
  return {};
}

}  // namespace

Result<ArpWire> ArpWire::open() {
  const int here = sched_getcpu();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(std::max(here, 0)), &one);
  if (sched_setaffinity(0, sizeof(one), &one) != 0) return fail(system_error("stay on a CPU"));
  // Everything, also what a bridge takes away before others see it.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  if (!fd.valid()) return fail(system_error("open a packet socket"));
  const int queue = 16 * 1024 * 1024;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
  const int on = 1;
  setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  return ArpWire(std::move(fd));
}

Result<void> ArpWire::send_request(const WireRequest& request, std::size_t number) {
  Frame frame{};
  frame.to.fill(0xff);
  frame.from = mac_of(number);
  frame.type = htons(ETH_P_ARP);
  frame.hardware = htons(1);
  frame.protocol = htons(ETH_P_IP);
  frame.hardware_size = 6;
  frame.protocol_size = 4;
  frame.operation = htons(1);
  frame.sender_mac = frame.from;
  frame.sender = htonl(request.sender.v4_bits());
  frame.target = htonl(request.target.v4_bits());
  return send_frame(fd_, request.far, frame);
}

Result<void> ArpWire::send_marker(IfIndex from) {
  Frame frame{};
  frame.to.fill(0xff);
  frame.from = mac_of(0xffff);
  frame.type = htons(marker_type);
  return send_frame(fd_, from, frame);
}

Result<std::vector<bool>> ArpWire::ask(std::span<const WireRequest> requests) {
  std::vector<bool> answered(requests.size());
  std::vector<IfIndex> near;
  std::vector<IfIndex> far;
  for (const WireRequest& request : requests) {
    if (std::find(near.begin(), near.end(), request.link) != near.end()) continue;
    near.push_back(request.link);
    far.push_back(request.far);
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (auto sent = send_request(requests[i], i); !sent) return fail(sent.error());
  }
  for (const IfIndex link : far) {
    if (auto sent = send_marker(link); !sent) return fail(sent.error());
  }
  // Heard by the host, and so were the requests before it.
  if (auto heard = wait_for_markers(near, requests, answered); !heard) return fail(heard.error());
  for (const IfIndex link : near) {
    if (auto sent = send_marker(link); !sent) return fail(sent.error());
  }
  if (auto heard = wait_for_markers(far, requests, answered); !heard) return fail(heard.error());
  return answered;
}

Result<void> ArpWire::wait_for_markers(std::vector<IfIndex> links,
                                       std::span<const WireRequest> requests,
                                       std::vector<bool>& answered) {
  while (!links.empty()) {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (poll(&wait, 1, patience_ms) == 0) {
      return fail({ErrorKind::system, ETIMEDOUT, "wait for a marker", "it did not arrive", {}});
    }
    Frame frame{};
    sockaddr_ll from{};
    socklen_t size = sizeof(from);
    const ssize_t got = recvfrom(fd_.get(), &frame, sizeof(frame), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return fail(system_error("receive a frame"));
    const IfIndex on{static_cast<std::uint32_t>(from.sll_ifindex)};
    if (frame.type == htons(marker_type)) {
      links.erase(std::remove(links.begin(), links.end(), on), links.end());
    } else if (frame.type == htons(ETH_P_ARP) && frame.operation == htons(2)) {
      const std::size_t number = static_cast<std::size_t>(frame.target_mac[4]) << 8U |
                                 static_cast<std::size_t>(frame.target_mac[5]);
      if (number >= requests.size() || frame.target_mac != mac_of(number)) continue;
      const WireRequest& request = requests[number];
      if (on == request.far && ntohl(frame.sender) == request.target.v4_bits()) {
        answered[number] = true;
      }
    }
  }
  return {};
}

Result<void> forget_neighbors() {
  auto socket = NetlinkSocket::open();
  if (!socket) return fail(socket.error());
  std::vector<Neighbor> known;
  NetlinkRequest dump(RTM_GETNEIGH, 0);
  dump.extra<ndmsg>();
  const auto dumped = socket->dump(dump, "read neighbours", [&](const NetlinkMessage& message) {
    return decode_neighbor(message, known);
  });
  if (!dumped) return fail(dumped.error());
  std::vector<std::uint8_t> room(known.size() * 64);
  const std::uint32_t first = socket->take_sequence(known.size());
  std::size_t used = 0;
  std::size_t count = 0;
  for (const Neighbor& neighbor : known) {
    nlmsghdr* message = mnl_nlmsg_put_header(room.data() + used);
    message->nlmsg_type = RTM_DELNEIGH;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = first + static_cast<std::uint32_t>(count++);
    auto& header = *static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
    header.ndm_family = kernel_family(neighbor.address.family());
    header.ndm_ifindex = static_cast<int>(neighbor.link.value);
    std::array<std::uint8_t, 16> bytes{};
    mnl_attr_put(message, NDA_DST, neighbor.address.to_bytes(bytes), bytes.data());
    used += message->nlmsg_len;
  }
  if (count == 0) return {};
  const auto sent = socket->send_batch(Bytes(room).first(used), first, count);
  if (!sent) return fail(sent.error());
  return {};
}

}  // namespace retour::differential
