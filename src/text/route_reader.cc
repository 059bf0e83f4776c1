// SPDX-License-Identifier: Apache-2.0
//
// `ip route`, in the order in which iproute2's print_route() writes: type, destination, then
// attributes in any order, then the legs.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/import_parts.h"
#include "text/json_reader.h"
#include "text/printable.h"

namespace retour {
namespace {

constexpr std::array<Word, 3> preference_words{{{"medium", 0}, {"high", 1}, {"low", 3}}};

// With one value each (a metric may have `lock` before it); nothing here decides where a packet
// goes.
bool has_one_value(std::string_view word) {
  static constexpr std::array<std::string_view, 30> words{
      "mtu",           "advmss",        "window",   "rtt",        "rttvar",
      "ssthresh",      "cwnd",          "initcwnd", "reordering", "hoplimit",
      "rto_min",       "initrwnd",      "quickack", "congctl",    "fastopen_no_cookie",
      "error",         "expires",       "users",    "age",        "used",
      "mark",          "uid",           "iif",      "realms",     "realm",
      "ttl-propogate", "ttl-propagate", "ipid",     "tsage",      "ts"};
  return std::ranges::find(words, word) != words.end();
}

struct Leg {
  NextHop hop;
  std::string device;
  bool plain_via{};  ///< `via ADDRESS` without a family: the gateway tells the route's
};

class RouteParser {
 public:
  RouteParser(Cursor& in, const TableIds& tables, Notes& notes)
      : in_(in), tables_(tables), notes_(notes) {}

  /// Nothing when the line is the kernel's IPv6 null entry, which is no route of anybody's.
  std::optional<ImportedRoute> parse();

 private:
  void destination();
  bool route_word();
  bool leg_word(Leg& leg);
  void skip_encap();
  void skip_word(std::string_view word);
  void settle_family();
  void check();

