// SPDX-License-Identifier: Apache-2.0
#include "text/explain_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "text/import_words.h"
#include "text/lines.h"
#include "text/printable.h"

namespace retour {

namespace {

std::string protocol_words(std::uint8_t protocol) {
  if (protocol == 0) return "not known";
  const auto known = name_of(ip_protocol_words(), protocol);
  return known ? std::string(*known) : std::to_string(protocol);
}

std::string links_words(const Snapshot& host, const std::vector<IfIndex>& links) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, links.size()); ++i) {
    text += (i == 0 ? "" : ", ") + link_label(host, links[i]);
  }
  if (links.size() > shown) text += fmt::format(" and {} more", links.size() - shown);
  return text;
}

std::vector<IfIndex> owners(const Snapshot& host, const Ip& ip) {
  std::vector<IfIndex> links;
  for (const Address& address : host.addresses) {
    if (address.local.address == ip) links.push_back(address.link);
  }
  return links;
}

bool has_address(const Snapshot& host, IfIndex link, Family family) {
  return std::ranges::any_of(host.addresses, [&](const Address& address) {
    return address.link == link && address.local.family() == family;
  });
}

/// Some rule asks for it, or it is not what `ip route get` takes anyhow.
bool protocol_matters(const Snapshot& host, const Flow& flow) {
  return flow.ip_proto != proto_udp || flow.sport != 0 || flow.dport != 0 ||
         std::ranges::any_of(host.rules, [&](const Rule& rule) {
           return rule.family == flow.dst.family() &&
                  (rule.ip_proto != 0 || rule.sport || rule.dport);
         });
}

/// One link, or word of the several that it may be.
std::string where_to(const Snapshot& host, const Lookup& lookup) {
  const auto& ways = lookup.candidates;
  const auto all = [&ways](const auto& alike) {
    return std::ranges::all_of(ways, [&](const Way& way) { return alike(way, ways.front()); });
  };
  const bool one_place =
      all([](const Way& a, const Way& b) { return a.link == b.link && a.gateway == b.gateway; });
  std::string text = link_label(host, lookup.link);
  if (lookup.gateway) text += " via " + lookup.gateway->str();
  if (ways.empty() || one_place) return text;
  const bool one_route = all([](const Way& a, const Way& b) { return a.route == b.route; });
  const Route* route = lookup.route ? &host.routes[*lookup.route] : nullptr;
  if (one_route && route != nullptr && route->nexthop_id == 0 && route->next_hops.size() == 1) {
    return text + ", or directly: it was settled when the route was added";
  }
  return fmt::format("one of {}, by {}", ways.size(),
                     one_route                 ? "a hash whose seed is random"
                     : lookup.flow.dst.is_v4() ? "turns, as their gateways are known to answer"
                                               : "what the kernel remembers of their routes");
}

std::string rp_filter_reason(const Snapshot& host, const Lookup& lookup) {
  const SourceCheck& check = *lookup.source_check;
  const IfIndex in = lookup.flow.iif.value_or(loopback_index);
  const std::string gate = gate_words(host, in, Conf::rp_filter, check.rp_filter);
  const std::string source = lookup.flow.src.str();
  if (check.errnum != 0) {
    return fmt::format("{}: there is no way back to {} ({}).", gate, source, name(check.way_back));
  }
  const std::string by = check.way_back == Verdict::local ? std::string("this host itself")
                                                          : links_words(host, check.links);
  if (!has_address(host, in, lookup.flow.dst.family())) {
    return fmt::format("{}: the way back to {} is {}, and {} has no address.", gate, source, by,
                       link_label(host, in));
  }
  return fmt::format("{}, strict: the way back to {} is {}, not {}, where it came in.", gate,
                     source, by, link_label(host, in));
}

