// SPDX-License-Identifier: Apache-2.0
#include "differential/pool.h"

namespace retour::differential {
namespace {

Ip v4_address(Random& random) {
  const std::uint32_t net = random.of<std::uint32_t>(
      {0x0a000000, 0x0a000000, 0x0a000000, 0x0a000000, 0x0a010000, 0xac100000, 0xc0a80000});
  const std::uint32_t third = random.of<std::uint32_t>({0, 0, 0, 1, 1, 2, 3, 255});
  const std::uint32_t host = random.of<std::uint32_t>(
      {0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 9, 10, 63, 64, 65, 127, 128, 129, 200, 254, 255});
  return Ip::v4(net | third << 8U | host);
}

Ip v6_of(std::uint64_t high, std::uint64_t low) {
  return Ip(Family::v6, static_cast<Bits>(high) << 64U | low);
}

Ip v6_address(Random& random) {
  const std::uint64_t net =
      random.of<std::uint64_t>({0xfd00000000000000, 0xfd00000000000000, 0xfd00000000000000,
                                0x20010db800000000, 0x20010db800010000, 0xfe80000000000000});
  const std::uint64_t subnet =
      net >> 48U == 0xfe80 ? 0 : random.of<std::uint64_t>({0, 0, 0, 1, 1, 2, 3, 0x8000});
  const std::uint64_t host = random.of<std::uint64_t>(
      {0, 1, 1, 2, 2, 3, 3, 4, 5, 9, 0xff, 0x100, 0xffff, 0x8000000000000000, 0xffffffffffffffff});
  return v6_of(net | subnet, host);
}

}  // namespace

Ip pool_address(Random& random, Family family) {
  return family == Family::v4 ? v4_address(random) : v6_address(random);
}

std::uint8_t pool_subnet_length(Random& random, Family family) {
  if (family == Family::v4) {
    return random.of<std::uint8_t>({8, 16, 20, 22, 24, 24, 24, 24, 24, 25, 26, 29, 30, 31, 32});
  }
  return random.of<std::uint8_t>({16, 48, 62, 64, 64, 64, 64, 64, 64, 65, 96, 120, 127, 128});
}

Prefix pool_prefix(Random& random, Family family) {
  const auto length =
      family == Family::v4
          ? random.of<std::uint8_t>({0,  0,  0,  0,  1,  4,  8,  8,  12, 16, 16, 20, 22,
                                     23, 24, 24, 24, 24, 25, 26, 28, 29, 30, 31, 32, 32})
          : random.of<std::uint8_t>({0,  0,  0,  0,  1,  3,  7,  8,  10,  16,  16,  32,  48,  62,
                                     63, 64, 64, 64, 64, 65, 80, 96, 112, 120, 126, 127, 128, 128});
  const Ip ip = random.chance(96) ? pool_address(random, family) : special_address(random, family);
  return Prefix{ip, length}.network();
}

Ip special_address(Random& random, Family family) {
  if (family == Family::v4) {
    return Ip::v4(random.of<std::uint32_t>(
        {0,          0,          1,          0x7f000001, 0x7f000001, 0x7f000002, 0x7fffffff,
         0x7f010203, 0xa9fe0001, 0xe0000000, 0xe0000001, 0xe0000005, 0xe0000101, 0xef010101,
         0xefffffff, 0xf0000001, 0xffffffff, 0xffffffff, 0xfffffffe, 0x08080808, 0xc0000201}));
  }
  const auto high = random.of<std::uint64_t>(
      {0, 0, 0, 0xfe80000000000000, 0xfe80000000000000, 0xff02000000000000, 0xff02000000000000,
       0xff05000000000000, 0xff01000000000000, 0xff0e000000000000, 0x2001486000000000,
       0xfec0000000000000, 0x0064ff9b00000000});
  const auto low = random.of<std::uint64_t>({0, 1, 1, 2, 9, 0x1ff000001, 0x0000ffff0a000001});
  return v6_of(high, low);
}

Ip near(Random& random, const Prefix& prefix) {
  const Family family = prefix.family();
  const Bits all = mask_bits(family, width(family));
  const Bits first = prefix.network().address.bits();
  const Bits last = prefix.last().bits();
  switch (random.below(8)) {
    case 0:
      return Ip(family, first);
    case 1:
      return Ip(family, last);
    case 2:
      return Ip(family, (first - 1) & all);
    case 3:
      return Ip(family, (last + 1) & all);
    case 4: {
      // Something else of the pool, moved into the prefix.
      const Bits mask = mask_bits(family, prefix.length);
      return Ip(family, first | (pool_address(random, family).bits() & ~mask & all));
    }
    default:
      return Ip(family, (first + 1 + random.below(9)) & all);
  }
}

}  // namespace retour::differential
