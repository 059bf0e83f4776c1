// SPDX-License-Identifier: Apache-2.0
//
// What was not pasted and follows from what was: links and addresses from routes, the kernel's own
// routes from addresses.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "text/import_parts.h"

namespace retour {
namespace {

constexpr std::uint32_t ifa_permanent = 0x80;
constexpr std::uint32_t ifa_secondary = 0x01;
constexpr std::uint32_t ifa_noprefixroute = 0x200;
constexpr std::uint32_t ifa_unusable = 0x40 | 0x08;  // tentative, dadfailed
constexpr std::uint8_t rtnh_linkdown = 16;

bool connected(const Route& route) {
  return route.type == RouteType::unicast && route.protocol == protocol_kernel &&
         route.next_hops.size() == 1 && !route.next_hops.front().gateway;
}

Scope v6_scope(const Ip& ip) {
  if (ip.is_loopback()) return scope_host;
  return (ip.bits() >> 118) == 0x3fa ? scope_link : scope_global;  // fe80::/10
}

class AddressInference {
 public:
  AddressInference(Snapshot& host, const std::vector<Route>& routes)
      : host_(host), routes_(routes) {
    for (const Address& address : host_.addresses) {
      seen_.emplace(address.link, address.local.address);
    }
  }

  // "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1" is an address with its length.
  void from_connected(const Route& route) {
    if (!connected(route) || !route.prefsrc || !route.prefsrc->is_v4()) return;
    const IfIndex link = route.next_hops.front().link;
    if (!seen_.emplace(link, *route.prefsrc).second) return;
    Address address = plain(link, *route.prefsrc, route.dst.length);
    if (!route.dst.contains(*route.prefsrc)) address.peer = route.dst.address;
    address.metric = route.metric;
    host_.addresses.push_back(std::move(address));
  }

  // "local 10.0.0.2 dev eth0 … src 10.0.0.1" is an address too, secondary if its source differs;
  // its length is that of the connected route around it.
  void from_local(const Route& route) {
    const bool host_route = route.dst.length == width(route.family());
    if (route.type != RouteType::local || !host_route || route.protocol != protocol_kernel ||
        route.next_hops.size() != 1) {
      return;
    }
    const IfIndex link = route.next_hops.front().link;
    if (!seen_.emplace(link, route.dst.address).second) return;
    Address address = plain(link, route.dst.address, route.dst.length);
    const auto around = std::ranges::find_if(routes_, [&](const Route& other) {
      return connected(other) && other.next_hops.front().link == link &&
             other.dst.contains(route.dst.address);
    });
    if (around != routes_.end()) address.local.length = around->dst.length;
    if (around == routes_.end()) address.flags |= ifa_noprefixroute;
    if (route.prefsrc && *route.prefsrc != route.dst.address) address.flags |= ifa_secondary;
    host_.addresses.push_back(std::move(address));
  }

 private:
  [[nodiscard]] Address plain(IfIndex link, const Ip& ip, std::uint8_t length) const {
    Address address;
    address.link = link;
    address.local = Prefix{ip, length};
    address.flags = ifa_permanent;
    if (ip.is_v4()) {
      address.scope = ip.is_loopback() ? scope_host : scope_global;
      address.label = host_.link_name(link);
    } else {
      address.scope = v6_scope(ip);
    }
    return address;
  }

  Snapshot& host_;
  const std::vector<Route>& routes_;
  std::set<std::pair<IfIndex, Ip>> seen_;
};

Route kernel_route(const Snapshot& host, RouteType type, const Prefix& dst, IfIndex link) {
  Route route;
  route.dst = dst.network();
  route.type = type;
  route.protocol = protocol_kernel;
  route.table = type == RouteType::unicast ? table_main : table_local;
  NextHop hop;
  hop.link = link;
  const Link* device = host.link(link);
  if (device != nullptr && !device->carrier() && type != RouteType::local) {
    hop.flags = rtnh_linkdown;
    route.flags = rtnh_linkdown;
  }
  route.next_hops.push_back(hop);
  return route;
}

class KernelRouteMaker {
 public:
  KernelRouteMaker(const Snapshot& host, KernelRoutes which) : host_(host), which_(which) {}

  /// fib_add_ifaddr()
  void v4(const Address& address) {
    const Address* primary = address.secondary() ? primary_of(address) : &address;
    const Link* link = host_.link(address.link);
    if (primary == nullptr || link == nullptr) return;
    const Ip source = primary->local.address;
    const auto make = [&](RouteType type, const Prefix& dst, std::uint32_t metric) {
      add(type, dst, address.link, source, metric);
    };
    make(RouteType::local, Prefix::host(address.local.address), 0);
    if (!link->up()) return;
    if (address.broadcast && !address.broadcast->is_limited_broadcast() &&
        !address.broadcast->is_unspecified()) {
      make(RouteType::broadcast, Prefix::host(*address.broadcast), 0);
    }
    const Prefix subnet = address.subnet();
    const bool zeronet = (subnet.address.v4_bits() >> 24) == 0;
    const bool lone = subnet.address == address.local.address && subnet.length == 32;
    if (zeronet || address.secondary() || lone) return;
    if ((address.flags & ifa_noprefixroute) == 0) {
      make(link->loopback() ? RouteType::local : RouteType::unicast, subnet, address.metric);
    }
    if (subnet.length < 31) make(RouteType::broadcast, Prefix::host(subnet.last()), 0);
  }