  Cursor& in_;
  const TableIds& tables_;
  Notes& notes_;
  ImportedRoute out_;
  Leg single_;
  std::vector<Leg> legs_;
  bool any_destination_{};
  bool preference_seen_{};
  std::string skipped_;
};

std::optional<ImportedRoute> RouteParser::parse() {
  out_.where = in_.where();
  out_.route.protocol = 3;  // print_route() leaves out `proto boot`, and main, and scope global
  destination();
  while (!in_.done() && in_.peek() != "nexthop") {
    if (!route_word() && !leg_word(single_)) {
      in_.fail(in_.peek(), "a route attribute (via, dev, table, proto, scope, src, metric, …)");
    }
  }
  while (in_.take_if("nexthop")) {
    Leg leg;
    while (!in_.done() && in_.peek() != "nexthop") {
      if (!leg_word(leg)) in_.fail(in_.peek(), "via, dev, weight or a flag of a leg");
    }
    legs_.push_back(std::move(leg));
  }
  settle_family();
  check();
  if (in_.error()) return std::nullopt;
  if (!skipped_.empty()) notes_.not_represented(out_.where, skipped_);
  for (Leg& leg : legs_) {
    out_.route.next_hops.push_back(leg.hop);
    out_.devices.push_back(std::move(leg.device));
  }
  if (out_.route.table.value == 0) {
    notes_.not_represented(out_.where, "route of table unspec, left out");
    return std::nullopt;
  }
  return std::move(out_);
}

void RouteParser::destination() {
  if (const auto type = value_of(route_type_words(), in_.peek()); type && *type != 0) {
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
    route.table = tables_.read(in_);
  } else if (in_.take_if("proto")) {
    route.protocol = read_protocol(in_, notes_);
  } else if (in_.take_if("scope")) {
    route.scope = static_cast<Scope>(in_.word(scope_words(), "a scope name or number", 255));
  } else if (in_.take_if("src")) {
    route.prefsrc = in_.ip("an address");
  } else if (in_.take_if("metric")) {
    route.metric = static_cast<std::uint32_t>(in_.number("a metric", 0xffffffffU));
  } else if (in_.take_if("from")) {
    route.src = in_.prefix("a source prefix");
  } else if (in_.take_if("tos") || in_.take_if("dsfield")) {
    route.tos = static_cast<std::uint8_t>(in_.word(dsfield_words(), "a TOS name or number", 255));
  } else if (in_.take_if("nhid")) {
    route.nexthop_id = static_cast<std::uint32_t>(in_.number("a nexthop id", 0xffffffffU));
  } else if (in_.take_if("pref")) {
    preference_seen_ = true;
    route.preference =
        static_cast<std::uint8_t>(in_.word(preference_words, "low, medium or high", 255));
  } else if (const auto flag = value_of(route_flag_words(), in_.peek()); flag && *flag > 0xff) {
    in_.take();
    route.flags |= *flag;
  } else {
    return false;
  }
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
    const std::string_view word = in_.peek();
    const bool other = word == "encap" || word == "features" || word == "cache" || word == "as";
    if (!other && !has_one_value(word)) return false;
    skip_word(in_.take());
  }
  return true;
}

void RouteParser::skip_word(std::string_view word) {
  if (!skipped_.empty()) skipped_ += ' ';
  skipped_ += word;
  if (word == "encap") return skip_encap();
  if (word == "cache") {
    if (in_.peek().starts_with('<')) skipped_ += fmt::format(" {}", in_.take());
    return;
  }
  if (word == "as" && in_.take_if("to")) skipped_ += " to";
  if (word == "features") {
    while (in_.peek() == "ecn" || in_.peek() == "tcp_usec_ts" || in_.peek().starts_with("0x")) {
      skipped_ += fmt::format(" {}", in_.take());
    }
    return;
  }
  if (in_.take_if("lock")) skipped_ += " lock";
  skipped_ += fmt::format(" {}", in_.value(fmt::format("a value of `{}`", word)));
}

// An encapsulation has words like src and table of its own; what follows it is always via or dev.
void RouteParser::skip_encap() {
  in_.value("a kind of encapsulation");
  while (!in_.done() && in_.peek() != "via" && in_.peek() != "dev" && in_.peek() != "nexthop") {
    skipped_ += fmt::format(" {}", in_.take());
  }
}

// A `default` does not say its family. IPv6 routes print `pref`, IPv4 ones never do; a gateway of
// the other family is written `via inet6`.
void RouteParser::settle_family() {
  if (legs_.empty() && (single_.hop.gateway || !single_.device.empty())) {
    legs_.push_back(single_);
  } else if (single_.hop.gateway || !single_.device.empty()) {
    in_.fail("nexthop", "either `dev` or `nexthop`, not both");
  }
  Route& route = out_.route;
  if (!any_destination_) return;
  std::optional<Family> family;
  if (preference_seen_) family = Family::v6;
  if (route.prefsrc) family = route.prefsrc->family();
  if (route.src) family = route.src->family();
  for (const Leg& leg : legs_) {
    if (leg.plain_via) family = leg.hop.gateway->family();
  }
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
  const bool without = route.type == RouteType::blackhole || route.type == RouteType::prohibit ||
                       route.type == RouteType::unreachable || route.type == RouteType::throw_;
  // IPv6 shows these on lo; the device has no part in what they do.
  if (without) legs_.clear();
  if (!without && legs_.empty() && route.nexthop_id == 0) {
    in_.fail(parse_error(out_.where, "", "`dev NAME`, `via ADDRESS` or `nexthop …`"));
  }
  if (legs_.size() == 1) route.flags |= legs_.front().hop.flags;
}

Result<std::vector<ImportedRoute>> read_json_routes(const NamedText& from, const TableIds& tables,
                                                    Notes& notes) {
  auto elements = read_json_arrays(from.text, from.file);
  if (!elements) return fail(std::move(elements.error()));
  std::vector<ImportedRoute> routes;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const Where where{&from.file, i, true};
    const TokenList list = route_tokens((*elements)[i], where, notes);
    Cursor in(from.file, list.tokens(), i);
    auto route = RouteParser(in, tables, notes).parse();
    if (in.error()) return fail(*in.error());
    if (route) routes.push_back(std::move(*route));
  }
  return routes;
}

}  // namespace

Result<std::vector<ImportedRoute>> read_routes(const NamedText& from, const TableIds& tables,
                                               Notes& notes) {
  if (is_json(from.text)) return read_json_routes(from, tables, notes);
  std::vector<ImportedRoute> routes;
  const std::vector<Line> lines = split_lines(from.text);
  for (std::size_t at = 0; at < lines.size();) {
    std::vector<Token> words = lines[at++].words;
    for (; at < lines.size(); ++at) {
      const std::string_view first = lines[at].words.front().text;
      if (first == "nh_info") continue;
      if (first != "nexthop" && first != "cache") break;
      words.insert(words.end(), lines[at].words.begin(), lines[at].words.end());
    }
    Cursor in(from.file, words);
    auto route = RouteParser(in, tables, notes).parse();
    if (in.error()) return fail(*in.error());
    if (route) routes.push_back(std::move(*route));
  }
  return routes;
}

}  // namespace retour
