// SPDX-License-Identifier: Apache-2.0
//
// `ip route`, text or JSON, and what a whole listing tells of its routes: their family, their
// table.
#include <fmt/format.h>

#include <algorithm>

#include "plan/raw_attributes.h"
#include "text/import_parts.h"
#include "text/json_reader.h"
#include "text/printable.h"

namespace retour {
namespace {

Result<std::vector<ImportedRoute>> read_json_routes(const RouteListing& listing) {
  auto elements = read_json_arrays(listing.from.text, listing.from.file);
  if (!elements) {
    elements.error().hint =
        "is it complete? iproute2 4.17 to 4.20 print broken JSON of routes; then give the text of "
        "`ip route` instead";
    return fail(std::move(elements.error()));
  }
  std::vector<ImportedRoute> routes;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const Where where{&listing.from.file, i, true};
    const TokenList list = route_tokens((*elements)[i], where, listing.notes);
    Cursor in(listing.from.file, list.tokens(), i);
    auto route = parse_route(in, listing);
    if (in.error()) return fail(*in.error());
    if (route) routes.push_back(std::move(*route));
  }
  const auto has_metrics = [](const ImportedRoute& route) {
    return std::ranges::find(route.route.other, attribute_metrics, &RawAttribute::type) !=
           route.route.other.end();
  };
  if (std::ranges::any_of(routes, has_metrics)) {
    listing.notes.add(fmt::format("{}: `ip -j` does not say which route metrics are locked: none",
                                  printable(listing.from.file)));
  }
  return routes;
}

/// The words of one route, whose legs stand on lines of their own.
std::vector<Token> words_of_route(const std::vector<Line>& lines, std::size_t& at) {
  std::vector<Token> words = lines[at++].words;
  bool object = false;
  for (; at < lines.size(); ++at) {
    const std::vector<Token>& more = lines[at].words;
    const std::string_view first = more.front().text;
    // `ip -d` repeats the nexthop object, with `-s` its counters too.
    object = object || first == "nh_info";
    if (first == "nh_info" || (object && (first == "stats:" || first == "id"))) continue;
    if (first != "nexthop" && first != "nexthopvia" && first != "cache") break;
    auto from = more.begin();
    if (first == "nexthopvia") {  // a blank is missing in iproute2 4.x
      words.push_back({first.substr(0, 7), more.front().line});
      words.push_back({first.substr(7), more.front().line});
      ++from;
    }
    words.insert(words.end(), from, more.end());
  }
  return words;
}

Result<std::vector<ImportedRoute>> read_text_routes(const RouteListing& listing) {
  std::vector<ImportedRoute> routes;
  const std::vector<Line> lines = split_lines(listing.from.text);
  for (std::size_t at = 0; at < lines.size();) {
    const std::vector<Token> words = words_of_route(lines, at);
    Cursor in(listing.from.file, words);
    auto route = parse_route(in, listing);
    if (in.error()) return fail(*in.error());
    if (route) routes.push_back(std::move(*route));
  }
  return routes;
}

// An iproute2 that knows `pref` writes it with every IPv6 route. What is left is of an older one:
// `default dev ppp0 metric 1024`.
void settle_defaults(std::vector<ImportedRoute>& routes) {
  const bool prefers = std::ranges::any_of(routes, &ImportedRoute::preference_given);
  for (ImportedRoute& route : routes) {
    if (!route.family_known && !prefers) route.route.dst = Prefix::all(Family::v6);
  }
}

// `ip route show table local` says no table; in main the kernel never puts routes of these types.
void settle_tables(std::vector<ImportedRoute>& routes, const RouteListing& listing) {
  if (listing.table) return;
  std::size_t moved = 0;
  for (ImportedRoute& each : routes) {
    Route& route = each.route;
    if (each.table_given || route.protocol != protocol_kernel) continue;
    if (route.type < RouteType::local || route.type > RouteType::multicast) continue;
    route.table = table_local;
    ++moved;
  }
  if (moved == 0) return;
  listing.notes.add(fmt::format(
      "{}: {} routes of the kernel's own types stand without a table: taken as of table local",
      printable(listing.from.file), moved));
}

}  // namespace

Result<std::vector<ImportedRoute>> read_routes(const NamedText& from, std::optional<TableId> table,
                                               const TableIds& tables, Notes& notes) {
  const RouteListing listing{from, tables, table, notes};
  auto routes = is_json(from.text) ? read_json_routes(listing) : read_text_routes(listing);
  if (!routes) return routes;
  settle_defaults(*routes);
  settle_tables(*routes, listing);
  return routes;
}

}  // namespace retour
