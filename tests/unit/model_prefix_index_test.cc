// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "model/prefix_index.h"

namespace retour {
namespace {

TEST(PrefixIndex, FindsWhatTryingEveryPrefixFinds) {
  constexpr unsigned seed = 20240611;
  std::mt19937 random(seed);
  for (int table = 0; table < 200; ++table) {
    std::vector<Route> routes(random() % 40);
    std::vector<std::uint32_t> entries;
    for (std::uint32_t i = 0; i < routes.size(); ++i) {
      // Few distinct bits, so that prefixes nest and repeat.
      const auto length = static_cast<std::uint8_t>(random() % 33);
      routes[i].dst = Prefix{Ip::v4(random() & 0xc0c000ffU), length}.network();
      routes[i].metric = static_cast<std::uint32_t>(random() % 3);
      entries.push_back(i);
    }
    const PrefixIndex<std::uint32_t> index(routes, entries);
    for (int query = 0; query < 100; ++query) {
      const Ip address = Ip::v4(random() & 0xc0c000ffU);
      int best = -1;
      for (const Route& route : routes) {
        if (route.dst.contains(address)) best = std::max(best, int{route.dst.length});
      }
      const auto* node = index.find(address.v4_bits());
      ASSERT_EQ(node == nullptr ? -1 : int{node->length}, best)
          << "seed " << seed << " table " << table << " address " << address.str();
      // Every parent is a shorter prefix around it, and none is skipped.
      int around = 0;
      for (; node != nullptr; node = index.parent(*node)) {
        ASSERT_LE(node->first, address.v4_bits());
        ASSERT_GE(node->last, address.v4_bits());
        ++around;
      }
      std::vector<std::uint8_t> lengths;
      for (const Route& route : routes) {
        if (route.dst.contains(address)) lengths.push_back(route.dst.length);
      }
      std::sort(lengths.begin(), lengths.end());
      lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
      ASSERT_EQ(static_cast<std::size_t>(around), lengths.size());
    }
  }
}

TEST(PrefixIndex, OrdersOnePrefixAsTheKernelDoes) {
  std::vector<Route> routes(4);
  for (Route& route : routes) route.dst = *Prefix::parse("10.0.0.0/8");
  routes[0].metric = 20;
  routes[1].metric = 10;
  routes[2].metric = 10;
  routes[3].metric = 99;
  routes[3].tos = 0x10;
  const PrefixIndex<std::uint32_t> index(routes, {0, 1, 2, 3});
  const auto entries = index.entries(*index.find(0x0a000001));
  EXPECT_EQ(std::vector<std::uint32_t>(entries.begin(), entries.end()),
            (std::vector<std::uint32_t>{3, 1, 2, 0}));
}

}  // namespace
}  // namespace retour
