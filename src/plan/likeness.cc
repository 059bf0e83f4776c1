// SPDX-License-Identifier: Apache-2.0
#include "plan/likeness.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/describe.h"

namespace retour {

namespace {

constexpr std::uint8_t leg_dead = 1;
constexpr std::uint8_t leg_linkdown = 16;
// The rest says how an address came to be, not what it does.
constexpr std::uint32_t telling_address_flags = 0x01 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40;

/// The entry alone: `leg_flags` are kept.
Route bare(Route route, std::uint8_t leg_flags) {
  route.dst = route.dst.network();
  route.flags = 0;
  if (route.nexthop_id != 0) {
    // They are the object's, and so is what else stands there for readers that know no objects.
    route.next_hops.clear();
    route.other.clear();
  }
  for (NextHop& leg : route.next_hops) leg.flags &= leg_flags;
  // IPv6 begins its list of legs with any of them.
  if (route.family() == Family::v6) {
    std::ranges::sort(route.next_hops, {}, [](const NextHop& leg) {
      return std::tuple(leg.link, leg.gateway, leg.weight);
    });
  }
  std::ranges::sort(route.other, {}, &RawAttribute::type);
  return route;
}

/// Two lists that are to be equal: which elements only one of them has, or that the order differs.
/// One that is there in another state is missing, not surplus.
template <class T, class Same>
void compare(const std::vector<T>& wanted, const std::vector<T>& there, const Snapshot& host,
             Unlike& out, Same same) {
  if (wanted == there) return;
  std::vector<T> rest = there;
  std::vector<T> unmet;
  for (const T& each : wanted) {
    const auto it = std::ranges::find(rest, each);
    if (it != rest.end()) {
      rest.erase(it);
    } else {
      unmet.push_back(each);
      out.missing.push_back(words_for(each, host));
    }
  }
  if (unmet.empty() && rest.empty()) {
    out.missing.push_back("the order of: " + words_for(wanted.front(), host));
  }
  for (const T& each : unmet) {
    const auto it = std::ranges::find_if(rest, [&](const T& other) { return same(each, other); });
    if (it != rest.end()) rest.erase(it);
  }
  for (const T& each : rest) out.surplus.push_back(words_for(each, host));
}

template <class T>
bool never_same(const T& /*a*/, const T& /*b*/) {
  return false;
}

void compare_routes(const Snapshot& wanted, const Snapshot& there, Unlike& out) {
  const auto ours = route_groups(wanted);
  const auto theirs = route_groups(there);
  const auto list = [](const Snapshot& host, const std::vector<std::size_t>* of) {
    std::vector<Route> routes;
    if (of == nullptr) return routes;
    for (const std::size_t i : *of) {
      routes.push_back(bare(host.routes[i], leg_dead | leg_linkdown));
    }
    return routes;
  };
  for (const auto& [group, indices] : ours) {
    const auto it = theirs.find(group);
    compare(list(wanted, &indices), list(there, it != theirs.end() ? &it->second : nullptr), wanted,
            out, same_entry);
  }
  for (const auto& [group, indices] : theirs) {
    if (!ours.contains(group)) compare({}, list(there, &indices), wanted, out, same_entry);
  }
}

template <class Table, class Values>
void compare_conf(const Table& table, std::string_view path, const std::string& scope,
                  const Values& wanted, const Values& there, Unlike& out) {
  for (const auto& about : table) {
    const auto value = wanted.get(about.conf);
    const auto is = there.get(about.conf);
    if (!value || value == is) continue;
    out.missing.push_back(fmt::format("{}.{}.{} = {} ({})", path, scope, about.name, *value,
                                      is ? fmt::format("it is {}", *is) : "there is none"));
  }
}

void compare_links(const Snapshot& wanted, const Snapshot& there, Unlike& out) {
  constexpr std::string_view v4 = "net.ipv4.conf";
  constexpr std::string_view v6 = "net.ipv6.conf";
  compare_conf(conf_table(), v4, "all", wanted.conf_all, there.conf_all, out);
  compare_conf(conf6_table(), v6, "all", wanted.conf6_all, there.conf6_all, out);
  for (const Link& link : wanted.links) {
    const Link* is = there.link(link.index);
    if (is == nullptr) {
      out.missing.push_back("link " + link.name);
      continue;
    }
    const auto differs = [&](std::string_view what, bool it_does) {
      if (it_does) out.missing.push_back(fmt::format("link {}: {}", link.name, what));
    };
    differs("its name", link.name != is->name);
    differs("up or down", link.up() != is->up());
    differs("its carrier", link.up() && link.carrier() != is->carrier());
    differs("its MTU", link.mtu != is->mtu && link.mtu != 0);
    differs("its group", link.group != is->group);
    differs("whether it has ARP", link.noarp() != is->noarp());
    compare_conf(conf_table(), v4, link.name, link.conf, is->conf, out);
    compare_conf(conf6_table(), v6, link.name, link.conf6, is->conf6, out);
  }
}

void compare_addresses(const Snapshot& wanted, const Snapshot& there, Unlike& out) {
  using Key = std::pair<IfIndex, Family>;
  const auto lists = [](const Snapshot& host) {
    std::map<Key, std::vector<Address>> by_link;
    for (Address address : host.addresses) {
      address.flags &= telling_address_flags;
      address.label.clear();
      address.metric = 0;
      address.protocol = 0;
      by_link[{address.link, address.local.family()}].push_back(std::move(address));
    }
    return by_link;
  };
  const auto same = [](const Address& a, const Address& b) { return a.local == b.local; };
  const auto ours = lists(wanted);
  auto theirs = lists(there);
  for (const auto& [key, list] : ours) compare(list, theirs[key], wanted, out, same);
  for (const auto& [key, list] : theirs) {
    if (!ours.contains(key)) compare({}, list, wanted, out, same);
  }
}

void compare_rules(const Snapshot& wanted, const Snapshot& there, Unlike& out) {
  for (const Family family : {Family::v4, Family::v6}) {
    const auto of_family = [&](const Snapshot& host) {
      std::vector<Rule> rules;
      std::ranges::copy_if(host.rules, std::back_inserter(rules),
                           [&](const Rule& rule) { return rule.family == family; });
      return rules;
    };
    compare(of_family(wanted), of_family(there), wanted, out, never_same<Rule>);
  }
}

void compare_nexthops(const Snapshot& wanted, const Snapshot& there, Unlike& out) {
  const auto list = [](const Snapshot& host) {
    std::vector<NextHopObject> objects = host.nexthops;
    for (NextHopObject& object : objects) {
      object.leg.flags &= leg_dead | leg_linkdown;
      object.other.clear();
      object.protocol = 0;
      if (!object.group.empty() || object.blackhole) object.leg = {};
    }
    std::ranges::sort(objects, {}, &NextHopObject::id);
    return objects;
  };
  compare(list(wanted), list(there), wanted, out, never_same<NextHopObject>);
}

void compare_hidden(const HiddenBits& wanted, const HiddenBits& there, Unlike& out) {
  const auto differs = [&](const char* what, std::optional<bool> a, std::optional<bool> b) {
    if (a && b && a != b) out.missing.push_back(fmt::format("{}: {}", what, *a ? "yes" : "no"));
  };
  differs("whether IPv4 rules were ever added", wanted.custom_rules_v4, there.custom_rules_v4);
  differs("whether IPv6 rules were ever added", wanted.custom_rules_v6, there.custom_rules_v6);
  differs("whether a local route was ever added", wanted.custom_local_routes_v4,
          there.custom_local_routes_v4);
}

}  // namespace

std::string words_for(const Route& route, const Snapshot& host) {
  std::string text = describe({AddRoute{route}, {}}, &host);
  constexpr std::string_view verb = "add ";
  if (text.starts_with(verb)) text.erase(0, verb.size());
  const auto any = [&](std::uint8_t flag) {
    return std::ranges::any_of(route.next_hops,
                               [&](const NextHop& leg) { return (leg.flags & flag) != 0; });
  };
  if (any(leg_dead)) text += " dead";
  if (any(leg_linkdown)) text += " linkdown";
  return text;
}

std::string words_for(const Rule& rule, const Snapshot& host) {
  return fmt::format("{}rule {}: {}", rule.family == Family::v6 ? "IPv6 " : "", rule.priority,
                     rule_words(rule, &host));
}

std::string words_for(const Address& address, const Snapshot& host) {
  return fmt::format("address {}/{} of {}", address.local.address.str(), address.local.length,
                     host.link_name(address.link));
}

std::string words_for(const NextHopObject& object, const Snapshot& /*host*/) {
  return fmt::format("nexthop object {}", object.id);
}

RouteGroup group_of(const Route& route) {
  return {route.table, route.dst.network(), route.src, route.tos, route.metric};
}

std::map<RouteGroup, std::vector<std::size_t>> route_groups(const Snapshot& host) {
  std::map<RouteGroup, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < host.routes.size(); ++i) {
    if (!host.routes[i].expired) groups[group_of(host.routes[i])].push_back(i);
  }
  return groups;
}

bool same_entry(const Route& a, const Route& b) { return bare(a, 0) == bare(b, 0); }

Unlike unlike(const Snapshot& wanted, const Snapshot& there) {
  Unlike out;
  compare_links(wanted, there, out);
  compare_addresses(wanted, there, out);
  compare_nexthops(wanted, there, out);
  compare_routes(wanted, there, out);
  compare_rules(wanted, there, out);
  compare_hidden(wanted.hidden, there.hidden, out);
  return out;
}

}  // namespace retour
