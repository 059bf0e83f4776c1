// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "differential/generator.h"
#include "differential/pool.h"

namespace retour::differential {

void Generator::rules() {
  for (auto more = random_.within(1, 10); more > 0; --more) rule();
  if (chance(30)) move_default_rules();
  if (!added_rules_.empty() && chance(15)) ip("rule del " + random_.of(added_rules_));
  // Nothing but that a rule was touched once.
  if (chance(5)) {
    ip("rule add pref 77 lookup 77");
    ip("rule del pref 77");
  }
}

void Generator::move_default_rules() {
  switch (random_.below(v4() ? 5 : 4)) {
    case 0:
      ip("rule add pref 200 lookup local");
      ip("rule del pref 0");
      break;
    case 1:
      ip("rule del pref 0");
      break;
    case 2:
      ip("rule del pref 32766");
      break;
    case 3:
      ip("rule add pref 32766 lookup 100");
      ip("rule del pref 32766");
      break;
    default:
      ip("rule del pref 32767");
  }
}

std::string Generator::raw_selector() {
  switch (random_.below(v4() ? 4 : 5)) {
    case 0:
      return fmt::format("dscp {}", random_.of<int>({0, 2, 4, 5, 46, 63}));
    case 1: {
      const int mask = random_.of<int>({0x0f, 0x07, 0x3f, 0x20});
      return fmt::format("dscp {}/{:#x}", random_.within(0, 63) & static_cast<unsigned>(mask),
                         mask);
    }
    case 2:
      return fmt::format("sport {}/{:#x}", random_.of<int>({0x10, 0x12, 0x20}), 0xf2);
    case 3:
      return fmt::format("dport {}/{:#x}", random_.of<int>({0x50, 0x40, 0x100}), 0xf50);
    default:
      return fmt::format("flowlabel {:#x}/{:#x}", random_.of<int>({1, 2, 3}), 0x3);
  }
}

std::string Generator::plain_selector() {
  switch (random_.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      // Host bits are kept in a rule, and looked at by nothing.
      const Prefix network = some_prefix();
      const auto own = own_address();
      if (chance(50)) return "from " + own.str();
      return "from " + (chance(20) ? Prefix{own, network.length}.str() : network.str());
    }
    case 4:
    case 5:
    case 6:
      return "to " + some_prefix().str();
    case 7:
    case 8:
      return "iif " + (chance(35) ? "lo" : chance(8) ? "none0" : nic());
    case 9:
      return "oif " + (chance(6) ? "lo" : chance(8) ? "none0" : nic());
    case 10:
    case 11:
      return random_.of<std::string>({"fwmark 1", "fwmark 1", "fwmark 0x5/0xf", "fwmark 0x15/0xf",
                                      "fwmark 0/1", "fwmark 0x100/0xff00"});
    case 12:
      return fmt::format("tos {:#04x}", v4() ? random_.of<int>({0x04, 0x08, 0x10, 0x10, 0x1c})
                                             : random_.of<int>({0x04, 0x10, 0x28, 0xb8}));
    case 13:
      return "ipproto " +
             random_.of<std::string>({"udp", "tcp", v4() ? "icmp" : "ipv6-icmp", "47"});
    case 14:
      return random_.of<std::string>(
          {"sport 1000", "sport 1000-2000", "dport 53", "dport 53-100", "dport 1-65534"});
    default:
      return random_.of<std::string>(
          {"uidrange 0-0", "uidrange 1000-2000", "uidrange 1-999", "tun_id 7", "l3mdev"});
  }
}

std::string Generator::selectors(bool& raw) {
  std::string text;
  std::vector<std::string> seen;
  for (auto more = random_.of<int>({0, 1, 1, 1, 1, 2, 2, 3}); more > 0; --more) {
    const std::string selector = raw && chance(60) ? raw_selector() : plain_selector();
    const std::string word = selector.substr(0, selector.find(' '));
    bool clashes = std::find(seen.begin(), seen.end(), word) != seen.end();
    // These words the raw writer has not, or they need names.
    if (raw && (word == "tos" || word == "uidrange" || word == "tun_id" || word == "l3mdev" ||
                word == "fwmark" || word == "ipproto")) {
      clashes = true;
    }
    if (clashes) continue;
    seen.push_back(word);
    text += selector + " ";
  }
  return text;
}

std::string Generator::action(std::uint32_t priority, bool raw) {
  const auto kind = random_.below(100);
  std::string where = table();
  if (raw && where == "main") where = "254";
  if (raw && where == "local") where = "255";
  if (raw && where == "default") where = "253";
  if (raw || kind < 60) return "lookup " + where;
  if (kind < 70) {
    std::string text = "lookup " + where;
    if (chance(70)) {
      text +=
          fmt::format(" suppress_prefixlength {}", v4() ? random_.of<int>({0, 8, 16, 24, 31})
                                                        : random_.of<int>({0, 0, 16, 32, 63, 64}));
    }
    if (chance(40)) text += fmt::format(" suppress_ifgroup {}", random_.within(0, 3));
    return text;
  }
  if (kind < 82) {
    return fmt::format("goto {}", random_.of<std::uint32_t>(
                                      {priority + 1, 100, 200, 1000, 32766, 32767, 40000, 50000}));
  }
  return random_.of<std::string>({"nop", "nop", "blackhole", "unreachable", "prohibit"});
}

void Generator::rule() {
  bool raw = chance(12);
  const auto priority =
      random_.of<std::uint32_t>({0, 1, 5, 10, 100, 100, 100, 200, 200, 1000, 32765, 32766, 40000});
  std::string text;
  if (chance(90)) text += fmt::format("pref {} ", priority);
  if (chance(10)) text += "not ";
  text += selectors(raw) + action(priority, raw);
  if (raw) {
    script_.push_back({v4() ? LineKind::rule : LineKind::rule6, text});
    return;
  }
  // iproute2 wants `not` and `pref` in any order, but the action's words behind the selectors.
  added_rules_.push_back(text);
  ip("rule add " + text);
}

}  // namespace retour::differential
