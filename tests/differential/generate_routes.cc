// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "differential/generator.h"
#include "differential/pool.h"

namespace retour::differential {

std::string Generator::table() {
  return random_.of<std::string>({"main", "main", "main", "main", "main", "default", "local", "100",
                                  "100", "101", "102", "300", "70000"});
}

void Generator::nexthops() {
  if (!chance(40)) return;
  for (unsigned id = 1; id <= 5; ++id) {
    if (!chance(70)) continue;
    const std::string& dev = nic();
    std::string line = fmt::format("nexthop add id {} ", id);
    switch (random_.below(8)) {
      case 0:
        line += "blackhole";
        break;
      case 1:
        line += "dev " + dev;
        break;
      case 2:
        line += fmt::format("via {} dev {}", v4() ? "fe80::9" : neighbor_on(dev).str(), dev);
        break;
      default:
        line += fmt::format("via {} dev {}{}", neighbor_on(dev).str(), dev,
                            chance(10) ? " onlink" : "");
    }
    nexthop_ids_.push_back(id);
    ip(std::move(line));
  }
  for (unsigned id = 10; id <= 11 && !nexthop_ids_.empty(); ++id) {
    if (!chance(60)) continue;
    std::string members;
    for (auto more = random_.within(1, 3); more > 0; --more) {
      if (!members.empty()) members += "/";
      members += fmt::format("{},{}", random_.of(nexthop_ids_), random_.of<int>({1, 1, 2, 5, 255}));
    }
    const char* const kind = chance(15) ? " type resilient buckets 8" : "";
    ip(fmt::format("nexthop add id {} group {}{}", id, members, kind));
    nexthop_ids_.push_back(id);
  }
}

void Generator::routes() {
  for (auto more = random_.within(2, 28); more > 0; --more) {
    if (v4()) {
      route();
    } else {
      route6();
    }
  }
  if (v4()) return;
  lose_sight6();
  share_object6();
}

void Generator::route() {
  const std::string verb = random_.of<std::string>(
      {"add", "add", "add", "add", "add", "add", "append", "append", "prepend", "replace"});
  const auto kind = random_.below(100);
  std::string head;
  std::string tail;  // the way, and last its legs
  if (kind < 62) {
    head = some_prefix().str();
    tail = unicast_way();
    head += " table " + table();
    if (chance(22)) head += fmt::format(" src {}", own_address().str());
    if (chance(7)) {
      head += fmt::format(" scope {}", random_.of<std::string>({"global", "link", "host", "site"}));
    }
    if (chance(6)) head += fmt::format(" mtu {}", random_.within(1280, 1500));
    if (chance(3)) head += " advmss 1000";
    if (chance(1)) head += " realms 3";
  } else if (kind < 72) {
    const auto prefix = chance(60) ? Prefix::host(pool_address(random_, family_)) : some_prefix();
    const auto type =
        random_.of<std::string>({"local", "local", "broadcast", "multicast", "anycast"});
    head = fmt::format("{} {}", type, prefix.str());
    tail = "dev " + device();
    if (chance(50)) head += " table " + table();
    if (chance(8)) head += fmt::format(" scope {}", random_.of<std::string>({"host", "link"}));
    if (chance(12)) head += fmt::format(" src {}", own_address().str());
  } else {
    const auto type =
        random_.of<std::string>({"blackhole", "unreachable", "prohibit", "throw", "throw"});
    head = fmt::format("{} {} table {}", type, some_prefix().str(), table());
  }
  if (chance(40)) head += fmt::format(" metric {}", random_.of<int>({1, 5, 10, 20, 256, 1024}));
  if (chance(12)) {
    head +=
        fmt::format(" tos {:#04x}", random_.of<int>({0x04, 0x08, 0x10, 0x10, 0x18, 0x1c, 0x20}));
  }
  if (chance(8)) head += fmt::format(" proto {}", random_.of<int>({3, 4, 99, 200}));
  const std::string line = tail.empty() ? head : head + " " + tail;
  added_routes_.push_back("route del " + line);
  ip("route " + verb + " " + line);
}

std::string Generator::unicast_way() {
  const std::string& dev = device();
  const std::string gateway = neighbor_on(dev).str();
  const auto form = random_.below(100);
  if (!nexthop_ids_.empty() && chance(12)) {
    return fmt::format("nhid {}", random_.of(nexthop_ids_));
  }
  if (form < 22) return fmt::format("via {} dev {}", gateway, dev);
  if (form < 32) return fmt::format("via {}", neighbor_on(dev).str());
  if (form < 58) return "dev " + dev;
  if (form < 66) {
    return fmt::format("via {} dev {} onlink", chance(50) ? gateway : own_address().str(), dev);
  }
  if (form < 86) return multipath();
  return fmt::format("via inet6 fe80::{} dev {}", random_.within(1, 9), dev);
}

std::string Generator::multipath() {
  std::string text;
  for (auto more = random_.of<int>({2, 2, 2, 3, 3, 4}); more > 0; --more) {
    const std::string& dev = device();
    if (!text.empty()) text += " ";
    const bool direct = chance(v4() ? 20 : 5);
    text += direct ? fmt::format("nexthop dev {}", dev)
                   : fmt::format("nexthop via {} dev {}", neighbor_on(dev).str(), dev);
    if (chance(30)) text += fmt::format(" weight {}", random_.of<int>({2, 3, 10, 255}));
    if (chance(6)) text += " onlink";
  }
  return text;
}

}  // namespace retour::differential
