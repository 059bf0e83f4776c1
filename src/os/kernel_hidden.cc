// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_hidden.h"

#include <algorithm>
#include <cerrno>

#include "model/answer.h"
#include "model/fib.h"
#include "os/kernel_ask.h"

namespace retour {
namespace {

/// What the kernel answers; nothing when asking itself failed.
std::optional<Answer> ask(NetlinkSocket& socket, const Flow& flow) {
  const auto answers = ask_kernel(socket, {&flow, 1});
  return answers ? std::optional(answers->front()) : std::nullopt;
}

std::optional<Answer> ask(NetlinkSocket& socket, const Ip& dst) {
  Flow flow;
  flow.dst = dst;
  return ask(socket, flow);
}

/// As far as the list of rules tells: any rule that is not the kernel's own was added.
bool shows_custom_rules(const Snapshot& snapshot, Family family) {
  const std::ptrdiff_t fresh = family == Family::v4 ? 3 : 2;
  const auto of_family = [family](const Rule& rule) { return rule.family == family; };
  const auto added = [&](const Rule& rule) {
    return of_family(rule) && rule.protocol != protocol_kernel;
  };
  const auto there = std::ranges::count_if(snapshot.rules, of_family);
  // IPv6 does not notice that one of its own is gone, IPv4 does.
  const bool other_count = family == Family::v4 ? there != fresh : there > fresh;
  return other_count || std::ranges::any_of(snapshot.rules, added);
}

/// The table that IPv4 names for one of the host's own addresses, if the lookup says local.
std::optional<TableId> table_of_local(NetlinkSocket& socket, const Ip& local) {
  const auto reply = ask(socket, local);
  if (!reply || reply->errnum != 0 || reply->type != RouteType::local) return std::nullopt;
  return reply->table;
}

/// Without custom rules `local` is merged into `main`, and the answer names that one. Needs an
/// address that is local, and not by a route that main itself has.
std::optional<bool> by_local_addresses(NetlinkSocket& socket, const Snapshot& snapshot) {
  const auto local_in = [](const Route& route, TableId table) {
    return route.table == table && route.type == RouteType::local && route.family() == Family::v4;
  };
  std::vector<Prefix> of_main;
  for (const Route& route : snapshot.routes) {
    if (local_in(route, table_main)) of_main.push_back(route.dst);
  }
  int tries = 16;
  for (const Route& route : snapshot.routes) {
    const Ip& own = route.dst.address;
    if (!local_in(route, table_local) || route.dst.length != 32) continue;
    const auto holds = [&own](const Prefix& prefix) { return prefix.contains(own); };
    if (std::ranges::any_of(of_main, holds)) continue;
    const auto table = table_of_local(socket, own);
    if (table == table_main) return false;
    if (table == table_local) return true;
    if (tries-- == 0) break;
  }
  return std::nullopt;
}

/// Packets that may go by a route: to its first and last address, from whatever link and from its
/// own; a route that takes all but what is bound elsewhere hides the others.
std::vector<Flow> flows_by(const Route& route) {
  std::vector<Flow> flows;
  for (const Ip& dst : {route.dst.address, route.dst.last()}) {
    Flow flow;
    flow.dst = dst;
    flows.push_back(flow);
    if (route.next_hops.empty()) continue;
    flow.oif = route.next_hops.front().link;
    flows.push_back(flow);
  }
  return flows;
}

/// A packet is looked for that the model sends elsewhere when the rules are asked.
std::optional<bool> by_model(NetlinkSocket& socket, const Snapshot& snapshot, Family family) {
  const auto of_family = [family](const Route& route) { return route.family() == family; };
  if (std::ranges::none_of(snapshot.routes, of_family)) return std::nullopt;
  Snapshot never = snapshot;
  never.hidden.custom_rules_v4 = false;
  never.hidden.custom_rules_v6 = false;
  Snapshot once = snapshot;
  once.hidden.custom_rules_v4 = true;
  once.hidden.custom_rules_v6 = true;
  const Fib unasked(never);
  const Fib asked(once);
  int tries = 16;
  for (const Route& route : snapshot.routes) {
    if (!of_family(route)) continue;
    for (const Flow& flow : flows_by(route)) {
      const Lookup without = unasked.output(flow);
      const Lookup with = asked.output(flow);
      if (without.errnum == with.errnum && without.table == with.table) continue;
      const auto reply = ask(socket, as_asked(flow));
      if (!reply || tries-- == 0) return std::nullopt;
      const bool is_without = difference(snapshot, without, *reply).empty();
      const bool is_with = difference(snapshot, with, *reply).empty();
      if (is_without != is_with) return is_with;
    }
  }
  return std::nullopt;
}

std::optional<bool> custom_rules_v4(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (shows_custom_rules(snapshot, Family::v4)) return true;
  const auto known = by_local_addresses(socket, snapshot);
  return known ? known : by_model(socket, snapshot, Family::v4);
}

/// Rules that are the kernel's own or fewer: only where one is missing does it matter whether they
/// are asked.
std::optional<bool> custom_rules_v6(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (shows_custom_rules(snapshot, Family::v6)) return true;
  if (std::ranges::count(snapshot.rules, Family::v6, &Rule::family) >= 2) return std::nullopt;
  return by_model(socket, snapshot, Family::v6);
}

/// A source that is not a host's, and not one of our own addresses either: one of 127.0.0.0/8, or a
/// broadcast address. Only the tables know it, and its links may be without carrier.
std::optional<Ip> impossible_source(NetlinkSocket& socket, const Snapshot& snapshot) {
  std::vector<Ip> sources;
  for (std::uint32_t host = 2; host < 6; ++host) sources.push_back(Ip::v4(0x7f000000U + host));
  for (const Route& route : snapshot.routes) {
    if (route.family() != Family::v4 || route.type != RouteType::broadcast) continue;
    if (!route.dst.address.is_limited_broadcast()) sources.push_back(route.dst.address);
  }
  for (const Ip& ip : sources) {
    const auto is_own = [&](const Address& own) { return own.local.address == ip; };
    if (std::ranges::any_of(snapshot.addresses, is_own)) continue;
    const auto reply = ask(socket, ip);
    if (!reply || reply->errnum != 0) continue;
    if (reply->type == RouteType::local || reply->type == RouteType::broadcast) return ip;
  }
  return std::nullopt;
}

/// fib_validate_source(): a packet from such a source passes the cheap check, and fails the
/// thorough one, which is made once a local route was ever added by hand. To 255.255.255.255 no
/// other check comes before.
std::optional<bool> custom_local_routes_v4(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (snapshot.hidden.custom_rules_v4 != false) return std::nullopt;
  if (std::ranges::any_of(snapshot.routes, [](const Route& route) {
        return route.family() == Family::v4 && route.type == RouteType::local &&
               route.protocol != protocol_kernel;
      })) {
    return true;
  }
  const auto source = impossible_source(socket, snapshot);
  if (!source) return std::nullopt;
  constexpr std::uint32_t smallest_mtu = 68;  // a link of less has no IPv4
  for (const Link& link : snapshot.links) {
    const auto is = [&](Conf conf, std::int32_t wanted) {
      const EffectiveConf value = snapshot.effective(link.index, conf);
      return value.known && value.value == wanted;
    };
    if (link.mtu < smallest_mtu) continue;
    if (!is(Conf::rp_filter, 0) || !is(Conf::accept_local, 0)) continue;
    Flow flow;
    flow.dst = Ip::v4(0xffffffffU);
    flow.src = *source;
    flow.iif = link.index;
    const auto reply = ask(socket, flow);
    if (!reply) return std::nullopt;
    if (reply->errnum == 0 && reply->type == RouteType::broadcast) return false;
    if (reply->errnum == EINVAL) return true;
  }
  return std::nullopt;
}

}  // namespace

void read_hidden(NetlinkSocket& socket, Snapshot& snapshot) {
  snapshot.hidden.custom_rules_v4 = custom_rules_v4(socket, snapshot);
  snapshot.hidden.custom_local_routes_v4 = custom_local_routes_v4(socket, snapshot);
  snapshot.hidden.custom_rules_v6 = custom_rules_v6(socket, snapshot);
}

}  // namespace retour