std::string martian_reason(const Snapshot& host, const Lookup& lookup) {
  const Flow& flow = lookup.flow;
  const IfIndex in = flow.iif.value_or(loopback_index);
  if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) {
    return fmt::format("{} cannot be a source.", flow.src.str());
  }
  if (flow.dst.is_multicast() && flow.dst.is_v4() && !lookup.source_check &&
      !flow.src.is_loopback() && !flow.src.is_unspecified()) {
    return fmt::format("{} has not joined {}.", link_label(host, in), flow.dst.str());
  }
  if (flow.src.is_loopback() || flow.dst.is_loopback()) {
    return "Loopback addresses do not come from outside" +
           (flow.dst.is_v4() ? ": " + gate_words(host, in, Conf::route_localnet) : std::string()) +
           ".";
  }
  if (flow.src.is_unspecified() || flow.dst.is_unspecified()) {
    return flow.src.is_unspecified() ? "A packet without a source is not let in: say from SRC."
                                     : "0.0.0.0 is no destination.";
  }
  if (const auto links = owners(host, flow.src); !links.empty()) {
    return fmt::format("Its source {} is this host's own, on {}: {}.", flow.src.str(),
                       links_words(host, links), gate_words(host, in, Conf::accept_local));
  }
  if (lookup.source_check && lookup.source_check->looked_up) {
    return fmt::format("Its source {} is no host's: the way back is {}.", flow.src.str(),
                       name(lookup.source_check->way_back));
  }
  return {};
}

std::string refused_reason(const Snapshot& host, const Lookup& lookup) {
  const Flow& flow = lookup.flow;
  const auto device = flow.iif ? flow.iif : flow.oif;
  if (flow.src.is_multicast() || flow.src.is_limited_broadcast()) {
    return fmt::format("{} cannot be a source.", flow.src.str());
  }
  if (!flow.iif && !flow.src.is_unspecified() && owners(host, flow.src).empty() &&
      lookup.errnum == ENETUNREACH) {
    return fmt::format("{} is not an address of this host.", flow.src.str());
  }
  if (device) {
    const Link* link = host.link(*device);
    if (link == nullptr) return "There is no such device.";
    if (!link->up()) return fmt::format("{} is down.", link_label(host, *device));
    if (!flow.dst.is_v4() && host.effective(*device, Conf6::disable_ipv6).value != 0) {
      return fmt::format("IPv6 is off on {}: disable_ipv6=1.", link_label(host, *device));
    }
  }
  if (flow.src.is_loopback() && lookup.errnum == EINVAL) {
    return "A loopback source may not leave by that link: route_localnet=0.";
  }
  return {};
}

}  // namespace

std::string flow_words(const Snapshot& host, const Flow& flow) {
  std::string text = flow.dst.str();
  if (!flow.src.is_unspecified()) text += " from " + flow.src.str();
  if (flow.iif) {
    text += ", received on " + link_label(host, *flow.iif);
  } else {
    text += flow.src.is_unspecified() ? ", sent without a source" : ", sent by this host";
  }
  if (flow.oif) text += ", bound to " + link_label(host, *flow.oif);
  if (flow.ip_proto != 0 && protocol_matters(host, flow)) {
    text += ", " + protocol_words(flow.ip_proto);
    if (flow.sport != 0 || flow.dport != 0)
      text += fmt::format(" {} to {}", flow.sport, flow.dport);
  }
  if (flow.mark != 0) text += fmt::format(", mark {:#x}", flow.mark);
  if (flow.tos != 0) text += fmt::format(", tos {:#x}", flow.tos);
  if (flow.uid != 0) text += fmt::format(", uid {}", flow.uid);
  if (flow.flowlabel != 0) text += fmt::format(", flow label {:#x}", flow.flowlabel);
  return text;
}

std::string mismatch_words(const Snapshot& host, const Rule& rule, Selector selector,
                           const Flow& seen) {
  const auto port = [](std::string_view which, std::uint16_t value) {
    return value == 0 ? fmt::format("{} port not known", which)
                      : fmt::format("{} port {}", which, value);
  };
  switch (selector) {
    case Selector::iif:
      if (rule.iif != "lo" && host.link(rule.iif) == nullptr) return "there is no such link";
      return seen.iif && *seen.iif != loopback_index ? "came in by " + link_label(host, *seen.iif)
                                                     : "sent by this host";
    case Selector::oif:
      if (host.link(rule.oif) == nullptr) return "there is no such link";
      return seen.oif ? "bound to " + link_label(host, *seen.oif) : "bound to no device";
    case Selector::fwmark:
      return fmt::format("mark {:#x}", seen.mark);
    case Selector::tun_id:
      return "came by no tunnel";
    case Selector::l3mdev:
      return "no VRF is involved";
    case Selector::uid:
      return fmt::format("uid {}", seen.uid);
    case Selector::from:
      return seen.src.is_unspecified() ? "source unset" : "source " + seen.src.str();
    case Selector::to:
      return "destination " + seen.dst.str();
    case Selector::tos:
      return fmt::format("tos {:#x}", seen.tos);
    case Selector::dscp:
      return fmt::format("dscp {}", seen.tos >> 2U);
    case Selector::ip_proto:
      return "protocol " + protocol_words(seen.ip_proto);
    case Selector::sport:
      return port("source", seen.sport);
    case Selector::dport:
      return port("destination", seen.dport);
    case Selector::flowlabel:
      return fmt::format("flow label {:#x}", seen.flowlabel);
    case Selector::inverted:
      return "all of it holds, and it says not";
    case Selector::none:
      break;
  }
  return "";
}

