// SPDX-License-Identifier: Apache-2.0
#include "os/tap.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "os/netns.h"
#include "os/wire_batch.h"
#include "os/wire_error.h"

namespace retour {
namespace {

constexpr std::uint32_t ancillary(int offset) { return static_cast<std::uint32_t>(offset); }

/// Offsets are from the network header: the socket is SOCK_DGRAM.
constexpr std::array<sock_filter, 19> heard{{
    /* 0*/ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_OFF + SKF_AD_PKTTYPE)),
    /* 1*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 16, 0),
    /* 2*/ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_OFF + SKF_AD_PROTOCOL)),
    /* 3*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ethertype_mark, 13, 0),
    /* 4*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 4, 0),
    /* 5*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 12),
    /* 6*/ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    /* 7*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 9, 0),
    /* 8*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 8, 9),
    /* 9*/ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    /*10*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 7),
    /*11*/ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    /*12*/ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 5, 0),
    /*13*/ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    /*14*/ BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
    /*15*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 8, 1, 0),
    /*16*/ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    /*17*/ BPF_STMT(BPF_RET | BPF_K, WireBatch::snap),
    /*18*/ BPF_STMT(BPF_RET | BPF_K, 0),
}};

std::vector<Ip> own_addresses() {
  std::vector<Ip> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* it = list; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr || it->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in address{};
    std::memcpy(&address, it->ifa_addr, sizeof address);
    addresses.push_back(Ip::v4(ntohl(address.sin_addr.s_addr)));
  }
  freeifaddrs(list);
  return addresses;
}

std::optional<WireEvent> event_of(WireBatch& batch, std::size_t i) {
  const sockaddr_ll& from = batch.from(i);
  auto seen = parse_frame(ntohs(from.sll_protocol), batch.data(i), batch.whole(i));
  if (!seen) return seen;
  seen->link = IfIndex{static_cast<std::uint32_t>(from.sll_ifindex)};
  seen->outgoing = from.sll_pkttype == PACKET_OUTGOING;
  seen->at = batch.at(i);
  if (seen->mac.empty()) {
    const auto length = std::min<std::size_t>(from.sll_halen, sizeof from.sll_addr);
    seen->mac.assign(from.sll_addr, from.sll_addr + length);
  }
  return seen;
}

}  // namespace

Tap::Tap(Fd socket, std::vector<Ip> addresses)
    : socket_(std::move(socket)),
      addresses_(std::move(addresses)),
      batch_(std::make_unique<WireBatch>()) {}

Tap::~Tap() = default;

Result<std::unique_ptr<Tap>> Tap::open() {
  const auto failed = [] { return fail(wire_error("listen to all links (packet socket)")); };
  // Protocol 0: deaf until the filter is in place.
  Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed();
  auto filter = heard;
  if (!prepare_to_receive(fd.get(), filter, 16 << 20)) return failed();
  sockaddr_ll all{};
  all.sll_family = AF_PACKET;
  all.sll_protocol = htons(ETH_P_ALL);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&all), sizeof all) != 0) return failed();
  return std::unique_ptr<Tap>(new Tap(std::move(fd), own_addresses()));
}

Result<std::unique_ptr<Tap>> Tap::open_in(const std::string& netns) {
  const auto there = Netns::open(netns);
  if (!there) return fail(there.error());
  const auto inside = InsideNetns::enter(*there);
  if (!inside) return fail(inside.error());
  return open();
}

Result<std::vector<WireEvent>> Tap::drain() {
  // Bounded: on a link under a flood of pings there is always one more.
  constexpr int most_batches = 256;
  std::vector<WireEvent> events;
  for (int round = 0; round < most_batches; ++round) {
    const auto got = batch_->receive(fd());
    if (!got) return fail(got.error());
    for (std::size_t i = 0; i < *got; ++i) {
      if (auto event = event_of(*batch_, i)) events.push_back(std::move(*event));
    }
    if (*got < WireBatch::capacity) break;
  }
  return events;
}

std::uint64_t Tap::dropped() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  // Reading resets the kernel's counter.
  if (getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) {
    dropped_ += stats.tp_drops;
  }
  return dropped_;
}

bool Tap::owns(const Ip& ip) const { return std::ranges::find(addresses_, ip) != addresses_.end(); }

}  // namespace retour
