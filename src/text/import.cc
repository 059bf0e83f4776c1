// SPDX-License-Identifier: Apache-2.0
#include "text/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "text/contradiction.h"
#include "text/import_parts.h"
#include "text/printable.h"

namespace retour {
namespace {

class Import {
 public:
  explicit Import(const ImportTexts& texts) : texts_(texts) {}
  Result<Snapshot> run();

 private:
  Result<void> links();
  Result<void> masters();
  Result<void> bind_nexthops();
  Result<void> bind_routes();
  Result<void> addresses();
  Result<void> rules();
  Result<void> neighbors();
  Result<void> sysctls();
  void lone_loopback();
  void complete_routes(Family family);
  [[nodiscard]] std::vector<std::string> other_devices() const;
  /// The index of a device, or an error at the place that names it.
  Result<IfIndex> index(const std::string& device, const Where& where) const;

  const ImportTexts& texts_;
  Snapshot host_;
  Notes notes_;
  ImportedParts parts_;
  std::unordered_map<std::string, IfIndex> by_name_;
};

Result<IfIndex> Import::index(const std::string& device, const Where& where) const {
  const auto it = by_name_.find(device);
  if (it != by_name_.end()) return it->second;
  const auto& given = texts_.addr ? texts_.addr : texts_.link;
  return fail(contradiction_error(
      where,
      fmt::format("device \"{}\" is not among the links of {}", printable(device),
                  given ? printable(given->file) : std::string("the input")),
      "give the whole output of `ip addr` of the same host, taken at the same time"));
}

Result<void> Import::links() {
  const std::vector<ImportedLink>& given = parts_.links.links;
  const auto assumed = std::ranges::count_if(given, &ImportedLink::assumed);
  if (assumed != 0) {
    notes_.add(fmt::format("{} links are known by their addresses only and taken as up", assumed));
  }
  for (const ImportedLink& link : given) host_.links.push_back(link.link);
  std::ranges::sort(host_.links, {}, &Link::index);
  if (!texts_.addr && !texts_.link) infer_links(host_, parts_.routes, other_devices(), notes_);
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
  for (const ImportedLink& link : parts_.links.links) {
    if (link.master.empty()) continue;
    const auto master = index(link.master, link.where);
    if (!master) return fail(master.error());
    const auto it = std::ranges::find(host_.links, link.link.index, &Link::index);
    if (it != host_.links.end()) it->master = *master;
  }
  return {};
}

Result<void> Import::addresses() {
  for (ImportedAddress& address : parts_.links.addresses) {
    const auto link = index(address.device, address.where);
    if (!link) return fail(link.error());
    address.address.link = *link;
    // `ip addr` and `ip -6 addr` one after the other show the same address twice.
    if (std::ranges::find(host_.addresses, address.address) == host_.addresses.end()) {
      host_.addresses.push_back(address.address);
    }
  }
  // As the kernel lists them: a family at a time, link by link.
  std::ranges::stable_sort(host_.addresses, {}, [](const Address& address) {
    return std::pair{address.local.family(), address.link};
  });
  if (!texts_.addr) infer_addresses(host_, host_.routes, notes_);
  return {};
}

Result<void> Import::bind_nexthops() {
  std::unordered_map<std::uint32_t, Family> users;
  for (const ImportedRoute& route : parts_.routes) {
    if (route.route.nexthop_id != 0) users.emplace(route.route.nexthop_id, route.route.family());
  }
  for (ImportedNexthop& nexthop : parts_.nexthops) {
    NextHopObject& object = nexthop.object;
    if (!nexthop.device.empty()) {
      const auto link = index(nexthop.device, nexthop.where);
      if (!link) return fail(link.error());
      object.leg.link = *link;
    }
    const auto user = users.find(object.id);
    if (!nexthop.family_known && user != users.end()) {
      object.family = user->second;
    } else if (!nexthop.family_known) {
      notes_.add(fmt::format("{}: `ip nexthop` does not say the family of a blackhole: IPv4 taken",
                             nexthop.where.str()));
    }
    host_.nexthops.push_back(object);
  }
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

// Of what else names a device that is there.
std::vector<std::string> Import::other_devices() const {
  std::vector<std::string> devices;
  for (const ImportedNexthop& nexthop : parts_.nexthops) devices.push_back(nexthop.device);
  for (const ImportedNeighbor& neighbor : parts_.neighbors) devices.push_back(neighbor.device);
  for (const auto& rules : {parts_.rules.v4, parts_.rules.v6}) {
    for (const ImportedRule& each : rules.value_or(std::vector<ImportedRule>{})) {
      if (!each.rule.iif_detached) devices.push_back(each.rule.iif);
      if (!each.rule.oif_detached) devices.push_back(each.rule.oif);
    }
  }
  return devices;
}

// Devices to indexes; a route that was pasted twice (`ip route` and `show table all`) counts once.
Result<void> Import::bind_routes() {
  std::unordered_set<const Route*, RouteHash, SameRoute> seen;
  std::size_t twice = 0;
  for (ImportedRoute& route : parts_.routes) {
    for (std::size_t leg = 0; leg < route.devices.size(); ++leg) {
      const auto link = index(route.devices[leg], route.where);
      if (!link) return fail(link.error());
      route.route.next_hops[leg].link = *link;
    }
  }
  for (const ImportedRoute& route : parts_.routes) {
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

Result<void> Import::rules() {
  const auto add = [&](const std::optional<std::vector<ImportedRule>>& given, Family family) {
    std::vector<Rule> rules;
    for (const ImportedRule& each : given.value_or(std::vector<ImportedRule>{})) {
      rules.push_back(each.rule);
    }
    const std::vector<Rule> defaults = default_rules(family);
    auto& custom =
        family == Family::v4 ? host_.hidden.custom_rules_v4 : host_.hidden.custom_rules_v6;
    if (given && rules != defaults) custom = true;
    if (!given) rules = defaults;
    host_.rules.insert(host_.rules.end(), rules.begin(), rules.end());
  };
  if (!parts_.rules.v4) notes_.add("no IPv4 rules were given: the kernel's default three taken");
  if (!parts_.rules.v6) notes_.add("no IPv6 rules were given: the kernel's default two taken");
  add(parts_.rules.v4, Family::v4);
  add(parts_.rules.v6, Family::v6);
  return {};
}

Result<void> Import::neighbors() {
  for (ImportedNeighbor& neighbor : parts_.neighbors) {
    if (!neighbor.device.empty()) {
      const auto link = index(neighbor.device, neighbor.where);
      if (!link) return fail(link.error());
      neighbor.neighbor.link = *link;
    }
    host_.neighbors.push_back(neighbor.neighbor);
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
      host_.conf6_all = scope.values6;
    } else if (it == by_name_.end()) {
      notes_.add(fmt::format("{}: sysctls of {}, which is not among the links, left out",
                             printable(texts_.sysctl->file), printable(scope.device)));
    } else {
      Link& link = *std::ranges::find(host_.links, it->second, &Link::index);
      link.conf = scope.values;
      link.conf6 = scope.values6;
    }
  }
  return {};
}

Result<Snapshot> Import::run() {
  host_.source = "import";
  auto parts = read_parts(texts_, notes_);
  if (!parts) return fail(std::move(parts.error()));
  parts_ = std::move(*parts);
  host_.table_names = parts_.table_names;
  // Each finds what it refers to.
  for (const auto step :
       {&Import::links, &Import::bind_nexthops, &Import::bind_routes, &Import::addresses,
        &Import::rules, &Import::neighbors, &Import::sysctls}) {
    if (auto done = (this->*step)(); !done) return fail(std::move(done.error()));
  }
  complete_routes(Family::v4);
  complete_routes(Family::v6);
  const bool local_by_hand = std::ranges::any_of(host_.routes, [](const Route& route) {
    return route.type == RouteType::local && route.family() == Family::v4 &&
           route.protocol != protocol_kernel;
  });
  if (local_by_hand) host_.hidden.custom_local_routes_v4 = true;
  note_gaps(texts_, host_, parts_.routes, notes_);
  host_.notes = notes_.take();
  if (const auto found = find_contradiction(host_)) {
    static const std::string all = "the texts given";
    const Where where = place_of(*found, host_, parts_).value_or(Where{&all, 0, false});
    return fail(
        contradiction_error(where, found->why,
                            "no kernel holds such a host: give whole outputs of one host, taken "
                            "at the same time"));
  }
  return std::move(host_);
}

}  // namespace

Result<Snapshot> import_texts(const ImportTexts& texts) { return Import(texts).run(); }

}  // namespace retour
