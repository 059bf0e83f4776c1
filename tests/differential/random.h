// SPDX-License-Identifier: Apache-2.0
//
// Random numbers that are the same on every machine for one seed (SplitMix64): a printed seed is a
// host that can be built again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace retour::differential {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  /// 0 … count - 1. REQUIRES: count > 0
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  /// first … last
  std::uint32_t within(std::uint32_t first, std::uint32_t last) {
    return first + static_cast<std::uint32_t>(below(std::size_t{last} - first + 1));
  }
  bool chance(unsigned percent) { return below(100) < percent; }

  template <class T>
  const T& of(std::span<const T> values) {
    return values[below(values.size())];
  }
  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  template <class T>
  T of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

/// The seed of one of many hosts.
[[nodiscard]] inline std::uint64_t seed_of(std::uint64_t run, std::uint64_t host) {
  Random mix(run ^ (host * 0xd1342543de82ef95ULL));
  return mix.next();
}

}  // namespace retour::differential
