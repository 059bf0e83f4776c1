// SPDX-License-Identifier: Apache-2.0
#include "model/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace retour {

namespace {

std::string_view type_name(RouteType type) {
  switch (type) {
    case RouteType::unicast:
      return "unicast";
    case RouteType::local:
      return "local";
    case RouteType::broadcast:
      return "broadcast";
    case RouteType::anycast:
      return "anycast";
    case RouteType::multicast:
      return "multicast";
    default:
      return "another type";
  }
}

std::string words(const std::optional<Ip>& ip) { return ip ? ip->str() : "none"; }

/// Sentences about what differs, joined by "; ".
class Differences {
 public:
  template <class T>
  void compare(std::string_view what, const T& ours, const T& kernels) {
    if (ours == kernels) return;
    if (!text_.empty()) text_ += "; ";
    text_ += fmt::format("{}: {}, the kernel says {}", what, ours, kernels);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Every way that the kernel may take.
std::vector<Way> ways_of(const Lookup& lookup) {
  // What is delivered to this host has no way to choose, whatever its route named.
  if (lookup.candidates.empty() || lookup.candidates.front().link != lookup.link) {
    return {{lookup.link, lookup.gateway, lookup.source, lookup.route}};
  }
  return lookup.candidates;
}

/// What rtm_type is when the kernel takes this way.
RouteType type_of(const Snapshot& snapshot, const Lookup& lookup, const Way& way) {
  // IPv6 names the type of the route as it stands, and sends by most of them alike.
  if (way.route && !lookup.flow.dst.is_v4()) return snapshot.routes[*way.route].type;
  switch (lookup.verdict) {
    case Verdict::local:
      return RouteType::local;
    case Verdict::broadcast:
      return RouteType::broadcast;
    case Verdict::multicast:
      return RouteType::multicast;
    default:
      // An anycast route sends as a unicast one does; the kernel keeps its name.
      return way.route && snapshot.routes[*way.route].type == RouteType::anycast
                 ? RouteType::anycast
                 : RouteType::unicast;
  }
}

/// Ways of IPv6 may differ in the table.
TableId table_of(const Snapshot& snapshot, const Lookup& lookup, const Way& way) {
  const bool by_route = way.route && !lookup.flow.dst.is_v4();
  return by_route ? snapshot.routes[*way.route].table : lookup.table;
}

/// IPv6 asks its multicast routing about these and, as there is none, says EMSGSIZE.
bool received_multicast6(const Snapshot& snapshot, const Lookup& lookup) {
  if (!lookup.flow.iif || lookup.flow.dst.is_v4() || !lookup.ok() || !lookup.route) return false;
  return snapshot.routes[*lookup.route].dst.address.is_multicast();
}

/// RTA_PREFSRC in the form of a Lookup: the source the packet would carry; nothing where the kernel
/// does not tell.
std::optional<Ip> source_of(const Flow& flow, const Answer& answer) {
  if (flow.iif) return std::nullopt;
  if (!flow.src.is_unspecified()) return flow.src;
  return answer.source && answer.source->is_unspecified() ? std::nullopt : answer.source;
}

/// The nexthop objects that a route may come to.
std::vector<std::uint32_t> objects_of(const Snapshot& snapshot, const Route& route) {
  if (route.nexthop_id == 0) return {};
  std::vector<std::uint32_t> ids{route.nexthop_id};
  const auto object = std::ranges::find(snapshot.nexthops, route.nexthop_id, &NextHopObject::id);
  if (object == snapshot.nexthops.end()) return ids;
  for (const auto& member : object->group) ids.push_back(member.first);
  return ids;
}

bool share_an_object(const Snapshot& snapshot, const Route& a, const Route& b) {
  const auto ids = objects_of(snapshot, a);
  return std::ranges::any_of(objects_of(snapshot, b), [&](std::uint32_t id) {
    return std::ranges::find(ids, id) != ids.end();
  });
}

/// IPv6 keeps what it made of one route beside its nexthop object and gives it to others that use
/// the object: the answer then names the table, the type and the metric of that one.
bool names_a_sharer(const Snapshot& snapshot, const Way& way, const Answer& answer) {
  if (!way.route) return false;
  const Route& route = snapshot.routes[*way.route];
  if (route.family() == Family::v4 || route.nexthop_id == 0) return false;
  return std::ranges::any_of(snapshot.routes, [&](const Route& other) {
    if (other.nexthop_id == 0 || other.family() != Family::v6) return false;
    if (other.table != answer.table || other.type != answer.type) return false;
    if (answer.metric && other.metric != *answer.metric) return false;
    return share_an_object(snapshot, route, other);
  });
}

/// fib_find_info(): routes that differ in nothing but their prefix have their legs in common.
bool have_legs_in_common(const Snapshot& snapshot, const Route& a, const Route& b) {
  if (a.nexthop_id != 0 || b.nexthop_id != 0) return share_an_object(snapshot, a, b);
  Route like = b;
  like.dst = a.dst;
  like.tos = a.tos;
  return like == a;
}

/// __mkroute_output() keeps what it made with the leg, for each processor, and gives it to whatever
/// else goes by that leg: the type is then that of the destination it was made for.
bool names_a_leg_sharer(const Snapshot& snapshot, const Lookup& lookup, const Route& route,
                        RouteType named) {
  // By routes shorter than that, multicast is sent as if there were none.
  constexpr std::uint8_t shortest = 4;
  if (lookup.flow.iif || !lookup.flow.dst.is_v4()) return false;
  if (lookup.verdict == Verdict::multicast && route.dst.length < shortest) return false;
  return std::ranges::any_of(snapshot.routes, [&](const Route& other) {
    if (other.family() != Family::v4 || !have_legs_in_common(snapshot, other, route)) return false;
    const bool multicast = other.dst.address.is_multicast() && other.dst.length >= shortest;
    return named == (multicast ? RouteType::multicast : other.type);
  });
}

std::string difference(const Snapshot& snapshot, const Lookup& lookup, const Way& way,
                       const Answer& answer) {
  const Flow& flow = lookup.flow;
  Differences differences;
  const bool shared = names_a_sharer(snapshot, way, answer);
  const RouteType type = type_of(snapshot, lookup, way);
  const auto others = [&] {
    return way.route &&
           names_a_leg_sharer(snapshot, lookup, snapshot.routes[*way.route], answer.type);
  };
  if (!shared) {
    if (type != answer.type && !others()) {
      differences.compare("type", type_name(type), type_name(answer.type));
    }
    differences.compare("table", table_of(snapshot, lookup, way).value, answer.table.value);
  }
  differences.compare("device", snapshot.link_name(way.link), snapshot.link_name(answer.link));
  differences.compare("gateway", words(way.gateway), words(answer.gateway));
  if (!flow.iif) {
    const bool chosen = way.source && !way.source->is_unspecified();
    differences.compare("source", words(chosen ? way.source : std::nullopt),
                        words(source_of(flow, answer)));
  }
  if (answer.metric && way.route && !shared) {
    differences.compare("metric", snapshot.routes[*way.route].metric, *answer.metric);
  }
  return differences.text();
}

std::string legs_of(const Snapshot& snapshot, const Route& route) {
  std::vector<std::string> legs;
  for (const NextHop& leg : route.next_hops) {
    legs.push_back(
        fmt::format("[{} {} {}]", snapshot.link_name(leg.link), words(leg.gateway), leg.weight));
  }
  // IPv6 begins with the leg that it took.
  if (route.family() == Family::v6) std::ranges::sort(legs);
  return legs.empty() ? "none" : fmt::format("{}", fmt::join(legs, ""));
}

std::string difference(const Snapshot& snapshot, const Lookup& lookup, const Route& ours,
                       const Route& matched) {
  Differences differences;
  const bool everyone = lookup.flow.dst.is_multicast() || lookup.flow.dst.is_limited_broadcast();
  differences.compare("matched prefix", ours.dst.network().str(), matched.dst.str());
  const bool v6 = ours.family() == Family::v6;
  differences.compare("matched table", v6 ? ours.table.value : lookup.table.value,
                      matched.table.value);
  // The type is the packet's, not the entry's.
  if (!everyone && ours.type != matched.type &&
      !names_a_leg_sharer(snapshot, lookup, ours, matched.type)) {
    differences.compare("matched type", type_name(ours.type), type_name(matched.type));
  }
  differences.compare<unsigned>("matched tos", ours.tos, matched.tos);
  differences.compare<unsigned>("matched scope", ours.scope, matched.scope);
  differences.compare<unsigned>("matched protocol", ours.protocol, matched.protocol);
  differences.compare("matched metric", ours.metric, matched.metric);
  differences.compare("matched src", words(ours.prefsrc), words(matched.prefsrc));
  differences.compare("matched nhid", ours.nexthop_id, matched.nexthop_id);
  if (ours.nexthop_id == 0) {
    differences.compare("matched legs", legs_of(snapshot, ours), legs_of(snapshot, matched));
  }
  return differences.text();
}

/// The shortest of the differences to each way; one that does not differ ends the search.
template <class Compare>
std::string least(const std::vector<Way>& ways, Compare compare) {
  std::optional<std::string> least;
  for (const Way& way : ways) {
    std::string differs = compare(way);
    if (differs.empty()) return {};
    if (!least || differs.size() < least->size()) least = std::move(differs);
  }
  if (ways.size() > 1) *least += fmt::format(" (nearest of {} candidates)", ways.size());
  return *least;
}

}  // namespace

std::string errno_name(int errnum) {
  static constexpr std::array<std::pair<int, std::string_view>, 10> names{{
      {0, "success"},
      {EINVAL, "EINVAL"},
      {EACCES, "EACCES"},
      {ENODEV, "ENODEV"},
      {EXDEV, "EXDEV"},
      {EMSGSIZE, "EMSGSIZE"},
      {ENETUNREACH, "ENETUNREACH"},
      {EHOSTUNREACH, "EHOSTUNREACH"},
      {EAFNOSUPPORT, "EAFNOSUPPORT"},
      {EOPNOTSUPP, "EOPNOTSUPP"},
  }};
  const auto it = std::ranges::find(names, errnum, [](const auto& each) { return each.first; });
  return it != names.end() ? std::string(it->second) : fmt::format("errno {}", errnum);
}

Flow as_asked(const Flow& flow) {
  Flow asked = flow;
  if (flow.dst.is_v4() && flow.ip_proto == 0) asked.ip_proto = proto_udp;
  if (flow.iif) {
    asked.oif.reset();
    if (flow.dst.is_v4()) {
      asked.uid = 0;
      if (asked.ip_proto == proto_icmp) {
        asked.sport = 0;
        asked.dport = 0;
      }
    }
  }
  return asked;
}

std::string difference(const Snapshot& snapshot, const Lookup& lookup, const Answer& answer) {
  if (lookup.errnum != 0 || answer.errnum != 0) {
    if (lookup.errnum == answer.errnum) return {};
    if (answer.errnum != 0 && lookup.or_errnum == answer.errnum) return {};
    if (answer.errnum == EMSGSIZE && received_multicast6(snapshot, lookup)) return {};
    const std::string kernels =
        answer.errnum != 0 ? errno_name(answer.errnum) : describe(snapshot, answer);
    return fmt::format("error: {} ({}), the kernel says {}", errno_name(lookup.errnum),
                       name(lookup.verdict), kernels);
  }
  return least(ways_of(lookup),
               [&](const Way& way) { return difference(snapshot, lookup, way, answer); });
}

std::string difference(const Snapshot& snapshot, const Lookup& lookup,
                       const std::optional<Route>& matched) {
  return least(ways_of(lookup), [&](const Way& way) -> std::string {
    const bool ours = lookup.ok() && way.route && lookup.table.value != 0;
    if (!ours && !matched) return {};
    if (!ours) return fmt::format("matched: nothing, the kernel says {}", matched->dst.str());
    const Route& route = snapshot.routes[*way.route];
    if (!matched && lookup.or_errnum != 0) return {};
    if (!matched && received_multicast6(snapshot, lookup)) return {};
    // Of those that share a nexthop object any may be named.
    if (route.family() == Family::v6 && route.nexthop_id != 0) {
      if (!matched || matched->nexthop_id == 0) {
        return "matched: a nexthop object, the kernel says otherwise";
      }
      if (have_legs_in_common(snapshot, route, *matched)) return {};
      return fmt::format("matched nhid: {}, the kernel says {}", route.nexthop_id,
                         matched->nexthop_id);
    }
    if (!matched) return fmt::format("matched: {}, the kernel says nothing", route.dst.str());
    return difference(snapshot, lookup, route, *matched);
  });
}

std::string describe(const Snapshot& snapshot, const Answer& answer) {
  if (answer.errnum != 0) return errno_name(answer.errnum);
  std::string text(type_name(answer.type));
  if (answer.gateway) text += fmt::format(" via {}", answer.gateway->str());
  text += fmt::format(" dev {}", snapshot.link_name(answer.link));
  if (answer.source) text += fmt::format(" src {}", answer.source->str());
  return text + fmt::format(" table {}", answer.table.value);
}

}  // namespace retour
