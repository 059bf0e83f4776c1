// SPDX-License-Identifier: Apache-2.0
#include "differential/generator.h"

#include <fmt/format.h>

#include <algorithm>

#include "differential/pool.h"

namespace retour::differential {

Script generate_host(std::uint64_t seed, Family family) {
  Random random(seed);
  return Generator(random, family).make();
}

void Generator::ip(std::string line) {
  script_.push_back({v4() ? LineKind::ip : LineKind::ip6, std::move(line)});
}

void Generator::sysctl(const std::string& path, const std::string& value) {
  script_.push_back({LineKind::sysctl, path + " " + value});
}

Script Generator::make() {
  const bool late = chance(40);
  early_sysctls();
  links();
  if (!late) sysctls();
  addresses();
  nexthops();
  routes();
  if (chance(70)) rules();
  if (late) sysctls();
  neighbors();
  if (!v4()) address_labels();
  if (chance(35)) events();
  return std::move(script_);
}

const std::string& Generator::nic() { return random_.of(nics_).name; }

const std::string& Generator::device() {
  static const std::string lo = "lo";
  return chance(6) ? lo : nic();
}

Ip Generator::own_address() {
  return own_.empty() || chance(6) ? pool_address(random_, family_) : random_.of(own_).address;
}

Ip Generator::neighbor_on(const std::string& device) {
  for (const Nic& nic : nics_) {
    if (nic.name != device || nic.subnets.empty() || chance(6)) continue;
    return near(random_, random_.of(nic.subnets));
  }
  return own_.empty() ? pool_address(random_, family_) : near(random_, random_.of(own_));
}

Prefix Generator::some_prefix() {
  if (own_.empty() || chance(70)) return pool_prefix(random_, family_);
  const Prefix& own = random_.of(own_);
  return chance(30) ? Prefix::host(own.address) : own.network();
}

void Generator::links() {
  script_.push_back({LineKind::ip, chance(96) ? "link set lo up" : "link set lo down"});
  const auto pairs = random_.within(1, 4);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const std::string left = fmt::format("n{}", i);
    const std::string right = fmt::format("m{}", i);
    script_.push_back(
        {LineKind::ip, fmt::format("link add {} type veth peer name {}", left, right)});
    nics_.push_back({left, right, {}});
    if (chance(70)) nics_.push_back({right, left, {}});
  }
  if (chance(5)) {
    script_.push_back({LineKind::ip, "link add br0 type bridge"});
    script_.push_back({LineKind::ip, fmt::format("link set {} master br0", nic())});
    nics_.push_back({"br0", "", {}});
  }
  for (const Nic& nic : nics_) {
    if (chance(12)) {
      script_.push_back(
          {LineKind::ip, fmt::format("link set {} group {}", nic.name, random_.within(1, 3))});
    }
  }
}

void Generator::addresses() {
  const auto bring_up = [&](const std::string& name) {
    if (!name.empty() && chance(92)) {
      script_.push_back({LineKind::ip, fmt::format("link set {} up", name)});
    }
  };
  const bool first = chance(50);  // or the addresses come before the links are up
  for (const Nic& nic : nics_) {
    if (first) bring_up(nic.name);
    if (first) bring_up(nic.peer);
  }
  for (const Nic& nic : nics_) {
    for (auto more = random_.of<int>({0, 1, 1, 1, 1, 2, 2, 3}); more > 0; --more) address(nic.name);
  }
  if (chance(20)) address("lo");
  for (const Nic& nic : nics_) {
    if (!first) bring_up(nic.name);
    if (!first) bring_up(nic.peer);
  }
  if (chance(4)) multicast_groups();
}

