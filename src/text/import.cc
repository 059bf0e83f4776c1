// SPDX-License-Identifier: Apache-2.0
#include "text/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "text/import_parts.h"
#include "text/printable.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

Error contradiction(const Where& where, std::string why, std::string hint) {
  Error error = input_error(where, std::move(why), std::move(hint));
  error.kind = ErrorKind::contradiction;
  return error;
}

class Import {
 public:
  explicit Import(const ImportTexts& texts) : texts_(texts) {}
  Result<Snapshot> run();

 private:
  Result<void> links();
  Result<void> merge_links(ImportedLinks part);
  Result<void> masters();
  Result<void> addresses();
  Result<void> routes();
  Result<void> bind_routes();
  Result<void> rules();
  Result<void> neighbors();
  Result<void> sysctls();
  void lone_loopback();
  void complete_routes(Family family);
  void check_sources();
  /// The index of a device, or an error at the place that names it.
  Result<IfIndex> index(const std::string& device, const Where& where) const;

  const ImportTexts& texts_;
  Snapshot host_;
  Notes notes_;
  ImportedLinks links_;
  std::vector<ImportedRoute> routes_;
  std::unordered_map<std::string, IfIndex> by_name_;
};

Result<IfIndex> Import::index(const std::string& device, const Where& where) const {
  const auto it = by_name_.find(device);
  if (it != by_name_.end()) return it->second;
  const auto& given = texts_.addr ? texts_.addr : texts_.link;
  return fail(
      contradiction(where,
                    fmt::format("device \"{}\" is not among the links of {}", printable(device),
                                given ? printable(given->file) : std::string("the input")),
                    "give the whole output of `ip addr` of the same host, taken at the same time"));
}

Result<void> Import::merge_links(ImportedLinks part) {
  for (ImportedLink& link : part.links) {
    const auto it = std::ranges::find_if(links_.links, [&](const ImportedLink& known) {
      return known.link.index == link.link.index || known.link.name == link.link.name;
    });
    if (it == links_.links.end()) {
      links_.links.push_back(std::move(link));
      continue;
    }
    if (it->link.index != link.link.index || it->link.name != link.link.name) {
      return fail(contradiction(
          link.where,
          fmt::format("link {} {} contradicts link {} {} of {}", link.link.index.value,
                      printable(link.link.name), it->link.index.value, printable(it->link.name),
                      it->where.str()),
          "give outputs of one host, taken at the same time"));
    }
    if (it->assumed || (it->link.kind.empty() && !link.assumed)) *it = std::move(link);
  }
  std::ranges::move(part.addresses, std::back_inserter(links_.addresses));
  return {};
}

Result<void> Import::links() {
  for (const auto& text : {&texts_.addr, &texts_.link}) {
    if (!*text) continue;
    auto part = read_links(**text, notes_);
    if (!part) return fail(std::move(part.error()));
    if (auto merged = merge_links(std::move(*part)); !merged) return merged;
  }
  const auto assumed = std::ranges::count_if(links_.links, &ImportedLink::assumed);
  if (assumed != 0) {
    notes_.add(fmt::format("{} links are known by their addresses only and taken as up", assumed));
  }
  for (const ImportedLink& link : links_.links) host_.links.push_back(link.link);
  std::ranges::sort(host_.links, {}, &Link::index);
  if (!texts_.addr && !texts_.link) infer_links(host_, routes_, notes_);
  lone_loopback();
  for (const Link& link : host_.links) by_name_.emplace(link.name, link.index);
  return masters();
}

// Lookups of local traffic end on lo: a list of links without it is an excerpt.
void Import::lone_loopback() {
  if (host_.link("lo") != nullptr || host_.link(loopback_index) != nullptr) return;
  add_loopback(host_);
  notes_.add("lo is not among the links given; added, up, with 127.0.0.1/8");
}

Result<void> Import::masters() {
  for (const ImportedLink& link : links_.links) {
    if (link.master.empty()) continue;
    const auto master = index(link.master, link.where);
    if (!master) return fail(master.error());
    const auto it = std::ranges::find(host_.links, link.link.index, &Link::index);
    if (it != host_.links.end()) it->master = *master;
  }
  return {};
}

Result<void> Import::addresses() {
  for (ImportedAddress& address : links_.addresses) {
    const auto link = index(address.device, address.where);
    if (!link) return fail(link.error());
    address.address.link = *link;
    // `ip addr` and `ip -6 addr` one after the other show the same address twice.
    if (std::ranges::find(host_.addresses, address.address) == host_.addresses.end()) {
      host_.addresses.push_back(std::move(address.address));
    }
  }
  if (!texts_.addr) infer_addresses(host_, host_.routes, notes_);
  return {};
}

struct RouteHash {
  std::size_t operator()(const Route* route) const {
    std::size_t hash = std::hash<Ip>{}(route->dst.address) ^ route->dst.length;
    hash = hash * 31 + route->table.value;
    hash = hash * 31 + route->metric;
    return hash * 31 + (route->next_hops.empty() ? 0 : route->next_hops.front().link.value);
  }
};
struct SameRoute {
  bool operator()(const Route* a, const Route* b) const { return *a == *b; }
};

// Devices to indexes; a route that was pasted twice (`ip route` and `show table all`) counts once.
Result<void> Import::bind_routes() {
  std::unordered_set<const Route*, RouteHash, SameRoute> seen;
  std::size_t twice = 0;
  for (ImportedRoute& route : routes_) {
    for (std::size_t leg = 0; leg < route.devices.size(); ++leg) {
      const auto link = index(route.devices[leg], route.where);
      if (!link) return fail(link.error());
      route.route.next_hops[leg].link = *link;
    }
  }
  for (const ImportedRoute& route : routes_) {
    if (seen.insert(&route.route).second) {
      host_.routes.push_back(route.route);
    } else {
      ++twice;
    }
  }
  if (twice != 0) notes_.add(fmt::format("{} routes were given twice and count once", twice));
  return {};
}

