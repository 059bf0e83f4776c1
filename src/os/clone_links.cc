// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include "os/clone_parts.h"
#include "os/fd.h"
#include "plan/likeness.h"

namespace retour {
namespace {

constexpr std::size_t link_bound = 512;
constexpr std::uint32_t kept_flags = IFF_NOARP | IFF_MULTICAST;
constexpr const char* conf4 = "/proc/sys/net/ipv4/conf";
constexpr const char* conf6 = "/proc/sys/net/ipv6/conf";

/// Index and name of the other end of each veth, by the index of this one. Nothing on the host may
/// speak of them, not even a rule for a link that is not there.
class OtherEnds {
 public:
  explicit OtherEnds(const Snapshot& host) {
    for (const Link& link : host.links) {
      indexes_.insert(link.index.value);
      names_.insert(link.name);
    }
    for (const Rule& rule : host.rules) names_.insert({rule.iif, rule.oif});
  }
  IfIndex index() {
    while (!indexes_.insert(++last_index_).second) {
    }
    return IfIndex{last_index_};
  }
  std::string name() {
    std::string name;
    do {
      name = fmt::format("other{}", ++last_name_);
    } while (!names_.insert(name).second);
    return name;
  }

 private:
  std::set<std::uint32_t> indexes_;
  std::set<std::string> names_;
  std::uint32_t last_index_{1};
  std::uint32_t last_name_{};
};

std::string write_value(const std::string& path, std::int32_t value) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(value);
  const bool written =
      fd.valid() && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return written ? "" : std::strerror(errno);
}

/// What is not known of the host is what the model takes it for. One complaint is enough: where one
/// value cannot be written the next cannot either.
template <class Table, class Values>
void write_scope(const CloneSite& site, const Table& table, const char* path,
                 const std::string& scope, const Values& wanted, const Values& there) {
  for (const auto& about : table) {
    const std::int32_t value = wanted.get(about.conf).value_or(about.kernel_value);
    const auto is = there.get(about.conf);
    if (!is || *is == value) continue;
    const std::string file = fmt::format("{}/{}/{}", path, scope, about.name);
    const std::string failed = write_value(file, value);
    if (failed.empty()) continue;
    site.decline(fmt::format("{} = {}", file, value), failed);
    return;
  }
}

void make_veths(const CloneSite& site) {
  OtherEnds ends(site.host);
  std::vector<const Link*> links;
  CloneMessages messages(site.socket);
  for (const Link& link : site.host.links) {
    if (link.index == loopback_index) continue;
    const IfIndex peer = ends.index();
    const std::string name = ends.name();
    messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.add_veth(link, peer, name, sequence);
    });
    links.push_back(&link);
  }
  const auto outcomes = messages.finish();
  const auto there = site.kernel.snapshot();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].empty()) continue;
    // Modules of tunnels put a link of their own into each new namespace (tunl0, sit0): it is the
    // host's as well, or it stands where one of the host's is to be.
    const Link* other = there ? there->link(links[i]->index) : nullptr;
    if (other != nullptr && other->name == links[i]->name) continue;
    std::string why = outcomes[i];
    if (other != nullptr) {
      why += fmt::format(
          " (index {} is {}'s here; sysctl net.core.fb_tunnels_only_for_init_net=1 "
          "makes namespaces without)",
          other->index.value, other->name);
    }
    site.decline("link " + links[i]->name, why);
  }
}

bool routes_are_there(const Snapshot& wanted, const Snapshot& there) {
  const auto groups = route_groups(there);
  const bool addresses = std::ranges::all_of(there.addresses, [&](const Address& address) {
    if (address.local.family() == Family::v4) return true;
    const Link* link = there.link(address.link);
    if (link == nullptr || !link->up() || !link->carrier()) return true;
    constexpr std::uint32_t tentative = 0x40;
    if ((address.flags & tentative) != 0) return false;
    return std::ranges::any_of(there.routes, [&](const Route& route) {
      return route.table == table_local && route.dst == Prefix::host(address.local.address);
    });
  });
  // One for every link that has IPv6 and is ready.
  return addresses && std::ranges::all_of(wanted.routes, [&](const Route& route) {
           const bool of_the_kernel = route.family() == Family::v6 &&
                                      route.type == RouteType::multicast &&
                                      route.protocol == protocol_kernel;
           return !of_the_kernel || groups.contains(group_of(route));
         });
}

