// SPDX-License-Identifier: Apache-2.0
//
// One route of `ip route`, in the order in which iproute2's print_route() writes: type,
// destination, then attributes in any order, then the legs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "text/import_parts.h"
#include "text/route_attributes.h"

namespace retour {
namespace {

constexpr std::array<Word, 3> preference_words{{{"medium", 0}, {"high", 1}, {"low", 3}}};

bool among(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

// With one value each: counters and ages, other on every read. `error` follows from the type.
constexpr std::array<std::string_view, 7> counters{"error", "users", "age", "used",
                                                   "ipid",  "tsage", "ts"};
// With one value each, that a Route has no place for.
constexpr std::array<std::string_view, 4> without_place{"mark", "uid", "iif", "ttl-propogate"};

struct Leg {
  NextHop hop;
  std::string device;
  bool plain_via{};  ///< `via ADDRESS` without a family: the gateway tells the route's
  [[nodiscard]] bool given() const { return hop.gateway.has_value() || !device.empty(); }
};

class RouteParser {
 public:
  RouteParser(Cursor& in, const RouteListing& listing)
      : in_(in), listing_(listing), notes_(listing.notes) {}

  /// Nothing when the line is no route of anybody's: the kernel's IPv6 null entry, a cached one.
  std::optional<ImportedRoute> parse();

 private:
  void destination();
  bool route_word();
  bool preference();
  bool leg_word(Leg& leg);
  bool other_word();
  void skip_encap();
  void expiry(std::string_view lifetime);
  void skip(std::string_view word);
  void settle_legs();
  void settle_family();
  void check();

  Cursor& in_;
  const RouteListing& listing_;
  Notes& notes_;
  ImportedRoute out_;
  Leg single_;
  std::vector<Leg> legs_;
  RouteAttributes attributes_;
  bool any_destination_{};
  bool cached_{};
  std::string skipped_;
};

std::optional<ImportedRoute> RouteParser::parse() {
  out_.where = in_.where();
  out_.route.protocol = 3;  // print_route() leaves out `proto boot`, and main, and scope global
  if (listing_.table) out_.route.table = *listing_.table;
  destination();
  while (!in_.done() && in_.peek() != "nexthop") {
    if (!route_word() && !leg_word(single_) && !other_word()) {
      in_.fail(in_.peek(), "a route attribute (via, dev, table, proto, scope, src, metric, …)");
    }
  }
  while (in_.take_if("nexthop")) {
    Leg leg;
    while (!in_.done() && in_.peek() != "nexthop") {
      // Before 5.0 iproute2 wrote the preference behind the last leg.
      if (leg_word(leg) || preference()) continue;
      RouteAttributes of_leg;
      if (of_leg.take(in_, notes_)) {
        skip("realms of a leg");
      } else if (!other_word()) {
        in_.fail(in_.peek(), "via, dev, weight or a flag of a leg");
      }
    }
    legs_.push_back(std::move(leg));
  }
  settle_legs();
  settle_family();
  check();
  if (in_.error()) return std::nullopt;
  if (cached_) skipped_ = "a cached route, left out";
  if (out_.route.table.value == 0) skipped_ = "route of table unspec, left out";
  if (!skipped_.empty()) notes_.not_represented(out_.where, skipped_);
  if (cached_ || out_.route.table.value == 0) return std::nullopt;
  out_.route.other = attributes_.attributes();
  for (Leg& leg : legs_) {
    out_.route.next_hops.push_back(leg.hop);
    out_.devices.push_back(std::move(leg.device));
  }
  return std::move(out_);
}

void RouteParser::destination() {
  // A number in its place is what `ip -N` prints.
  if (const auto type = parse_word(route_type_words(), in_.peek(), 11); type && *type != 0) {
    out_.route.type = static_cast<RouteType>(*type);
    in_.take();
  }
  if (in_.take_if("default")) {
    any_destination_ = true;
    return;
  }
  out_.route.dst = in_.prefix("a destination prefix, `default` or a route type");
}

bool RouteParser::route_word() {
  Route& route = out_.route;
  if (in_.take_if("table")) {
    route.table = listing_.tables.read(in_);
    out_.table_given = true;
  } else if (in_.take_if("proto")) {
    route.protocol = read_protocol(in_, notes_);
  } else if (in_.take_if("scope")) {
    route.scope = static_cast<Scope>(in_.word(scope_words(), "a scope name or number", 255));
  } else if (in_.take_if("src")) {
    route.prefsrc = in_.ip("an address");
  } else if (in_.take_if("metric")) {
    route.metric = static_cast<std::uint32_t>(in_.number("a metric", 0xffffffffU));
    out_.metric_given = true;
  } else if (in_.take_if("from")) {
    route.src = in_.prefix("a source prefix");
  } else if (in_.take_if("tos") || in_.take_if("dsfield")) {
    route.tos = static_cast<std::uint8_t>(in_.word(dsfield_words(), "a TOS name or number", 255));
  } else if (in_.take_if("nhid")) {
    route.nexthop_id = static_cast<std::uint32_t>(in_.number("a nexthop id", 0xffffffffU));
  } else if (const auto flag = value_of(route_flag_words(), in_.peek()); flag && *flag > 0xff) {
    in_.take();
    route.flags |= *flag;
  } else {
    return preference() || attributes_.take(in_, notes_);
  }
  return true;
}

bool RouteParser::preference() {
  if (!in_.take_if("pref")) return false;
  out_.preference_given = true;
  out_.route.preference =
      static_cast<std::uint8_t>(in_.word(preference_words, "low, medium or high", 255));
  return true;
}

bool RouteParser::leg_word(Leg& leg) {
  if (in_.take_if("via")) {
    const bool v4 = in_.take_if("inet");
    const bool v6 = !v4 && in_.take_if("inet6");
    leg.hop.gateway = in_.ip("a gateway address");
    leg.plain_via = !v4 && !v6;
    if ((v4 && !leg.hop.gateway->is_v4()) || (v6 && leg.hop.gateway->is_v4())) {
      in_.fail(leg.hop.gateway->str(), v4 ? "an IPv4 address" : "an IPv6 address");
    }
  } else if (in_.take_if("dev")) {
    leg.device = in_.device();
  } else if (in_.take_if("weight")) {
    leg.hop.weight = static_cast<std::uint16_t>(in_.number("a weight of 1 to 256", 256));
    if (leg.hop.weight == 0) in_.fail("0", "a weight of 1 to 256");
  } else if (const auto flag = value_of(route_flag_words(), in_.peek()); flag && *flag <= 0xff) {
    in_.take();
    leg.hop.flags = static_cast<std::uint8_t>(leg.hop.flags | *flag);
  } else {
    return false;
  }
  return true;
}

bool RouteParser::other_word() {
  const std::string_view word = in_.peek();
  if (among(counters, word)) {
    in_.take();
    in_.value(fmt::format("a value of `{}`", word));
  } else if (among(without_place, word)) {
    skip(in_.take());
    skip(in_.value(fmt::format("a value of `{}`", word)));
  } else if (in_.take_if("expires")) {
    expiry(in_.value("a lifetime in seconds"));
  } else if (in_.take_if("encap")) {
    skip(word);
    skip_encap();
  } else if (in_.take_if("as")) {
    in_.take_if("to");
    skip("as to");
    skip(in_.value("an address"));
  } else if (in_.take_if("cache")) {
    cached_ = true;
    if (in_.peek().starts_with('<')) in_.take();
  } else {
    return false;
  }
  return true;
}

// "4996sec", in JSON a number; below zero until the kernel removes the route. It counts down, so
// only that it is over is kept.
void RouteParser::expiry(std::string_view lifetime) {
  out_.route.expired = lifetime.starts_with('-');
  if (out_.route.expired) return;
  skip("expires");
  skip(lifetime);
}

void RouteParser::skip(std::string_view word) {
  if (!skipped_.empty()) skipped_ += ' ';
  skipped_ += word;
}

// An encapsulation has words like src and table of its own; what follows it is always via or dev.
void RouteParser::skip_encap() {
  skip(in_.value("a kind of encapsulation"));
  while (!in_.done() && in_.peek() != "via" && in_.peek() != "dev" && in_.peek() != "nexthop") {
    skip(in_.take());
  }
}

void RouteParser::settle_legs() {
  Route& route = out_.route;
  // The flags of a route of many legs are its own.
  route.flags |= single_.hop.flags;
  if (legs_.empty() && single_.given()) {
    legs_.push_back(single_);
  } else if (single_.given()) {
    in_.fail("nexthop", "either `dev` or `nexthop`, not both");
  }
  if (route.type < RouteType::blackhole || route.type > RouteType::throw_) return;
  // IPv6 shows these on lo; the device has no part in what they do.
  out_.shown_on_link = !legs_.empty() && route.nexthop_id == 0;
  legs_.clear();
}

// A `default` does not say its family. IPv6 routes print `pref`, IPv4 ones never do; a gateway of
// the other family is written `via inet6`; what rejects is shown on lo in IPv6 only.
void RouteParser::settle_family() {
  Route& route = out_.route;
  out_.family_known = !any_destination_;
  if (!any_destination_) return;
  std::optional<Family> family;
  if (out_.preference_given || out_.shown_on_link) family = Family::v6;
  // IPv6 has no scopes, always prints its metric, and rejects on lo only.
  // Whoever knows nexthop objects writes `pref`.
  const bool v4 =
      route.scope != scope_global || !out_.metric_given || legs_.empty() || route.nexthop_id != 0;
  if (v4 && !family) family = Family::v4;
  if (route.prefsrc) family = route.prefsrc->family();
  if (route.src) family = route.src->family();
  for (const Leg& leg : legs_) {
    if (!leg.hop.gateway) continue;
    family = leg.plain_via ? leg.hop.gateway->family() : Family::v4;
  }
  out_.family_known = family.has_value();
  route.dst = Prefix::all(family.value_or(Family::v4));
}

void RouteParser::check() {
  Route& route = out_.route;
  const Family family = route.family();
  const auto stranger = [&](const Ip& ip) {
    in_.fail(input_error(out_.where,
                         fmt::format("{} is not of the family of {}", ip.str(), route.dst.str()),
                         "expected addresses of one family (or `via inet6 ADDRESS`)"));
  };
  if (route.prefsrc && route.prefsrc->family() != family) stranger(*route.prefsrc);
  if (route.src && route.src->family() != family) stranger(route.src->address);
  for (const Leg& leg : legs_) {
    if (leg.plain_via && leg.hop.gateway->family() != family) stranger(*leg.hop.gateway);
    if (leg.hop.gateway && family == Family::v6 && leg.hop.gateway->is_v4()) {
      stranger(*leg.hop.gateway);
    }
    if (leg.device.empty()) {
      in_.fail(parse_error(out_.where, "",
                           "`dev NAME` (print routes without `dev` or `oif` as a filter)"));
    }
  }
  const bool rejects = route.type >= RouteType::blackhole && route.type <= RouteType::throw_;
  if (!rejects && legs_.empty() && route.nexthop_id == 0) {
    in_.fail(parse_error(out_.where, "", "`dev NAME`, `via ADDRESS` or `nexthop …`"));
  }
}

}  // namespace

std::optional<ImportedRoute> parse_route(Cursor& in, const RouteListing& listing) {
  return RouteParser(in, listing).parse();
}

}  // namespace retour
