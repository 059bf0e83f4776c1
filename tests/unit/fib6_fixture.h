// SPDX-License-Identifier: Apache-2.0
//
// A host with two NICs in one /64 and one in another, and questions to it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "hosts6.h"
#include "model/fib.h"

namespace retour::testing {

inline Flow to(const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  if (src != nullptr) flow.src = ip(src);
  return flow;
}

struct Fib6Host : ::testing::Test {
  Fib6Host()
      : e0(add_nic6(host, "e0", "fd00:1::1/64")),
        e1(add_nic6(host, "e1", "fd00:1::2/64")),
        e2(add_nic6(host, "e2", "fd00:2::1/64")) {}

  [[nodiscard]] Lookup output(Flow flow, std::optional<IfIndex> oif = {}) const {
    flow.oif = oif;
    return Fib6(host).output(flow);
  }
  [[nodiscard]] Lookup input(Flow flow, IfIndex iif) const {
    flow.iif = iif;
    return Fib6(host).input(flow);
  }
  [[nodiscard]] Lookup forward(Flow flow, IfIndex iif) const {
    flow.iif = iif;
    return Fib6(host).forward(flow);
  }
  void add(const Route& route) { host.routes.push_back(route); }
  [[nodiscard]] Link& link(IfIndex index) {
    return *std::ranges::find(host.links, index, &Link::index);
  }
  void set_all(Conf6 conf, int value) { host.conf6_all.set(conf, value); }

  Snapshot host = bare_host6();
  IfIndex e0, e1, e2;
};

inline std::set<IfIndex> links_of(const Lookup& lookup) {
  std::set<IfIndex> links;
  for (const Way& way : lookup.candidates) links.insert(way.link);
  return links;
}

}  // namespace retour::testing
