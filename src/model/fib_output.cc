// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <charconv>

#include "model/fib.h"

namespace retour {

namespace {

/// "6.18.44" ≥ 6.16; unknown when the release is not told.
std::optional<bool> at_least(const std::string& release, int major, int minor) {
  int found_major = 0;
  int found_minor = 0;
  const char* const end = release.data() + release.size();
  const auto dot = std::from_chars(release.data(), end, found_major);
  if (dot.ec != std::errc{} || dot.ptr == end || *dot.ptr != '.') return std::nullopt;
  if (std::from_chars(dot.ptr + 1, end, found_minor).ec != std::errc{}) return std::nullopt;
  return found_major != major ? found_major > major : found_minor >= minor;
}

bool local_multicast(const Ip& ip) { return (ip.v4_bits() & 0xffffff00U) == 0xe0000000U; }

}  // namespace

// inet_select_addr().
std::optional<Ip> Fib::select_source(IfIndex link, std::optional<Ip> toward, Scope scope) const {
  // With route_localnet even host-scope addresses may serve as if they had scope link.
  const Scope limit = conf(link, Conf::route_localnet).value != 0 ? scope_link : scope_host;
  std::optional<Ip> first;
  for (const Address& address : snapshot_.addresses) {
    if (address.link != link || address.local.family() != Family::v4) continue;
    if (address.secondary() || std::min(address.scope, limit) > scope) continue;
    if (!toward ||
        Prefix{address.peer.value_or(address.local.address), address.local.length}.contains(
            *toward)) {
      return address.local.address;
    }
    if (!first) first = address.local.address;
  }
  if (first) return first;
  for (const Link& other : snapshot_.links) {
    for (const Address& address : snapshot_.addresses) {
      if (address.link != other.index || address.local.family() != Family::v4) continue;
      if (address.secondary() || address.scope == scope_link || address.scope > scope) continue;
      return address.local.address;
    }
  }
  return std::nullopt;
}

void Fib::finish(Lookup& lookup, const Decision& decision) const {
  lookup.verdict = decision.verdict;
  lookup.errnum = decision.errnum;
  lookup.table = decision.table;
  if (decision.rule != nullptr) lookup.rule_priority = decision.rule->priority;
  if (decision.route != nullptr) {
    lookup.route = static_cast<std::uint32_t>(decision.route - snapshot_.routes.data());
  }
  if (decision.leg != nullptr) {
    lookup.link = decision.leg->link;
    lookup.gateway = decision.leg->gateway;
    lookup.candidates = {lookup.link};
  }
}

// fib_select_path(): which leg of a multipath route. The hash seed is random, so the answer is a
// set; since 6.16 a leg whose own source is the flow's wins on output.
void Fib::select_leg(Lookup& lookup, const Decision& decision) const {
  if (decision.legs.size() < 2 || lookup.flow.oif) return;
  std::vector<const NextHop*> alive;
  for (const NextHop& leg : decision.legs) {
    if (usable(leg, lookup.flow)) alive.push_back(&leg);
  }
  const bool prefers_source = at_least(snapshot_.kernel, 6, 16).value_or(false);
  if (prefers_source && !lookup.flow.iif && !lookup.flow.src.is_unspecified() &&
      decision.route->nexthop_id == 0) {
    std::vector<const NextHop*> own;
    std::ranges::copy_if(alive, std::back_inserter(own), [&](const NextHop* leg) {
      return select_source(leg->link, leg->gateway, decision.route->scope) == lookup.flow.src;
    });
    if (!own.empty()) alive = std::move(own);
  }
  if (alive.empty()) return;
  lookup.link = alive.front()->link;
  lookup.gateway = alive.front()->gateway;
  lookup.candidates.clear();
  for (const NextHop* leg : alive) {
    if (std::ranges::find(lookup.candidates, leg->link) == lookup.candidates.end()) {
      lookup.candidates.push_back(leg->link);
    }
  }
}

Lookup Fib::output(const Flow& asked) const {
  Lookup lookup;
  lookup.flow = asked;
  Flow flow = asked;
  const auto refuse = [&](int error) {
    lookup.verdict = Verdict::invalid;
    lookup.errnum = error;
    return lookup;
  };
  const auto direct = [&](IfIndex link) {  // decided without a table
    lookup.verdict = flow.dst.is_multicast()           ? Verdict::multicast
                     : flow.dst.is_limited_broadcast() ? Verdict::broadcast
                                                       : Verdict::unicast;
    lookup.link = link;
    lookup.candidates = {link};
    lookup.source = flow.src.is_unspecified() ? select_source(link, std::nullopt, scope_link)
                                              : std::optional(flow.src);
    return lookup;
  };
  const bool bound = !flow.src.is_unspecified();
  const bool everyone = flow.dst.is_multicast() || flow.dst.is_limited_broadcast();
  if (bound) {
    if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) return refuse(EINVAL);
    const auto owner = owners_.find(flow.src.v4_bits());
    if (!flow.oif && everyone) {
      return owner == owners_.end() ? refuse(ENETUNREACH) : direct(owner->second.back());
    }
    if (owner == owners_.end()) {
      const auto local = tables_.find(table_local);
      Flow self;
      self.dst = flow.src;
      const PrefixIndex* table = merge_                   ? &merged_
                                 : local != tables_.end() ? &local->second
                                                          : nullptr;
      const Found found = table != nullptr ? find(*table, self) : Found{EAGAIN, 0, nullptr, {}};
      if (found.errnum != 0 || snapshot_.routes[found.route].type != RouteType::local) {
        return refuse(ENETUNREACH);
      }
    }
  }
  if (flow.oif) {
    const Link* link = snapshot_.link(*flow.oif);
    if (link == nullptr) return refuse(ENODEV);
    if (!link->up()) return refuse(ENETUNREACH);
    if (local_multicast(flow.dst) || flow.dst.is_limited_broadcast()) return direct(*flow.oif);
    if (!bound && flow.dst.is_multicast()) {
      flow.src = select_source(*flow.oif, std::nullopt, scope_global).value_or(Ip{});
    }
  }
  if (flow.dst.is_unspecified()) {
    lookup.verdict = Verdict::local;
    lookup.link = loopback_index;
    lookup.source = bound ? flow.src : Ip::v4(0x7f000001);
    return lookup;
  }
  const Decision decision = decide(flow, &lookup.steps);
  if (decision.errnum != 0) {
    // A socket bound to a device is on-link there whatever the tables say.
    if (flow.oif) return direct(*flow.oif);
    finish(lookup, decision);
    return lookup;
  }
  finish(lookup, decision);
  const auto prefsrc = decision.route->prefsrc;
  if (decision.verdict == Verdict::local) {
    lookup.source = bound ? flow.src : prefsrc.value_or(flow.dst);
    lookup.link = loopback_index;
    lookup.candidates = {loopback_index};
    return lookup;
  }
  select_leg(lookup, decision);
  lookup.source = bound     ? std::optional(flow.src)
                  : prefsrc ? prefsrc
                            : select_source(lookup.link, lookup.gateway, decision.route->scope);
  if (flow.dst.is_multicast()) lookup.verdict = Verdict::multicast;
  if (lookup.source && lookup.source->is_loopback() && lookup.link != loopback_index &&
      conf(lookup.link, Conf::route_localnet).value == 0) {
    return refuse(EINVAL);
  }
  return lookup;
}

}  // namespace retour
