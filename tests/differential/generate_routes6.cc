// SPDX-License-Identifier: Apache-2.0
//
// Routes of IPv6. Those through gateways with one prefix and metric become one multipath route,
// also when they came one by one; a dump then tells `src`, protocol and preference of the first
// alone, and leaves out a route that came between two of them. What no snapshot can hold is not
// made here.
#include <fmt/format.h>

#include "differential/generator.h"
#include "differential/pool.h"
#include "model/scope6.h"

namespace retour::differential {

void Generator::route6() {
  const std::string verb = random_.of<std::string>(
      {"add", "add", "add", "add", "add", "add", "append", "append", "prepend", "replace"});
  const auto kind = random_.below(100);
  const int metric = chance(40) ? random_.of<int>({1, 5, 10, 20, 256, 1024}) : 1024;
  const std::string in_table = table();
  std::string head;
  if (kind < 68) {
    Siblings& siblings =
        siblings6(fmt::format("{} {}", some_prefix().str(), from6()), in_table, metric);
    const bool gateway = chance(62);
    // The kernel's own routes, of which several may have one prefix, are of that metric.
    constexpr int of_the_kernel = 256;
    if (gateway && (siblings.interrupted || metric == of_the_kernel)) return;
    siblings.interrupted = siblings.interrupted || (siblings.gateway && !gateway);
    if (gateway && !siblings.gateway) siblings.attributes = attributes6();
    siblings.gateway = siblings.gateway || gateway;
    head = fmt::format("{} table {} metric {} {} {}", siblings.prefix, in_table, metric,
                       gateway ? siblings.attributes : attributes6(),
                       gateway ? gateway6() : direct6());
  } else {
    const bool reject = kind >= 80;
    const std::string type =
        reject ? random_.of<std::string>({"blackhole", "unreachable", "prohibit", "throw", "throw"})
               : random_.of<std::string>({"local", "local", "anycast", "multicast"});
    const auto prefix =
        !reject && chance(60) ? Prefix::host(pool_address(random_, family_)) : some_prefix();
    Siblings& siblings =
        siblings6(fmt::format("{} {}", prefix.str(), chance(20) ? from6() : ""), in_table, metric);
    siblings.interrupted = siblings.interrupted || siblings.gateway;
    head = fmt::format("{} {} table {} metric {}", type, siblings.prefix, in_table, metric);
    if (!reject) head += " dev " + device();
  }
  added_routes_.push_back("route del " + head);
  ip("route " + verb + " " + head);
}

Generator::Siblings& Generator::siblings6(const std::string& prefix, const std::string& table,
                                          int metric) {
  Siblings& siblings = siblings_[fmt::format("{} {} {}", prefix, table, metric)];
  siblings.prefix = prefix;
  return siblings;
}

std::string Generator::from6() {
  if (!chance(7)) return {};
  const Prefix from = chance(50) ? some_prefix() : Prefix::host(own_address());
  return from.length == 0 ? "" : "from " + from.str();  // from everywhere is no branch
}

std::string Generator::attributes6() {
  std::string text;
  if (chance(22)) {
    // One of a link goes with the address there from the legs of that link alone.
    const Ip own = own_address();
    if (!is_link_local6(own)) text += fmt::format(" src {}", own.str());
  }
  if (chance(8)) text += fmt::format(" proto {}", random_.of<int>({3, 4, 99, 200}));
  if (chance(12)) text += " pref " + random_.of<std::string>({"low", "medium", "high"});
  if (chance(4)) text += " expires 3000";
  if (chance(5)) text += fmt::format(" mtu {}", random_.within(1280, 1500));
  return text;
}

std::string Generator::gateway6() {
  const std::string& dev = device();
  const std::string gateway = gateway_on(dev).str();
  const auto form = random_.below(100);
  if (form < 45) return fmt::format("via {} dev {}", gateway, dev);
  if (form < 60) return fmt::format("via {}", neighbor_on(dev).str());
  if (form < 72) {
    return fmt::format("via {} dev {} onlink", chance(50) ? gateway : own_address().str(), dev);
  }
  return multipath();
}

std::string Generator::direct6() {
  if (chance(25) && !nexthop_ids_.empty()) return fmt::format("nhid {}", random_.of(nexthop_ids_));
  return "dev " + device();
}

Ip Generator::gateway_on(const std::string& device) {
  if (v4() || !chance(30)) return neighbor_on(device);
  return Ip::parse(fmt::format("fe80::{}", random_.within(1, 9))).value();
}

// Prefixes, one in the other, that keep only routes for some sources when the others go, with
// longer ones below: by those the kernel then compares them.
void Generator::lose_sight6() {
  if (!chance(12)) return;
  const Ip inside = own_address();
  const std::string where = table();
  std::vector<std::string> plain;
  auto length = random_.of<std::uint8_t>({8, 16, 32, 48, 60});
  for (auto more = random_.within(1, 3); more > 0; --more) {
    const std::string prefix = Prefix{inside, length}.network().str();
    const auto source = random_.of<std::string>(
        {"fc00::/6", "2000::/3", "fe80::/9", Prefix::host(own_address()).str()});
    plain.push_back(fmt::format("{} table {} metric 7 dev {}", prefix, where, device()));
    if (chance(75)) ip("route add " + plain.back());
    ip(fmt::format("route add {} from {} table {} dev {}", prefix, source, where, device()));
    length = static_cast<std::uint8_t>(length + random_.within(1, 10));
  }
  for (auto more = random_.within(1, 3); more > 0; --more) {
    const Prefix around{inside, length};
    const Ip end = chance(60) ? around.last() : near(random_, around);
    const Prefix longer{end, static_cast<std::uint8_t>(length + 4)};
    const char* const type = chance(25) ? "unreachable " : "";
    const std::string way = *type != 0 ? "" : " dev " + device();
    ip(fmt::format("route add {}{} table {} metric 7{}", type, longer.network().str(), where, way));
  }
  for (const std::string& route : plain) {
    if (chance(85)) ip("route del " + route);
  }
}

// A rule that suppresses the one of two routes that share what the kernel made of the first.
void Generator::share_object6() {
  if (nexthop_ids_.empty() || !chance(30)) return;
  const std::string where = table();
  const unsigned object = random_.of(nexthop_ids_);
  const auto length = random_.of<std::uint8_t>({16, 32, 48, 64});
  ip(fmt::format("route add default table {} metric 9 nhid {}", where, object));
  ip(fmt::format("route add {} table {} metric 9 nhid {}",
                 Prefix{own_address(), length}.network().str(), where, object));
  const std::string rule =
      fmt::format("pref 2 lookup {} suppress_prefixlength {}", where, random_.of<int>({0, 0, 40}));
  added_rules_.push_back(rule);
  ip("rule add " + rule);
}

// An address stays optimistic while its link has no carrier.
std::string Generator::tried_out6(const std::string& device) {
  if (!chance(5)) return " nodad";
  const std::string where = "net/ipv6/conf/" + device + "/";
  sysctl(where + "accept_dad", "1");
  sysctl(where + "router_solicitation_delay", "0");
  sysctl(where + "optimistic_dad", "1");
  if (chance(50)) sysctl(where + "use_optimistic", "1");
  return " optimistic";
}

void Generator::address_labels() {
  if (!chance(8)) return;
  for (auto more = random_.within(1, 4); more > 0; --more) {
    std::string line = fmt::format("addrlabel add prefix {}", some_prefix().str());
    if (chance(40)) line += " dev " + device();
    ip(line + fmt::format(" label {}", random_.of<int>({1, 5, 6, 99})));
  }
}

}  // namespace retour::differential