void Generator::address(const std::string& device) {
  const Family family = family_;
  // Another address of a subnet that is there already, mostly on the same link: a secondary.
  Ip own = !own_.empty() && chance(45) ? near(random_, random_.of(own_).network())
                                       : pool_address(random_, family);
  if (chance(2)) own = special_address(random_, family);
  const auto length =
      !own_.empty() && chance(40) ? random_.of(own_).length : pool_subnet_length(random_, family);
  std::string line = "addr add ";
  if (chance(6)) {
    const Ip peer = near(random_, Prefix{own, 24});
    line +=
        fmt::format("{} peer {}/{}", own.str(), peer.str(), chance(70) ? width(family) : length);
  } else {
    line += fmt::format("{}/{}", own.str(), length);
  }
  line += " dev " + device;
  if (chance(v4() ? 15 : 6)) line += " scope " + random_.of<std::string>({"link", "host", "site"});
  if (v4() && chance(10)) line += " brd +";
  if (v4() && chance(2)) line += fmt::format(" broadcast {}", near(random_, {own, length}).str());
  if (chance(6)) {
    const int metric = random_.of<int>({1, 5, 20, 300, 1024});
    line += fmt::format(" metric {}", metric);
    const std::string network = Prefix{own, length}.network().str() + " ";
    if (!v4()) siblings6(network, "main", metric).interrupted = true;
  }
  if (chance(7)) line += " preferred_lft 0";
  if (chance(5)) line += " noprefixroute";
  if (!v4()) line += tried_out6(device);
  for (Nic& nic : nics_) {
    if (nic.name == device) nic.subnets.push_back({own, length});
  }
  own_.push_back({own, length});
  added_addresses_.push_back(fmt::format("addr del {}/{} dev {}", own.str(), length, device));
  ip(std::move(line));
}

void Generator::multicast_groups() {
  const std::string group = v4() ? "239.1.1.1/32" : "ff05::1/128";
  ip(fmt::format("addr add {} dev {} autojoin", group, nic()));
}

void Generator::neighbors() {
  if (!chance(v4() ? 20 : 40)) return;
  for (auto more = random_.within(1, 5); more > 0; --more) {
    const std::string& device = nic();
    const std::string state =
        random_.of<std::string>({"permanent", "reachable", "stale", "failed", "noarp"});
    ip(fmt::format("neigh add {} lladdr 02:00:00:00:00:{:02x} dev {} nud {}",
                   gateway_on(device).str(), random_.below(200), device, state));
  }
}

// IPv4 settles when a route is added whether its gateway is this host itself, and keeps the source
// of each leg of a multipath route: with addresses that go later, or for legs come, the kernel
// answers by what it remembers, and no dump tells. The model takes those to have never been there.
bool Generator::remembers_sources() const {
  return v4() && std::ranges::any_of(script_, [](const Line& line) {
           return line.text.starts_with("route ") &&
                  line.text.find(" nexthop ") != std::string::npos;
         });
}

bool Generator::remembers_addresses() const {
  if (!v4()) return false;
  if (remembers_sources()) return true;
  return std::ranges::any_of(script_, [&](const Line& line) {
    if (!line.text.starts_with("route ")) return false;
    const auto via = line.text.find(" via ");
    if (via == std::string::npos) return false;
    const auto gateway = line.text.substr(via + 5, line.text.find(' ', via + 5) - via - 5);
    return std::ranges::any_of(script_, [&](const Line& other) {
      return other.text.starts_with("addr add " + gateway + "/") ||
             other.text.starts_with("addr add " + gateway + " ");
    });
  });
}

void Generator::events() {
  for (auto more = random_.within(1, 4); more > 0; --more) {
    const Nic& nic = random_.of(nics_);
    switch (random_.below(10)) {
      case 0:
        script_.push_back({LineKind::ip, fmt::format("link set {} down", nic.name)});
        break;
      case 1:
        script_.push_back({LineKind::ip, fmt::format("link set {} down", nic.name)});
        script_.push_back({LineKind::ip, fmt::format("link set {} up", nic.name)});
        break;
      case 2:
        if (!nic.peer.empty()) {
          script_.push_back({LineKind::ip, fmt::format("link set {} down", nic.peer)});
        }
        break;
      case 3:
        if (!nic.peer.empty()) {
          script_.push_back({LineKind::ip, fmt::format("link set {} down", nic.peer)});
          script_.push_back({LineKind::ip, fmt::format("link set {} up", nic.peer)});
        }
        break;
      case 4:
      case 5:
        if (!added_addresses_.empty() && !remembers_addresses()) ip(random_.of(added_addresses_));
        break;
      case 6:
        if (!added_routes_.empty()) ip(random_.of(added_routes_));
        break;
      case 7:
        if (!remembers_sources()) address(nic.name);
        break;
      case 8:
        script_.push_back(
            {LineKind::ip, fmt::format("link set {} group {}", nic.name, random_.within(0, 3))});
        break;
      default:
        if (chance(30)) {
          script_.push_back({LineKind::ip, fmt::format("link del {}", nic.name)});
        } else if (!nexthop_ids_.empty()) {
          ip(fmt::format("nexthop del id {}", random_.of(nexthop_ids_)));
        }
    }
  }
}

}  // namespace retour::differential
