// SPDX-License-Identifier: Apache-2.0
#include "model/ndisc.h"

#include <algorithm>

#include "model/arp.h"

namespace retour {

namespace {

constexpr std::uint32_t flag_optimistic = 0x04;
constexpr std::uint32_t flag_tentative = 0x40;

bool set(const Fib& fib, IfIndex link, Conf6 conf) {
  return fib.snapshot().effective(link, conf).value != 0;
}

/// ipv6_chk_acast_addr(): an anycast address of the link is known by the route the kernel makes.
bool has_anycast(const Snapshot& snapshot, const Ip& target, IfIndex link) {
  return std::ranges::any_of(snapshot.routes, [&](const Route& route) {
    return route.type == RouteType::anycast && route.metric == 0 &&
           route.dst == Prefix::host(target) && !route.next_hops.empty() &&
           route.next_hops.front().link == link;
  });
}

bool has_proxy(const Snapshot& snapshot, const Ip& target, IfIndex link) {
  return std::ranges::any_of(snapshot.neighbors, [&](const Neighbor& entry) {
    return entry.proxy() && entry.address == target &&
           (entry.link == link || entry.link.value == 0);
  });
}

/// It must be let in like any packet to a group of the link.
Cause delivery(const Fib& fib, const NeighborSolicitation& solicitation, IfIndex link) {
  Flow flow;
  flow.src = solicitation.sender;
  flow.dst = solicited_node(solicitation.target);
  flow.iif = link;
  flow.ip_proto = proto_icmp6;
  const Lookup lookup = fib.v6().input(flow);
  return lookup.verdict == Verdict::multicast ? Cause::none : cause_of(lookup);
}

NdiscReception hear(const Fib& fib, const NeighborSolicitation& solicitation, IfIndex link) {
  const Snapshot& snapshot = fib.snapshot();
  const Ip& target = solicitation.target;
  const bool probe = solicitation.sender.is_unspecified();
  NdiscReception reception;
  reception.link = link;
  const auto silent = [&](Cause cause) {
    reception.silent_because = cause;
    return reception;
  };
  if (const Cause cause = deaf(snapshot, link); cause != Cause::none) return silent(cause);
  if (set(fib, link, Conf6::disable_ipv6)) return silent(Cause::disable_ipv6);
  if (target.is_multicast()) return silent(Cause::martian);
  const Address* own = fib.v6().sources().find(target, link);
  if (own != nullptr) {
    // Of an address that is still being tried out it speaks to nobody, unless it trusts its luck;
    // another who tries it too makes it give up.
    const bool tried_out = (own->flags & (flag_tentative | flag_optimistic)) != 0;
    if (tried_out && (probe || (own->flags & flag_optimistic) == 0)) return silent(Cause::none);
  } else if (!has_anycast(snapshot, target, link)) {
    reception.proxy = set(fib, link, Conf6::forwarding) && set(fib, link, Conf6::proxy_ndp) &&
                      has_proxy(snapshot, target, link);
    if (!reception.proxy) return silent(Cause::none);
  }
  if (const Cause cause = delivery(fib, solicitation, link); cause != Cause::none) {
    reception.proxy = false;
    return silent(cause);
  }
  // ndisc_send_na(): from the address itself, or from whatever suits where it is not one.
  const Ip asker = probe ? Ip::parse("ff02::1").value() : solicitation.sender;
  reception.source = own != nullptr ? target : fib.v6().sources().select(link, asker);
  reception.answers = reception.source.has_value();
  return reception;
}

}  // namespace

Ip solicited_node(const Ip& target) {
  const Bits group = (Bits{0xff02} << 112) | (Bits{0x1ff} << 24);
  return Ip(Family::v6, group | (target.bits() & 0xffffffU));
}

std::vector<NdiscReception> hear_solicitation(const Fib& fib,
                                              const NeighborSolicitation& solicitation,
                                              const std::vector<IfIndex>& links) {
  std::vector<NdiscReception> all;
  all.reserve(links.size());
  for (const IfIndex link : links) all.push_back(hear(fib, solicitation, link));
  return all;
}

std::optional<Ip> solicitation_sender(const Fib& fib, IfIndex link,
                                      const std::optional<Ip>& packet_source) {
  if (packet_source) {
    const Address* own = fib.v6().sources().find(*packet_source, link);
    const bool sure = own != nullptr && (own->flags & (flag_tentative | flag_optimistic)) == 0;
    if (sure) return packet_source;
  }
  return fib.v6().sources().link_local(link);
}

}  // namespace retour