void Import::complete_routes(Family family) {
  const auto of_family = [&](const Route& route) { return route.family() == family; };
  const auto of_local = [&](const Route& route) {
    return of_family(route) && route.table == table_local;
  };
  const std::string_view word = family == Family::v4 ? "IPv4" : "IPv6";
  const bool any = std::ranges::any_of(host_.routes, of_family);
  if (!std::ranges::any_of(host_.routes, of_local)) {
    const auto made = kernel_routes(host_, family, KernelRoutes::local_table);
    host_.routes.insert(host_.routes.end(), made.begin(), made.end());
    if (!made.empty()) {
      notes_.add(
          fmt::format("no {} routes of table local were given: the kernel's own {} inferred "
                      "from the addresses",
                      word, made.size()));
    }
  }
  if (any) return;
  const auto made = kernel_routes(host_, family, KernelRoutes::connected);
  host_.routes.insert(host_.routes.end(), made.begin(), made.end());
  if (!made.empty()) {
    notes_.add(fmt::format("no {} routes were given: {} connected ones inferred from the addresses",
                           word, made.size()));
  }
}

void Import::check_sources() {
  if (!texts_.addr) return;
  for (const ImportedRoute& route : routes_) {
    const auto& source = route.route.prefsrc;
    if (!source || source->is_loopback()) continue;
    const bool owned = std::ranges::any_of(
        host_.addresses, [&](const Address& address) { return address.local.address == *source; });
    if (!owned) {
      notes_.add(fmt::format("{}: source {} is on no link", route.where.str(), source->str()));
    }
  }
}

Result<void> Import::routes() {
  if (!texts_.route) return {};
  auto routes = read_routes(*texts_.route, TableIds(host_.table_names), notes_);
  if (!routes) return fail(std::move(routes.error()));
  routes_ = std::move(*routes);
  return {};
}

Rule default_rule(Family family, std::uint32_t priority, TableId table) {
  Rule rule;
  rule.family = family;
  rule.priority = priority;
  rule.table = table;
  rule.protocol = protocol_kernel;
  return rule;
}

std::vector<Rule> default_rules(Family family) {
  std::vector<Rule> rules{default_rule(family, 0, table_local),
                          default_rule(family, 32766, table_main)};
  if (family == Family::v4) rules.push_back(default_rule(family, 32767, table_default));
  return rules;
}

Result<void> Import::rules() {
  ImportedRules given;
  if (texts_.rule) {
    auto rules = read_rules(*texts_.rule, TableIds(host_.table_names), notes_);
    if (!rules) return fail(std::move(rules.error()));
    given = std::move(*rules);
  }
  if (given.v4 && *given.v4 != default_rules(Family::v4)) host_.hidden.custom_rules_v4 = true;
  if (!given.v4) notes_.add("no IPv4 rules were given: the kernel's default three taken");
  if (!given.v6) notes_.add("no IPv6 rules were given: the kernel's default two taken");
  const auto v4 = given.v4 ? std::move(*given.v4) : default_rules(Family::v4);
  const auto v6 = given.v6 ? std::move(*given.v6) : default_rules(Family::v6);
  host_.rules.insert(host_.rules.end(), v4.begin(), v4.end());
  host_.rules.insert(host_.rules.end(), v6.begin(), v6.end());
  return {};
}

Result<void> Import::neighbors() {
  if (!texts_.neigh) return {};
  auto neighbors = read_neighbors(*texts_.neigh, notes_);
  if (!neighbors) return fail(std::move(neighbors.error()));
  for (ImportedNeighbor& neighbor : *neighbors) {
    const auto link = index(neighbor.device, neighbor.where);
    if (!link) return fail(link.error());
    neighbor.neighbor.link = *link;
    host_.neighbors.push_back(std::move(neighbor.neighbor));
  }
  return {};
}

Result<void> Import::sysctls() {
  if (!texts_.sysctl) return {};
  auto scopes = read_sysctl(*texts_.sysctl);
  if (!scopes) return fail(std::move(scopes.error()));
  for (const ImportedConf& scope : *scopes) {
    const auto it = by_name_.find(scope.device);
    if (scope.device == "all") {
      host_.conf_all = scope.values;
    } else if (it == by_name_.end()) {
      notes_.add(fmt::format("{}: sysctls of {}, which is not among the links, left out",
                             printable(texts_.sysctl->file), printable(scope.device)));
    } else {
      std::ranges::find(host_.links, it->second, &Link::index)->conf = scope.values;
    }
  }
  return {};
}

Result<Snapshot> Import::run() {
  host_.source = "import";
  if (texts_.rt_tables) {
    auto names = read_rt_tables(*texts_.rt_tables);
    if (!names) return fail(std::move(names.error()));
    host_.table_names = std::move(*names);
  }
  // Routes are parsed first, for links may have to be inferred from them, and bound last.
  for (const auto step : {&Import::routes, &Import::links, &Import::bind_routes, &Import::addresses,
                          &Import::rules, &Import::neighbors, &Import::sysctls}) {
    if (auto done = (this->*step)(); !done) return fail(std::move(done.error()));
  }
  complete_routes(Family::v4);
  complete_routes(Family::v6);
  check_sources();
  host_.notes = notes_.take();
  if (auto sound = contradiction_in(host_, "the texts given"); !sound) {
    return fail(std::move(sound.error()));
  }
  return std::move(host_);
}

}  // namespace

Result<Snapshot> import_texts(const ImportTexts& texts) { return Import(texts).run(); }

}  // namespace retour