/// Where the entry for this link stands among those of one prefix in the table `local`.
std::size_t place_of(const Snapshot& host, const Prefix& dst, IfIndex link) {
  std::size_t place = 0;
  for (const Route& route : host.routes) {
    if (route.table != table_local || route.dst != dst || route.next_hops.empty()) continue;
    if (route.next_hops.front().link == link) return place;
    ++place;
  }
  return 0;
}

/// An order that IPv6 addresses may have come in. Of a link the youngest stands first; routes that
/// the kernel made for those of several links (of one subnet's anycast, of one address) stand in
/// the order that they were made in, and nobody else can make them.
std::vector<const Address*> as_they_came(const Snapshot& host,
                                         const std::vector<const Address*>& addresses) {
  struct Came {
    std::size_t layer, subnet, twin;
    const Address* address;
  };
  std::vector<Came> list;
  std::map<IfIndex, std::size_t> layers;
  const std::vector<const Address*> oldest_first(addresses.rbegin(), addresses.rend());
  list.reserve(oldest_first.size());
  for (const Address* each : oldest_first) {
    list.push_back({layers[each->link]++,
                    place_of(host, Prefix::host(each->local.network().address), each->link),
                    place_of(host, Prefix::host(each->local.address), each->link), each});
  }
  std::ranges::stable_sort(
      list, {}, [](const Came& each) { return std::tuple(each.layer, each.subnet, each.twin); });
  std::vector<const Address*> ordered;
  ordered.reserve(list.size());
  for (const Came& each : list) ordered.push_back(each.address);
  return ordered;
}

/// The kernel makes the routes of an IPv6 address in its own time: the next one waits for them.
void add_and_wait(const CloneSite& site, const Address& address) {
  CloneMessages messages(site.socket);
  messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
    batch.add_address(address, sequence);
  });
  const std::string why = messages.finish().front();
  if (!why.empty()) return site.decline(words_for(address, site.host), why);
  const Link* link = site.host.link(address.link);
  if (link == nullptr || !link->up() || !link->carrier()) return;
  Flow flow;
  flow.dst = address.local.address;
  flow.oif = address.link;
  constexpr int most_tries = 200;
  for (int tries = 0; tries < most_tries; ++tries) {
    const auto answers = site.kernel.ask({&flow, 1});
    if (!answers || answers->front().type == RouteType::local) return;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace

void clone_links(const CloneSite& site) {
  // The other ends are to have no IPv6: no address of their own, no route.
  static_cast<void>(write_value(std::string(conf6) + "/default/disable_ipv6", 1));
  static_cast<void>(write_value(std::string(conf6) + "/default/addr_gen_mode", 1));  // none
  static_cast<void>(write_value(std::string(conf6) + "/default/accept_ra", 0));
  make_veths(site);
  // Those of `all` first: some of them write every link.
  for (const bool all : {true, false}) {
    const auto there = site.kernel.snapshot();
    if (!there) return site.decline("sysctls", there.error().why);
    if (all) {
      write_scope(site, conf_table(), conf4, "all", site.host.conf_all, there->conf_all);
      write_scope(site, conf6_table(), conf6, "all", site.host.conf6_all, there->conf6_all);
      continue;
    }
    for (const Link& link : site.host.links) {
      const Link* is = there->link(link.index);
      if (is == nullptr || is->name != link.name) continue;
      write_scope(site, conf_table(), conf4, link.name, link.conf, is->conf);
      write_scope(site, conf6_table(), conf6, link.name, link.conf6, is->conf6);
    }
  }
}

void raise_links(const CloneSite& site) {
  const auto there = site.kernel.snapshot();
  if (!there) return site.decline("links up", there.error().why);
  OtherEnds ends(site.host);
  CloneMessages messages(site.socket);
  const auto up = [&](IfIndex link, std::uint32_t flags, std::uint32_t mask) {
    messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.set_flags(link, flags, mask, sequence);
    });
  };
  for (const Link& link : site.host.links) {
    if (link.index == loopback_index) {
      if (link.up()) up(link.index, IFF_UP, IFF_UP);
      continue;
    }
    const IfIndex peer = ends.index();
    if (there->link(link.index) == nullptr) continue;
    if (!link.up() || link.carrier()) up(peer, IFF_UP, IFF_UP);
    up(link.index, IFF_UP | link.flags, IFF_UP | kept_flags);
  }
  static_cast<void>(messages.finish());
}