const Considered* taken_of(const TableAsked& asked) {
  const auto it = std::ranges::find(asked.routes, RouteOutcome::taken, &Considered::outcome);
  return it != asked.routes.end() ? &*it : nullptr;
}

std::string_view route_reason(const Snapshot& host, const Considered& considered,
                              const Considered* taken) {
  const Route& route = host.routes[considered.route];
  switch (considered.outcome) {
    case RouteOutcome::taken:
      return "taken";
    case RouteOutcome::or_taken:
      return "or taken: after a deletion nearby";
    case RouteOutcome::other_tos:
      return "for another tos";
    case RouteOutcome::other_scope:
      return "of another scope";
    case RouteOutcome::no_answer:
      return "its gateway does not answer";
    case RouteOutcome::dead:
      return "its link is down";
    case RouteOutcome::linkdown:
      return "no carrier, and ignore_routes_with_linkdown is set";
    case RouteOutcome::other_device:
      return "by another device";
    case RouteOutcome::left_out:
      return route.family() == Family::v4 ? "hidden by a nexthop object without a usable leg"
                                          : "hidden by routes for other sources";
    case RouteOutcome::outranked:
      return "ranked lower";
    case RouteOutcome::expired:
      return "expired";
    case RouteOutcome::other_source:
      return "for other sources";
    case RouteOutcome::not_reached:
      break;
  }
  // Of a table with an answer it stands behind that; of one without, the answer was main's or
  // local's, which are one, and which has the longer prefix.
  if (taken == nullptr) {
    return route.family() == Family::v4 ? "shorter prefix (local and main are one table here)"
                                        : "not reached";
  }
  const Route& won = host.routes[taken->route];
  if (route.dst.length < won.dst.length) return "shorter prefix";
  if (route.tos != won.tos) return "for any tos";
  return route.metric > won.metric ? "higher metric" : "listed later";
}

namespace {

std::string outcome_of_first(const Snapshot& host, const Lookup& lookup) {
  const bool in = lookup.flow.iif.has_value();
  const bool by_link = lookup.link.value != 0 && !(in && lookup.link == loopback_index);
  const std::string_view stopped = in ? "dropped" : "refused";
  const auto error = [&] {
    return in ? std::string() : fmt::format(" ({})", errno_name(lookup.errnum));
  };
  const auto cast = [&](std::string_view what) {
    return by_link ? fmt::format("{} by {} as {}", in ? "forwarded" : "leaves",
                                 where_to(host, lookup), what)
                   : fmt::format("delivered to this host as {}", what);
  };
  switch (lookup.verdict) {
    case Verdict::unicast:
    case Verdict::anycast: {
      std::string text = (in ? "forwarded by " : "leaves by ") + where_to(host, lookup);
      if (!in && lookup.flow.src.is_unspecified() && lookup.candidates.size() < 2) {
        text += lookup.source ? ", source " + lookup.source->str() : ", without a source";
      }
      return text;
    }
    case Verdict::local:
      if (in) return "delivered to this host";
      return "stays on this host" + (lookup.flow.src.is_unspecified() && lookup.source
                                         ? ", source " + lookup.source->str()
                                         : std::string());
    case Verdict::broadcast:
      return cast("a broadcast");
    case Verdict::multicast:
      return cast("multicast");
    case Verdict::unreachable:
    case Verdict::prohibit:
    case Verdict::blackhole:
      return fmt::format("{}: {}{}", stopped, name(lookup.verdict), error());
    case Verdict::no_route:
      return fmt::format("{}: no route{}", stopped, error());
    case Verdict::martian:
      return "dropped: martian";
    case Verdict::rp_filter:
      return "dropped by rp_filter";
    case Verdict::no_forward:
      return "dropped: not for this host, and not forwarded";
    case Verdict::invalid:
      return fmt::format("{}{}{}", stopped, lookup.steps.empty() ? " before any lookup" : "",
                         error());
  }
  return {};
}

}  // namespace

