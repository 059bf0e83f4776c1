// SPDX-License-Identifier: Apache-2.0
//
// Random snapshots that a kernel could hold, with every field of every struct in use. The structs
// are taken apart by structured bindings: a field that is added to one of them does not compile
// until it is named here, and is filled as soon as it is.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "model/snapshot.h"

namespace retour::testing {

class RandomSnapshot {
 public:
  explicit RandomSnapshot(std::uint32_t seed) : random_(seed) {}

  /// Another one each time.
  [[nodiscard]] Snapshot next();

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }
  bool coin() { return below(2) == 0; }

  template <class... T>
  void fill(T&... fields) {
    (one(fields), ...);
  }
  void one(bool& out) { out = coin(); }
  void one(std::uint8_t& out) { out = static_cast<std::uint8_t>(any()); }
  void one(std::uint16_t& out) { out = static_cast<std::uint16_t>(any()); }
  void one(std::uint32_t& out) { out = any(); }
  void one(std::uint64_t& out) { out = (std::uint64_t{any()} << 32U) | any(); }
  void one(Family& out) { out = coin() ? Family::v4 : Family::v6; }
  void one(RouteType& out) { out = static_cast<RouteType>(below(12)); }
  void one(RuleAction& out) { out = static_cast<RuleAction>(coin() ? below(9) : below(256)); }
  void one(std::string& out) { out = bytes(9); }
  void one(Ip& out);
  void one(Prefix& out);
  void one(ConfValues& out);
  void one(Conf6Values& out);
  void one(RawAttribute& out);
  void one(NextHop& out);
  void one(Link& out);
  void one(Address& out);
  void one(Neighbor& out);
  void one(Route& out);
  void one(Rule& out);
  void one(NextHopObject& out);
  void one(HiddenBits& out);
  void one(Membership& out);
  void one(AddressLabel& out);
  void one(Snapshot& out);
  template <class Tag>
  void one(Id<Tag>& out) {
    one(out.value);
  }
  template <class A, class B>
  void one(std::pair<A, B>& out) {
    fill(out.first, out.second);
  }
  template <class T>
  void one(Range<T>& out) {
    fill(out.first, out.last);
  }
  template <class T>
  void one(std::optional<T>& out) {
    if (coin()) one(out.emplace());
  }
  template <class T>
  void one(std::vector<T>& out) {
    for (std::uint32_t i = below(6); i > 0; --i) one(out.emplace_back());
  }
  template <class T>
  void one(std::map<TableId, T>& out) {
    for (std::uint32_t i = below(4); i > 0; --i) one(out[TableId{any()}]);
  }
  /// Often zero or at the edge: that is where fields are left out or overflow.
  std::uint32_t any();
  std::string bytes(std::uint32_t most);
  Ip ip(Family family);
  Prefix prefix(Family family);

  // What was filled blindly, made into what could be.
  void settle(Snapshot& out);
  void settle_links(Snapshot& out);
  void settle_addresses(Snapshot& out);
  void settle_nexthops(Snapshot& out);
  void settle(Route& out, const Snapshot& host);
  void settle(Rule& out, const Snapshot& host);
  void settle_ports(std::optional<Range<std::uint16_t>>& ports, std::uint16_t& mask);
  void settle_gotos(Snapshot& out);
  void settle(NextHop& out, Family family, const Snapshot& host);
  void settle_segments(Snapshot& out);
  IfIndex device(const Snapshot& of);

  std::mt19937 random_;
};

}  // namespace retour::testing