void clone_addresses(const CloneSite& site) {
  const auto there = site.kernel.snapshot();
  if (!there) return site.decline("addresses", there.error().why);
  const auto same = [](const Address& a, const Address& b) {
    return a.link == b.link && a.local == b.local && a.peer == b.peer && a.scope == b.scope;
  };
  const auto among = [&](const Address& address, const std::vector<Address>& list) {
    return std::ranges::any_of(list, [&](const Address& each) { return same(each, address); });
  };
  CloneMessages removals(site.socket);
  for (const Address& address : there->addresses) {
    if (among(address, site.host.addresses)) continue;
    removals.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.delete_address(address, sequence);
    });
  }
  static_cast<void>(removals.finish());
  std::vector<const Address*> v4;
  std::vector<const Address*> v6;
  for (const Address& address : site.host.addresses) {
    if (among(address, there->addresses)) continue;
    (address.local.family() == Family::v4 ? v4 : v6).push_back(&address);
  }
  CloneMessages messages(site.socket);
  for (const Address* address : v4) {
    messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.add_address(*address, sequence);
    });
  }
  const auto outcomes = messages.finish();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].empty()) site.decline(words_for(*v4[i], site.host), outcomes[i]);
  }
  for (const Address* address : as_they_came(site.host, v6)) add_and_wait(site, *address);
}

void settle_links(const CloneSite& site) {
  for (const Link& link : site.host.links) {
    // rtnl_getlink() handles a carrier change that is waiting; a dump of all links does not.
    NetlinkRequest request(RTM_GETLINK, 0);
    request.extra<ifinfomsg>().ifi_index = static_cast<int>(link.index.value);
    static_cast<void>(
        site.socket.ask(request, "look at a link", [](const NetlinkMessage&) { return true; }));
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(2);
  while (Clock::now() < end) {
    const auto there = site.kernel.snapshot();
    if (there && routes_are_there(site.host, *there)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void lower_links(const CloneSite& site) {
  CloneMessages messages(site.socket);
  std::set<IfIndex> down;
  for (const Link& link : site.host.links) {
    if (link.up() || link.index == loopback_index) continue;
    down.insert(link.index);
    messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.set_flags(link.index, 0, IFF_UP, sequence);
    });
  }
  if (down.empty()) return;
  for (const Address& address : site.host.addresses) {
    if (!down.contains(address.link) || address.local.address.is_v4()) continue;
    const std::string name = site.host.link_name(address.link);
    static_cast<void>(write_value(fmt::format("{}/{}/keep_addr_on_down", conf6, name), 1));
  }
  static_cast<void>(messages.finish());
  // The kernel keeps the local route of an address that a link got while it was down, not of one
  // that it had when it went down.
  std::vector<const Address*> late;
  for (const Address& address : site.host.addresses) {
    const bool routed = std::ranges::any_of(site.host.routes, [&](const Route& route) {
      return route.table == table_local && route.type == RouteType::local &&
             route.dst == Prefix::host(address.local.address) && !route.next_hops.empty() &&
             route.next_hops.front().link == address.link;
    });
    if (down.contains(address.link) && routed) late.push_back(&address);
  }
  const auto v6 = std::stable_partition(late.begin(), late.end(), [](const Address* address) {
    return address->local.family() == Family::v4;
  });
  std::reverse(v6, late.end());  // the youngest stands first
  CloneMessages again(site.socket);
  for (const bool adding : {false, true}) {
    for (const Address* address : late) {
      again.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
        adding ? batch.add_address(*address, sequence) : batch.delete_address(*address, sequence);
      });
    }
  }
  static_cast<void>(again.finish());
}

void clone_neighbors(const CloneSite& site) {
  std::set<std::pair<IfIndex, Ip>> gateways;
  const auto note = [&](const NextHop& leg) {
    if (leg.gateway) gateways.emplace(leg.link, *leg.gateway);
  };
  for (const Route& route : site.host.routes) std::ranges::for_each(route.next_hops, note);
  for (const NextHopObject& object : site.host.nexthops) note(object.leg);
  CloneMessages messages(site.socket);
  for (const Neighbor& neighbor : site.host.neighbors) {
    if (neighbor.proxy() || !gateways.contains({neighbor.link, neighbor.address})) continue;
    messages.add(link_bound, [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.add_neighbor(neighbor, sequence);
    });
  }
  static_cast<void>(messages.finish());
}

}  // namespace retour