  /// addrconf: a local route an address, a connected one unless told otherwise, ff00::/8 a link.
  void v6(const Address& address) {
    const Link* link = host_.link(address.link);
    if (link == nullptr || !link->up() || (address.flags & ifa_unusable) != 0) return;
    const auto make = [&](RouteType type, const Prefix& dst, std::uint32_t metric) {
      add(type, dst, address.link, std::nullopt, metric);
    };
    constexpr std::uint32_t usual_metric = 256;
    make(RouteType::local, Prefix::host(address.local.address), 0);
    if (link->loopback()) return;
    if ((address.flags & ifa_noprefixroute) == 0 && address.subnet().length < 128) {
      make(RouteType::unicast, address.subnet(),
           address.metric == 0 ? usual_metric : address.metric);
    }
    make(RouteType::multicast, Prefix{Ip(Family::v6, Bits{0xff} << 120), 8}, usual_metric);
  }

  std::vector<Route> routes;

 private:
  // inet_ifa_byprefix(): the address that keeps the subnet.
  [[nodiscard]] const Address* primary_of(const Address& address) const {
    const auto it = std::ranges::find_if(host_.addresses, [&](const Address& other) {
      return other.link == address.link && !other.secondary() && other.subnet() == address.subnet();
    });
    return it == host_.addresses.end() ? nullptr : &*it;
  }

  void add(RouteType type, const Prefix& dst, IfIndex link, std::optional<Ip> source,
           std::uint32_t metric) {
    const bool is_connected = type == RouteType::unicast;
    if (is_connected != (which_ == KernelRoutes::connected)) return;
    Route route = kernel_route(host_, type, dst, link);
    route.metric = metric;
    route.prefsrc = source;
    if (dst.family() == Family::v4) {
      route.scope = type == RouteType::local ? scope_host : scope_link;
    }
    if (std::ranges::find(routes, route) == routes.end()) routes.push_back(std::move(route));
  }

  const Snapshot& host_;
  KernelRoutes which_;
};

}  // namespace

void add_loopback(Snapshot& host) {
  host.links.insert(host.links.begin(), assumed_link(loopback_index, "lo"));
  Address address;
  address.link = loopback_index;
  address.local = Prefix{Ip::v4(0x7f000001U), 8};
  address.scope = scope_host;
  address.flags = ifa_permanent;
  address.label = "lo";
  host.addresses.push_back(std::move(address));
}

void infer_links(Snapshot& host, const std::vector<ImportedRoute>& routes,
                 const std::vector<std::string>& others, Notes& notes) {
  add_loopback(host);
  std::map<std::string, std::size_t, std::less<>> known{{"lo", 0}};
  const auto link = [&](const std::string& name) -> Link& {
    const auto [it, fresh] = known.emplace(name, host.links.size());
    if (fresh) {
      const IfIndex index{static_cast<std::uint32_t>(host.links.size() + 1)};
      host.links.push_back(assumed_link(index, name));
    }
    return host.links[it->second];
  };
  for (const ImportedRoute& route : routes) {
    for (std::size_t leg = 0; leg < route.devices.size(); ++leg) {
      Link& device = link(route.devices[leg]);
      constexpr std::uint32_t running_lower_up = 0x40 | 0x10000;
      if (route.route.next_hops[leg].linkdown()) device.flags &= ~running_lower_up;
    }
  }
  for (const std::string& name : others) {
    if (!name.empty()) link(name);
  }
  notes.add(
      "neither addresses nor links were given: links (up, with carrier unless a route says "
      "linkdown) and addresses inferred from the routes");
}

void infer_addresses(Snapshot& host, const std::vector<Route>& routes, Notes& notes) {
  const std::size_t before = host.addresses.size();
  AddressInference inference(host, routes);
  for (const Route& route : routes) inference.from_connected(route);
  for (const Route& route : routes) inference.from_local(route);
  const std::size_t added = host.addresses.size() - before;
  if (added != 0) notes.add(fmt::format("{} addresses inferred from the kernel's routes", added));
}

std::vector<Route> kernel_routes(const Snapshot& host, Family family, KernelRoutes which) {
  KernelRouteMaker maker(host, which);
  for (const Address& address : host.addresses) {
    if (address.local.family() != family) continue;
    if (family == Family::v4) {
      maker.v4(address);
    } else {
      maker.v6(address);
    }
  }
  return std::move(maker.routes);
}

}  // namespace retour