std::string outcome_words(const Snapshot& host, const Lookup& lookup) {
  std::string text = outcome_of_first(host, lookup);
  if (lookup.or_errnum != 0) {
    text += fmt::format(", or is {} ({}), as the hash falls",
                        lookup.flow.iif ? "dropped" : "refused", errno_name(lookup.or_errnum));
  }
  return text;
}

std::string outcome_reason(const Snapshot& host, const Lookup& lookup) {
  const Flow& flow = lookup.flow;
  switch (lookup.verdict) {
    case Verdict::rp_filter:
      return lookup.source_check ? rp_filter_reason(host, lookup) : std::string();
    case Verdict::martian:
      return martian_reason(host, lookup);
    case Verdict::invalid:
      return refused_reason(host, lookup);
    case Verdict::no_forward:
      return fmt::format("{} is no address of this host: {}.", flow.dst.str(),
                         flow.dst.is_v4()
                             ? gate_words(host, flow.iif.value_or(loopback_index), Conf::forwarding)
                             : "net.ipv6.conf.all.forwarding=0");
    default:
      break;
  }
  if (!lookup.ok()) return {};
  if (flow.iif) {
    const auto links = owners(host, flow.dst);
    if (lookup.verdict != Verdict::local || links.empty() ||
        std::ranges::find(links, *flow.iif) != links.end()) {
      return {};
    }
    return fmt::format("{} is the address of {}, and is taken in by any link.", flow.dst.str(),
                       links_words(host, links));
  }
  if (flow.oif && lookup.table.value == 0 && !lookup.steps.empty()) {
    return fmt::format("No route says so: what is bound to {} is taken to be on-link there.",
                       link_label(host, *flow.oif));
  }
  if (flow.oif && !flow.dst.is_v4() && lookup.verdict == Verdict::unicast &&
      lookup.link != *flow.oif) {
    return fmt::format("`ip route get` takes oif for a wish when a source is said: not {}.",
                       link_label(host, *flow.oif));
  }
  if (!flow.dst.is_v4() && lookup.verdict == Verdict::unicast && lookup.link == loopback_index) {
    return "What a route sends to `lo` is dropped there.";
  }
  if (lookup.verdict != Verdict::unicast || flow.src.is_unspecified()) return {};
  const auto mine = owners(host, flow.src);
  if (mine.empty() || std::ranges::find(mine, lookup.link) != mine.end()) return {};
  if (std::ranges::any_of(mine, [&](IfIndex index) {
        const Link* link = host.link(index);
        return link != nullptr && link->loopback();
      })) {
    return {};
  }
  return fmt::format("Its source is the address of {}, another link.", links_words(host, mine));
}

std::string gate_words(const Snapshot& host, IfIndex link, Conf conf) {
  return gate_words(host, link, conf, host.effective(link, conf));
}

std::string gate_words(const Snapshot& host, IfIndex link, Conf conf, const EffectiveConf& value) {
  std::string text = fmt::format("{}={}", info(conf).name, value.value);
  if (!value.known) return text + " (not known)";
  // A zero is `all`'s and the device's alike.
  if (value.value == 0) return text;
  return text + fmt::format(" (from {})", value.from_all ? "all" : link_label(host, link));
}

std::string gate_words(const Snapshot& host, const Gate& gate) {
  return gate_words(host, gate.link, gate.conf, gate.value);
}

std::string setting_words(const Snapshot& host, const Setting& setting) {
  return fmt::format("{}{}={} on {}", setting.family() == Family::v4 ? "" : "IPv6 ", setting.name(),
                     setting.after, setting.link ? link_label(host, *setting.link) : "all");
}

}  // namespace retour
