// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "hosts.h"
#include "model/fib.h"

namespace retour {
namespace {

using testing::add_nic;
using testing::bare_host;

struct Dice {
  std::mt19937 engine;
  std::uint32_t operator()(std::uint32_t sides) {
    return static_cast<std::uint32_t>(engine()) % sides;
  }
  bool one_in(std::uint32_t n) { return (*this)(n) == 0; }
  /// Few distinct bits, so that prefixes nest and repeat.
  Ip address() { return Ip::v4(static_cast<std::uint32_t>(engine()) & 0xc0c000ffU); }
  Prefix prefix() { return Prefix{address(), static_cast<std::uint8_t>((*this)(33))}.network(); }
};

Snapshot random_host(Dice& dice) {
  Snapshot host = bare_host();
  const std::vector<IfIndex> links{add_nic(host, "e0", "10.0.0.1/24"),
                                   add_nic(host, "e1", "10.0.1.1/24")};
  for (std::uint32_t i = dice(30); i > 0; --i) {
    Route route = testing::route(dice.prefix().str().c_str(), links[dice(2)],
                                 TableId{dice.one_in(3) ? 254U : 100U + dice(2)});
    route.metric = dice(3);
    if (dice.one_in(6)) route.type = RouteType::throw_;
    if (dice.one_in(6)) route.type = RouteType::prohibit;
    host.routes.push_back(route);
  }
  std::vector<Rule> rules;
  for (std::uint32_t i = dice(6); i > 0; --i) {
    Rule rule = testing::rule(1000, TableId{100U + dice(3)});
    if (dice.one_in(2)) rule.to = dice.prefix();
    if (dice.one_in(3)) rule.from = dice.prefix();
    if (dice.one_in(4)) rule.suppress_prefixlength = dice(20);
    rule.invert = dice.one_in(5);
    rules.push_back(rule);
  }
  host.rules.insert(host.rules.begin() + 1, rules.begin(), rules.end());
  host.hidden.custom_rules_v4 = !rules.empty() || dice.one_in(2);
  return host;
}

TEST(Destinations, DecideAsTheFibDoes) {
  constexpr unsigned seed = 20261122;
  Dice dice{std::mt19937(seed)};
  for (int i = 0; i < 100; ++i) {
    const Snapshot host = random_host(dice);
    const Fib fib(host);
    Flow flow;
    if (dice.one_in(2)) flow.src = dice.address();
    const Destinations all = fib.destinations(flow);
    for (int query = 0; query < 200; ++query) {
      flow.dst =
          query % 2 == 0 ? dice.address() : Ip::v4(static_cast<std::uint32_t>(dice.engine()));
      ASSERT_EQ(all.decide(flow.dst), fib.decide(flow))
          << "seed " << seed << " host " << i << " to " << flow.dst.str();
    }
  }
}

}  // namespace
}  // namespace retour
