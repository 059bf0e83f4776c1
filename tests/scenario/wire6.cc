// SPDX-License-Identifier: Apache-2.0
#include "scenario/wire6.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace retour::wire6 {
namespace {

using kernel_test::KernelHost;

constexpr std::uint8_t proto_udp = 17;
constexpr std::uint8_t proto_icmp6 = 58;
constexpr std::uint8_t type_solicitation = 135;
constexpr std::uint8_t type_advertisement = 136;
constexpr std::size_t header_size = 40;
constexpr int quiet_ms = 60;  // softirqs deliver at once; this is for a loaded machine

void put_ip(std::vector<std::uint8_t>& out, const Ip& ip) {
  std::array<std::uint8_t, 16> bytes{};
  Ip(Family::v6, ip.bits()).to_bytes(bytes);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Ip take_ip(const std::vector<std::uint8_t>& from, std::size_t at) {
  return Ip::from_bytes(std::span(from).subspan(at, 16)).value();
}

void put16(std::vector<std::uint8_t>& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value));
}

std::uint16_t checksum(const Ip& src, const Ip& dst, std::uint8_t protocol,
                       const std::vector<std::uint8_t>& payload) {
  std::vector<std::uint8_t> all;
  put_ip(all, src);
  put_ip(all, dst);
  put16(all, 0);
  put16(all, payload.size());
  all.insert(all.end(), {0, 0, 0, protocol});
  all.insert(all.end(), payload.begin(), payload.end());
  if (all.size() % 2 != 0) all.push_back(0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < all.size(); i += 2) sum += all[i] * 256U + all[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

void set_checksum(std::vector<std::uint8_t>& payload, std::size_t at, std::uint16_t sum) {
  payload[at] = static_cast<std::uint8_t>(sum >> 8U);
  payload[at + 1] = static_cast<std::uint8_t>(sum);
}

sockaddr_in6 address(const Ip& ip, std::uint16_t port) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  std::array<std::uint8_t, 16> bytes{};
  ip.to_bytes(bytes);
  std::memcpy(&out.sin6_addr, bytes.data(), bytes.size());
  return out;
}

Fd udp_socket(const KernelHost& host) {
  auto netns = Netns::open(host.name());
  const auto inside = InsideNetns::enter(*netns);
  EXPECT_TRUE(inside.has_value());
  Fd made(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(made.valid());
  return made;
}

const sockaddr* generic(const sockaddr_in6& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Connected connect_udp(const KernelHost& host, const Ip& dst, const Ip& src,
                      const std::string& device) {
  const Fd fd = udp_socket(host);
  if (!device.empty()) {
    const auto size = static_cast<socklen_t>(device.size());
    EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), size), 0);
  }
  if (!src.is_unspecified()) {
    const sockaddr_in6 from = address(src, 0);
    EXPECT_EQ(bind(fd.get(), generic(from), sizeof(from)), 0);
  }
  const sockaddr_in6 to = address(dst, 9);
  if (connect(fd.get(), generic(to), sizeof(to)) != 0) return {errno, {}};
  sockaddr_in6 own{};
  socklen_t size = sizeof(own);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &own.sin6_addr, bytes.size());
  return {0, Ip::from_bytes(bytes).value()};
}

void send_udp(const KernelHost& host, const Ip& src, const Ip& dst) {
  const Fd fd = udp_socket(host);
  const sockaddr_in6 from = address(src, 0);
  const sockaddr_in6 to = address(dst, 9);
  EXPECT_EQ(bind(fd.get(), generic(from), sizeof(from)), 0) << src.str();
  EXPECT_EQ(sendto(fd.get(), "x", 1, 0, generic(to), sizeof(to)), 1) << dst.str();
}

Wire6::Wire6(const KernelHost& host, const std::string& link) {
  auto netns = Netns::open(host.name());
  const auto inside = InsideNetns::enter(*netns);
  EXPECT_TRUE(inside.has_value());
  index_ = static_cast<int>(if_nametoindex(link.c_str()));
  socket_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IPV6)));
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(ETH_P_IPV6);
  here.sll_ifindex = index_;
  EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&here), sizeof(here)), 0);
  ifreq request{};
  link.copy(request.ifr_name, IFNAMSIZ - 1);
  EXPECT_EQ(ioctl(socket_.get(), SIOCGIFHWADDR, &request), 0);
  const auto* mac = reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data);
  mac_.assign(mac, mac + 6);
}

