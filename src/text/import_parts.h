// SPDX-License-Identifier: Apache-2.0
//
// What the readers of pasted text hand to the import: the objects, their devices still by name, and
// where each stood. Private to the import.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/snapshot.h"
#include "text/import.h"
#include "text/line_reader.h"

namespace retour {

struct JsonValue;
struct Contradiction;

/// What could not be represented, one sentence each; floods are counted, not repeated.
class Notes {
 public:
  void add(std::string note) { notes_.push_back(std::move(note)); }
  /// "routes.txt:4: not represented: mtu 1400"
  void not_represented(const Where& where, std::string_view what);
  [[nodiscard]] std::vector<std::string> take();

 private:
  std::vector<std::string> notes_;
  std::vector<std::string> unrepresented_;
  std::size_t more_{};
};

/// Names to ids, from rt_tables and iproute2's builtins.
class TableIds {
 public:
  explicit TableIds(const std::map<TableId, std::string>& names);
  /// By name or number. Errors: parse, contradiction (a name of several tables).
  [[nodiscard]] Result<TableId> find(std::string_view text, const Where& where) const;
  /// The next word; what is no table fails the cursor.
  [[nodiscard]] TableId read(Cursor& in) const;

 private:
  std::map<std::string, std::vector<TableId>, std::less<>> ids_;
};

struct ImportedLink {
  Link link;
  std::string master;
  bool assumed{};  ///< only index and name are known (`ip -o addr`)
  Where where;
};

struct ImportedAddress {
  Address address;
  std::string device;
  Where where;
};

struct ImportedLinks {
  std::vector<ImportedLink> links;
  std::vector<ImportedAddress> addresses;
};

struct ImportedNeighbor {
  Neighbor neighbor;
  std::string device;
  Where where;
};

struct ImportedRoute {
  Route route;
  std::vector<std::string> devices;  ///< of route.next_hops, in order
  Where where;
  bool family_known{};
  bool table_given{};
  bool metric_given{};
  bool preference_given{};
  bool shown_on_link{};  ///< a route without legs that named a device
};

struct ImportedNexthop {
  NextHopObject object;
  std::string device;
  bool family_known{};
  Where where;
};

struct ImportedRule {
  Rule rule;
  bool family_known{};
  Where where;
};

struct ImportedRules {
  std::optional<std::vector<ImportedRule>> v4;
  std::optional<std::vector<ImportedRule>> v6;
};

/// The sysctls of one scope: `all` or a device.
struct ImportedConf {
  std::string device;  ///< "all" too
  ConfValues values;
  Conf6Values values6;
};

/// What all texts say, nothing bound yet.
struct ImportedParts {
  std::map<TableId, std::string> table_names;
  ImportedLinks links;
  std::vector<ImportedRoute> routes;
  ImportedRules rules;
  std::vector<ImportedNeighbor> neighbors;
  std::vector<ImportedNexthop> nexthops;
};
/// The parts keep pointers to the names of their files: REQUIRES that `texts` outlives the result.
[[nodiscard]] Result<ImportedParts> read_parts(const ImportTexts& texts, Notes& notes);
[[nodiscard]] Error contradiction_error(const Where& where, std::string why, std::string hint);
/// Where the object of a contradiction was given; nothing: it was inferred.
[[nodiscard]] std::optional<Where> place_of(const Contradiction& contradiction,
                                            const Snapshot& host, const ImportedParts& parts);

/// A link of which no more is known: up, with carrier; `lo` by its name.
[[nodiscard]] Link assumed_link(IfIndex index, std::string_view name);

[[nodiscard]] Result<ImportedLinks> read_links(const NamedText& from, Notes& notes);
[[nodiscard]] Result<std::vector<ImportedNeighbor>> read_neighbors(const NamedText& from,
                                                                   Notes& notes);
/// What all routes of one text have in common.
struct RouteListing {
  const NamedText& from;
  const TableIds& tables;
  std::optional<TableId> table;  ///< told beside the text: `ip route show table N` does not say it
  Notes& notes;
};
/// Nothing when it is no route of anybody's: the kernel's IPv6 null entry, a cached one.
[[nodiscard]] std::optional<ImportedRoute> parse_route(Cursor& in, const RouteListing& listing);
/// `table`: of all routes that name none; else main.
[[nodiscard]] Result<std::vector<ImportedRoute>> read_routes(const NamedText& from,
                                                             std::optional<TableId> table,
                                                             const TableIds& tables, Notes& notes);
[[nodiscard]] Result<std::vector<ImportedNexthop>> read_nexthops(const NamedText& from,
                                                                 Notes& notes);
/// The rules of one text, whose families may not be known.
[[nodiscard]] Result<std::vector<ImportedRule>> parse_rules(const NamedText& from,
                                                            const TableIds& tables, Notes& notes);
/// Those of a fresh namespace.
[[nodiscard]] std::vector<Rule> default_rules(Family family);
[[nodiscard]] Result<ImportedRules> read_rules(const NamedText& from, const TableIds& tables,
                                               Notes& notes);
[[nodiscard]] Result<std::vector<ImportedConf>> read_sysctl(const NamedText& from);

/// `lo`, up, with 127.0.0.1/8. REQUIRES: no link of its index is there.
void add_loopback(Snapshot& host);
/// Adds what the texts tell without `ip addr`: links (`others`: devices that no route names), `lo`,
/// addresses.
void infer_links(Snapshot& host, const std::vector<ImportedRoute>& routes,
                 const std::vector<std::string>& others, Notes& notes);
void infer_addresses(Snapshot& host, const std::vector<Route>& routes, Notes& notes);
/// The routes the kernel makes for an address: fib_add_ifaddr() and addrconf of IPv6.
enum class KernelRoutes : std::uint8_t { local_table, connected };
[[nodiscard]] std::vector<Route> kernel_routes(const Snapshot& host, Family family,
                                               KernelRoutes which);

/// Notes what was not given and is missed, and what refers to nothing that was.
void note_gaps(const ImportTexts& texts, const Snapshot& host,
               const std::vector<ImportedRoute>& routes, Notes& notes);

/// A route protocol by name or number; an unknown name gives 0 and a note.
[[nodiscard]] std::uint8_t read_protocol(Cursor& in, Notes& notes);

/// The tokens of one JSON object, so that text and JSON go through the same parser.
class TokenList {
 public:
  void add(std::string_view token) { tokens_.push_back({token, 0}); }
  void add(std::string_view key, std::string_view token) {
    add(key);
    add(token);
  }
  /// `text` is kept here.
  void add_owned(std::string text);
  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }

 private:
  std::vector<Token> tokens_;
  std::vector<std::unique_ptr<std::string>> owned_;
};

[[nodiscard]] TokenList route_tokens(const JsonValue& object, const Where& where, Notes& notes);
[[nodiscard]] TokenList nexthop_tokens(const JsonValue& object, const Where& where, Notes& notes);
[[nodiscard]] TokenList rule_tokens(const JsonValue& object, const Where& where, Notes& notes);

/// A string, or a number as decimal text; otherwise nothing.
[[nodiscard]] std::optional<std::string> scalar_text(const JsonValue& value);

}  // namespace retour
