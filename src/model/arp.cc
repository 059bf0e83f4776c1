// SPDX-License-Identifier: Apache-2.0
#include "model/arp.h"

#include <algorithm>

namespace retour {

namespace {

/// inet_ifa_match(): a point-to-point address is matched by its peer.
bool ifa_match(const Ip& ip, const Address& address) {
  return Prefix{address.peer.value_or(address.local.address), address.local.length}.contains(ip);
}

/// confirm_addr_indev(): is `target` an address of `link` that may be named to `sender` (none: to
/// anyone), within `scope`? It asks for the address and for a subnet that holds it, and these may
/// come from two entries of the list.
bool confirms(const Fib& fib, IfIndex link, const std::optional<Ip>& sender, const Ip& target,
              Scope scope) {
  if (!fib.owns(target, link)) return false;  // of hundreds of links most do not
  const bool localnet = fib.conf(link, Conf::route_localnet).value != 0;
  const Scope limit = localnet ? scope_link : scope_host;
  bool owned = false;
  bool same_subnet = false;
  for (const Address& address : fib.snapshot().addresses) {
    if (address.link != link || !address.local.address.is_v4()) continue;
    owned = owned || (address.local.address == target && std::min(address.scope, limit) <= scope);
    same_subnet =
        same_subnet || (ifa_match(target, address) && (!sender || ifa_match(*sender, address)));
  }
  return owned && same_subnet;
}

/// arp_ignore().
bool ignores(const Fib& fib, IfIndex link, const ArpRequest& request) {
  switch (fib.conf(link, Conf::arp_ignore).value) {
    case 1:
      return !confirms(fib, link, std::nullopt, request.target, scope_host);
    case 2:
      // An unset sender is the kernel's "anyone".
      return !confirms(
          fib, link, request.sender.is_unspecified() ? std::nullopt : std::optional(request.sender),
          request.target, scope_host);
    case 3:
      return std::ranges::none_of(fib.snapshot().links, [&](const Link& any) {
        return confirms(fib, any.index, std::nullopt, request.target, scope_link);
      });
    case 8:
      return true;
    default:
      return false;
  }
}

bool carries(const Snapshot& snapshot, IfIndex index) {
  const Link* link = snapshot.link(index);
  return link != nullptr && link->up() && link->carrier();
}

/// A port hands what it receives to its master; a VRF member keeps it.
bool enslaved(const Snapshot& snapshot, IfIndex index) {
  const Link* link = snapshot.link(index);
  if (link == nullptr || link->master.value == 0) return false;
  const Link* master = snapshot.link(link->master);
  return master == nullptr || master->kind != "vrf";
}

class Hearing {
 public:
  Hearing(const Fib& fib, const ArpRequest& request) : fib_(fib), request_(request) {}

  [[nodiscard]] ArpReception hear(IfIndex link) {
    ArpReception reception;
    reception.link = link;
    reception.silent_because = process(reception);
    reception.answers = reception.silent_because == Cause::none;
    return reception;
  }

 private:
  Cause process(ArpReception& reception) {
    const IfIndex link = reception.link;
    if (const Cause cause = deaf(fib_.snapshot(), link); cause != Cause::none) return cause;
    const auto set = [&](Conf conf) { return fib_.conf(link, conf).value != 0; };
    if (request_.target.is_multicast()) return Cause::martian;
    if (request_.target.is_loopback() && !set(Conf::route_localnet)) return Cause::martian;
    if (request_.sender == request_.target && set(Conf::drop_gratuitous_arp)) {
      return Cause::martian;
    }
    if (request_.sender.is_unspecified()) {
      if (fib_.v4().address_type(request_.target) != RouteType::local) return Cause::no_route;
      return ignores(fib_, link, request_) ? Cause::arp_ignore : Cause::none;
    }
    Flow flow;
    flow.src = request_.sender;
    flow.dst = request_.target;
    flow.iif = link;
    const Lookup route = fib_.v4().input(flow, true, heard_);
    if (route.verdict == Verdict::unicast) return proxies(reception, route);
    if (route.verdict != Verdict::local) return cause_of(route);
    if (ignores(fib_, link, request_)) return Cause::arp_ignore;
    if (set(Conf::arp_filter)) return filter(reception);
    return Cause::none;
  }