void Wire6::transmit(const std::vector<std::uint8_t>& to, const Frame& frame,
                     std::uint8_t hops) const {
  std::vector<std::uint8_t> bytes(to);
  bytes.insert(bytes.end(), mac_.begin(), mac_.end());
  put16(bytes, ETH_P_IPV6);
  bytes.insert(bytes.end(), {0x60, 0, 0, 0});
  put16(bytes, frame.payload.size());
  bytes.insert(bytes.end(), {frame.protocol, hops});
  put_ip(bytes, frame.src);
  put_ip(bytes, frame.dst);
  bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
  EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
}

std::vector<Wire6::Frame> Wire6::receive() {
  std::vector<Frame> frames;
  pollfd ready{socket_.get(), POLLIN, 0};
  while (poll(&ready, 1, quiet_ms) > 0) {
    std::vector<std::uint8_t> bytes(2048);
    sockaddr_ll from{};
    socklen_t size = sizeof(from);
    const ssize_t got = recvfrom(socket_.get(), bytes.data(), bytes.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got < static_cast<ssize_t>(ETH_HLEN + header_size)) continue;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;  // our own
    bytes.resize(static_cast<std::size_t>(got));
    Frame frame;
    frame.protocol = bytes[ETH_HLEN + 6];
    frame.src = take_ip(bytes, ETH_HLEN + 8);
    frame.dst = take_ip(bytes, ETH_HLEN + 24);
    frame.payload.assign(bytes.begin() + ETH_HLEN + header_size, bytes.end());
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::vector<std::optional<Ip>> Wire6::solicit(
    const std::vector<NeighborSolicitation>& solicitations) {
  static_cast<void>(receive());  // what is left of before
  for (const NeighborSolicitation& asked : solicitations) {
    const Ip dst = solicited_node(asked.target);
    Frame frame{asked.sender, dst, proto_icmp6, {type_solicitation, 0, 0, 0, 0, 0, 0, 0}};
    put_ip(frame.payload, asked.target);
    if (!asked.sender.is_unspecified()) {
      frame.payload.insert(frame.payload.end(), {1, 1});  // source link-layer address
      frame.payload.insert(frame.payload.end(), mac_.begin(), mac_.end());
    }
    set_checksum(frame.payload, 2, checksum(asked.sender, dst, proto_icmp6, frame.payload));
    std::vector<std::uint8_t> to{0x33, 0x33, 0xff};
    for (const unsigned shift : {16U, 8U, 0U}) {
      to.push_back(static_cast<std::uint8_t>(asked.target.bits() >> shift));
    }
    transmit(to, frame, 255);
  }
  std::vector<std::optional<Ip>> answers(solicitations.size());
  for (const Frame& frame : receive()) {
    if (frame.protocol != proto_icmp6 || frame.payload.size() < 24 ||
        frame.payload[0] != type_advertisement) {
      continue;
    }
    const Ip target = take_ip(frame.payload, 8);
    for (std::size_t i = 0; i < solicitations.size(); ++i) {
      const Ip& sender = solicitations[i].sender;
      const Ip to = sender.is_unspecified() ? Ip::parse("ff02::1").value() : sender;
      if (solicitations[i].target == target && to == frame.dst) answers[i] = frame.src;
    }
  }
  return answers;
}

std::optional<Ip> Wire6::solicited(const Ip& target) {
  for (const Frame& frame : receive()) {
    const bool solicitation = frame.protocol == proto_icmp6 && frame.payload.size() >= 24 &&
                              frame.payload[0] == type_solicitation;
    if (solicitation && take_ip(frame.payload, 8) == target) return frame.src;
  }
  return std::nullopt;
}

void Wire6::send(const std::vector<Flow>& flows, const std::vector<std::uint8_t>& mac) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    Frame frame{flows[i].src, flows[i].dst, proto_udp, {}};
    put16(frame.payload, i + 1);
    put16(frame.payload, 9);
    put16(frame.payload, 12);
    put16(frame.payload, 0);
    frame.payload.insert(frame.payload.end(), {'d', 'o', 'o', 'r'});
    set_checksum(frame.payload, 6, checksum(frame.src, frame.dst, proto_udp, frame.payload));
    transmit(mac, frame, 64);
  }
}

std::vector<std::uint16_t> Wire6::heard() {
  std::vector<std::uint16_t> ports;
  for (const Frame& frame : receive()) {
    if (frame.protocol != proto_udp || frame.payload.size() < 12) continue;
    ports.push_back(static_cast<std::uint16_t>(frame.payload[0] * 256U + frame.payload[1]));
  }
  return ports;
}

}  // namespace retour::wire6
