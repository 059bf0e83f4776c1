// SPDX-License-Identifier: Apache-2.0
//
// All texts of one host, each by its reader; links that two of them show are one.
#include <fmt/format.h>

#include <algorithm>

#include "text/contradiction.h"
#include "text/import_parts.h"
#include "text/printable.h"

namespace retour {
namespace {

Error empty_error(const NamedText& text, std::string_view object, std::string_view command) {
  return input_error({&text.file, 0, false}, fmt::format("it holds no {}", object),
                     fmt::format("expected the output of `{}`; leave the option out if you have "
                                 "none",
                                 command));
}

Result<void> merge_links(ImportedLinks part, ImportedLinks& into) {
  for (ImportedLink& link : part.links) {
    const auto it = std::ranges::find_if(into.links, [&](const ImportedLink& known) {
      return known.link.index == link.link.index || known.link.name == link.link.name;
    });
    if (it == into.links.end()) {
      into.links.push_back(std::move(link));
      continue;
    }
    if (it->link.index != link.link.index || it->link.name != link.link.name) {
      return fail(contradiction_error(
          link.where,
          fmt::format("link {} {} contradicts link {} {} of {}", link.link.index.value,
                      printable(link.link.name), it->link.index.value, printable(it->link.name),
                      it->where.str()),
          "give outputs of one host, taken at the same time"));
    }
    if (it->assumed || (it->link.kind.empty() && !link.assumed)) *it = std::move(link);
  }
  std::ranges::move(part.addresses, std::back_inserter(into.addresses));
  return {};
}

Result<void> read_each_links(const ImportTexts& texts, ImportedLinks& into, Notes& notes) {
  for (const auto& text : {&texts.addr, &texts.link}) {
    if (!*text) continue;
    auto part = read_links(**text, notes);
    if (!part) return fail(std::move(part.error()));
    // Every host has `lo`: it is another file, or the command that wrote it failed.
    if (part->links.empty()) {
      return fail(empty_error(**text, "link", text == &texts.addr ? "ip addr" : "ip link"));
    }
    if (auto merged = merge_links(std::move(*part), into); !merged) return merged;
  }
  return {};
}

Result<void> read_each_routes(const ImportTexts& texts, const TableIds& tables,
                              std::vector<ImportedRoute>& into, Notes& notes) {
  const auto add = [&](const NamedText& text, std::optional<TableId> table) -> Result<void> {
    auto routes = read_routes(text, table, tables, notes);
    if (!routes) return fail(std::move(routes.error()));
    std::ranges::move(*routes, std::back_inserter(into));
    return {};
  };
  if (texts.route) {
    if (auto added = add(*texts.route, std::nullopt); !added) return added;
  }
  for (const TableText& text : texts.route_tables) {
    const auto table = tables.find(text.table, {&text.routes.file, 0, false});
    if (!table) return fail(table.error());
    if (auto added = add(text.routes, *table); !added) return added;
  }
  return {};
}

/// The last that is equal: of two that contradict each other, the one that came too late.
template <class Imported, class Equal>
std::optional<Where> last(const std::vector<Imported>& parts, Equal equal) {
  const auto it = std::find_if(parts.rbegin(), parts.rend(), equal);
  if (it == parts.rend()) return std::nullopt;
  return it->where;
}

template <class T>
Result<void> take(Result<T> from, T& into) {
  if (!from) return fail(std::move(from.error()));
  into = std::move(*from);
  return {};
}

}  // namespace

Error contradiction_error(const Where& where, std::string why, std::string hint) {
  Error error = input_error(where, std::move(why), std::move(hint));
  error.kind = ErrorKind::contradiction;
  return error;
}

Result<ImportedParts> read_parts(const ImportTexts& texts, Notes& notes) {
  ImportedParts parts;
  Result<void> done;
  if (texts.rt_tables) done = take(read_rt_tables(*texts.rt_tables), parts.table_names);
  const TableIds tables(parts.table_names);
  if (done) done = read_each_routes(texts, tables, parts.routes, notes);
  if (done) done = read_each_links(texts, parts.links, notes);
  if (done && texts.rule) done = take(read_rules(*texts.rule, tables, notes), parts.rules);
  if (done && texts.rule && !parts.rules.v4 && !parts.rules.v6) {
    done = fail(empty_error(*texts.rule, "rule", "ip rule"));
  }
  if (done && texts.neigh) done = take(read_neighbors(*texts.neigh, notes), parts.neighbors);
  if (done && texts.nexthop) done = take(read_nexthops(*texts.nexthop, notes), parts.nexthops);
  if (!done) return fail(std::move(done.error()));
  return parts;
}

std::optional<Where> place_of(const Contradiction& contradiction, const Snapshot& host,
                              const ImportedParts& parts) {
  const std::size_t index = contradiction.index;
  switch (contradiction.part) {
    case Part::links:
      return last(parts.links.links, [&](const ImportedLink& each) {
        return each.link.index == host.links[index].index;
      });
    case Part::addresses:
      return last(parts.links.addresses, [&](const ImportedAddress& each) {
        return each.address == host.addresses[index];
      });
    case Part::neighbors:
      return last(parts.neighbors, [&](const ImportedNeighbor& each) {
        return each.neighbor == host.neighbors[index];
      });
    case Part::routes:
      return last(parts.routes,
                  [&](const ImportedRoute& each) { return each.route == host.routes[index]; });
    case Part::nexthops:
      return last(parts.nexthops,
                  [&](const ImportedNexthop& each) { return each.object == host.nexthops[index]; });
    case Part::rules: {
      const Rule& rule = host.rules[index];
      const auto& given = rule.family == Family::v4 ? parts.rules.v4 : parts.rules.v6;
      if (!given) return std::nullopt;
      return last(*given, [&](const ImportedRule& each) { return each.rule == rule; });
    }
    case Part::groups:  // no text tells them
    case Part::segments:
      break;
  }
  return std::nullopt;
}

}  // namespace retour