  /// arp_filter(): the route back to the sender must leave by this link.
  Cause filter(ArpReception& reception) {
    if (!way_back_) {
      Flow flow;
      flow.src = request_.target;
      flow.dst = request_.sender;
      way_back_ = fib_.output(flow);
    }
    if (!way_back_->ok()) return Cause::arp_filter;
    const auto leaves_here = [&](const Way& way) { return way.link == reception.link; };
    const auto& ways = way_back_->candidates;
    if (ways.empty()) {
      return way_back_->link == reception.link ? Cause::none : Cause::arp_filter;
    }
    if (std::ranges::none_of(ways, leaves_here)) return Cause::arp_filter;
    reception.certain = std::ranges::all_of(ways, leaves_here);
    return Cause::none;
  }

  /// arp_fwd_proxy(), arp_fwd_pvlan() and proxy entries: may it answer for a host behind it?
  Cause proxies(ArpReception& reception, const Lookup& route) {
    const auto by = [&](const Way& way) { return proxies_by(reception.link, way.link); };
    if (std::ranges::none_of(route.candidates, by)) return Cause::no_route;
    reception.proxy = true;
    reception.certain = std::ranges::all_of(route.candidates, by);
    return Cause::none;
  }

  [[nodiscard]] bool proxies_by(IfIndex link, IfIndex out) const {
    if (out == link) {
      return request_.sender != request_.target &&
             fib_.conf(link, Conf::proxy_arp_pvlan).value != 0;
    }
    if (fib_.conf(link, Conf::proxy_arp).value != 0) {
      const std::int32_t in_medium = fib_.conf(link, Conf::medium_id).value;
      const std::int32_t out_medium = fib_.conf(out, Conf::medium_id).value;
      if (in_medium == 0) return true;
      if (in_medium != -1 && out_medium != in_medium && out_medium != -1) return true;
    }
    return std::ranges::any_of(fib_.snapshot().neighbors, [&](const Neighbor& entry) {
      return entry.proxy() && entry.address == request_.target &&
             (entry.link == link || entry.link.value == 0);
    });
  }

  const Fib& fib_;
  const ArpRequest& request_;
  Fib4::Heard heard_;
  std::optional<Lookup> way_back_;
};

}  // namespace

Cause deaf(const Snapshot& snapshot, IfIndex link) {
  if (!carries(snapshot, link)) return Cause::link_down;
  if (enslaved(snapshot, link)) return Cause::enslaved;
  return snapshot.link(link)->noarp() ? Cause::noarp : Cause::none;
}

std::vector<ArpReception> hear_arp(const Fib& fib, const ArpRequest& request,
                                   const std::vector<IfIndex>& links) {
  Hearing hearing(fib, request);
  std::vector<ArpReception> all;
  all.reserve(links.size());
  for (const IfIndex link : links) all.push_back(hearing.hear(link));
  return all;
}

std::vector<IfIndex> arp_answerers(const Fib& fib, const Ip& sender, const Ip& target,
                                   const std::vector<IfIndex>& links) {
  std::vector<IfIndex> answering;
  for (const ArpReception& reception : hear_arp(fib, {sender, target}, links)) {
    if (reception.answers) answering.push_back(reception.link);
  }
  return answering;
}

std::optional<Ip> arp_request_sender(const Fib& fib, IfIndex link, const Ip& target,
                                     const std::optional<Ip>& packet_source) {
  const std::int32_t announce = fib.conf(link, Conf::arp_announce).value;
  if (packet_source && announce != 2 && fib.v4().address_type(*packet_source) == RouteType::local) {
    // inet_addr_onlink(): some subnet of the link holds both.
    const bool onlink = std::ranges::any_of(fib.snapshot().addresses, [&](const Address& address) {
      return address.link == link && address.local.address.is_v4() && ifa_match(target, address) &&
             ifa_match(*packet_source, address);
    });
    if (announce != 1 || onlink) return packet_source;
  }
  return fib.v4().select_source(link, target, scope_link);
}

}  // namespace retour
