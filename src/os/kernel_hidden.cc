// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_hidden.h"

#include <algorithm>
#include <cerrno>

#include "model/answer.h"
#include "model/fib6.h"
#include "os/kernel_ask.h"

namespace retour {
namespace {

/// What the kernel answers; nothing when asking itself failed.
std::optional<Answer> ask(NetlinkSocket& socket, const Ip& dst, const Ip& src = {},
                          std::optional<IfIndex> iif = {}) {
  Flow flow;
  flow.dst = dst;
  flow.src = src;
  flow.iif = iif;
  const auto answers = ask_kernel(socket, {&flow, 1});
  return answers ? std::optional(answers->front()) : std::nullopt;
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

std::optional<bool> custom_rules_v4(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (shows_custom_rules(snapshot, Family::v4)) return true;
  // Without custom rules `local` is merged into `main`, and the answer names that one. Needs an
  // address that is local: a host whose loopback is down may have another.
  auto table = table_of_local(socket, Ip::v4(0x7f000001));
  for (std::size_t i = 0; !table && i < snapshot.addresses.size(); ++i) {
    const Ip& own = snapshot.addresses[i].local.address;
    if (own.is_v4()) table = table_of_local(socket, own);
  }
  if (table == table_main) return false;
  if (table == table_local) return true;
  return std::nullopt;
}

/// Rules that are the kernel's own or fewer: only where one is missing does it matter whether they
/// are asked. Then a destination is looked for that would be decided otherwise.
std::optional<bool> custom_rules_v6(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (shows_custom_rules(snapshot, Family::v6)) return true;
  const auto rules = std::ranges::count(snapshot.rules, Family::v6, &Rule::family);
  const bool routed = std::ranges::any_of(
      snapshot.routes, [](const Route& route) { return route.family() == Family::v6; });
  if (rules >= 2 || !routed) return std::nullopt;
  Snapshot never = snapshot;
  never.hidden.custom_rules_v6 = false;
  Snapshot once = snapshot;
  once.hidden.custom_rules_v6 = true;
  const Fib6 unasked(never);
  const Fib6 asked(once);
  int tries = 16;
  for (const Route& route : snapshot.routes) {
    if (route.family() != Family::v6) continue;
    for (const Ip& dst : {route.dst.address, route.dst.last()}) {
      Flow flow;
      flow.dst = dst;
      const Lookup without = unasked.output(flow);
      const Lookup with = asked.output(flow);
      if (without.errnum == with.errnum && without.table == with.table) continue;
      const auto reply = ask(socket, dst);
      if (!reply || tries-- == 0) return std::nullopt;
      const bool is_without = difference(snapshot, without, *reply).empty();
      const bool is_with = difference(snapshot, with, *reply).empty();
      if (is_without != is_with) return is_with;
    }
  }
  return std::nullopt;
}

/// A packet whose source is a broadcast address passes the cheap source check, and fails the
/// thorough one, which is made once a local route was ever added by hand (fib_validate_source()).
std::optional<bool> custom_local_routes_v4(NetlinkSocket& socket, const Snapshot& snapshot) {
  if (snapshot.hidden.custom_rules_v4 != false) return std::nullopt;
  if (std::ranges::any_of(snapshot.routes, [](const Route& route) {
        return route.family() == Family::v4 && route.type == RouteType::local &&
               route.protocol != protocol_kernel;
      })) {
    return true;
  }
  const auto owned = [&](const Ip& ip) {
    return std::ranges::any_of(snapshot.addresses,
                               [&](const Address& own) { return own.local.address == ip; });
  };
  // One that the kernel itself takes for a broadcast address; its links may be without carrier.
  const auto broadcast = std::ranges::find_if(snapshot.routes, [&](const Route& route) {
    if (route.family() != Family::v4 || route.type != RouteType::broadcast) return false;
    const Ip& ip = route.dst.address;
    if (ip.is_loopback() || ip.is_limited_broadcast() || owned(ip)) return false;
    const auto reply = ask(socket, route.dst.address);
    return reply && reply->errnum == 0 && reply->type == RouteType::broadcast;
  });
  if (broadcast == snapshot.routes.end()) return std::nullopt;
  for (const Address& own : snapshot.addresses) {
    const Ip& ip = own.local.address;
    const Link* link = snapshot.link(own.link);
    if (!ip.is_v4() || ip.is_loopback() || link == nullptr || !link->up()) continue;
    const auto itself = ask(socket, ip);  // may be a multicast address, or a reject route's
    if (!itself || itself->errnum != 0 || itself->type != RouteType::local) continue;
    const auto value = [&](Conf conf) { return snapshot.effective(own.link, conf); };
    const EffectiveConf filter = value(Conf::rp_filter);
    const EffectiveConf accepts = value(Conf::accept_local);
    if (!filter.known || filter.value != 0 || !accepts.known || accepts.value != 0) continue;
    const auto reply = ask(socket, ip, broadcast->dst.address, own.link);
    if (!reply) return std::nullopt;
    if (reply->errnum == 0 && reply->type == RouteType::local) return false;
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
