// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "diagnose/diagnose.h"
#include "hosts6.h"
#include "model/fib.h"
#include "plan/flow_classes.h"
#include "plan/impact.h"
#include "plan/plan.h"

namespace retour {
namespace {

using testing::ip;
using testing::prefix;

Lookup way(const Fib& fib, const Flow& flow) {
  if (flow.iif) return fib.forward(flow);
  return flow.dst.is_v4() ? fib.output(flow) : fib.v6().connect(flow);
}

/// Every class looked up before and after, nothing left out.
std::size_t changed_one_by_one(const Snapshot& before, const Snapshot& after) {
  const Fib was(before);
  const Fib is(after);
  std::size_t changed = 0;
  const auto compare = [&](const Flow& flow) {
    const Lookup old_way = way(was, flow);
    const bool here = flow.iif && old_way.verdict == Verdict::local;
    if (!here && !same_way(old_way, way(is, flow))) ++changed;
  };
  for (const Family family : {Family::v4, Family::v6}) {
    const FlowClasses classes(before, after, family, {});
    for (const auto& to : classes.destinations()) {
      for (Flow flow : classes.sent()) {
        flow.dst = to.address;
        for (const auto& sender : classes.senders()) {
          flow.src = sender.address.value_or(Ip(family, 0));
          flow.oif.reset();
          if (!to.of_link && !sender.only_bound) compare(flow);
          for (const IfIndex device : classes.devices()) {
            flow.oif = device;
            if (!sender.only_bound || sender.only_bound == device) compare(flow);
          }
        }
      }
      if (to.of_link) continue;
      for (Flow flow : classes.forwarded()) {
        flow.dst = to.address;
        for (const auto& origin : classes.origins()) {
          flow.src = origin.address;
          compare(flow);
        }
      }
    }
  }
  return changed;
}

/// Hosts with routes and rules that get into each other's way, and changes of ours to them.
class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  Snapshot host() {
    Snapshot host = testing::bare_host6();
    const Snapshot v4 = testing::bare_host();
    host.rules.insert(host.rules.begin(), v4.rules.begin(), v4.rules.end());
    for (unsigned i = 0; i < 3; ++i) {
      const IfIndex nic = testing::add_nic(host, ("e" + std::to_string(i)).c_str(),
                                           ("10.0.0." + std::to_string(i + 1) + "/24").c_str());
      for (const Conf6Info& about : conf6_table()) {
        host.links.back().conf6.set(about.conf, about.kernel_value);
      }
      host.links.back().conf.set(Conf::forwarding, one_in(2) ? 1 : 0);
      testing::add_address6(host, nic, ("fd00::" + std::to_string(i + 1) + "/64").c_str());
      testing::add_address6(host, nic, ("fe80::" + std::to_string(i + 1) + "/64").c_str());
    }
    if (one_in(2)) host.conf6_all.set(Conf6::forwarding, 1);
    for (unsigned i = below(5); i > 0; --i) host.routes.push_back(route(table_main, false));
    for (unsigned i = below(3); i > 0; --i) host.routes.push_back(route(TableId{77}, false));
    for (unsigned i = below(3); i > 0; --i) add(host, rule(false));
    return host;
  }

  std::vector<Change> changes(const Snapshot& host) {
    std::vector<Change> changes;
    for (const Rule& rule : host.rules) {
      if (rule.ours() && one_in(2)) changes.push_back({DeleteRule{rule}, {}});
    }
    for (const Route& route : host.routes) {
      if (route.ours() && one_in(3)) changes.push_back({DeleteRoute{route}, {}});
    }
    for (unsigned i = 1 + below(4); i > 0; --i) {
      changes.push_back({AddRoute{route(TableId{200 + below(2)}, true)}, {}});
    }
    for (unsigned i = below(5); i > 0; --i) changes.push_back({AddRule{rule(true)}, {}});
    return changes;
  }

 private:
  unsigned below(unsigned bound) { return static_cast<unsigned>(random_()) % bound; }
  bool one_in(unsigned n) { return below(n) == 0; }
  const char* pick(std::initializer_list<const char*> list) {
    return list.begin()[below(static_cast<unsigned>(list.size()))];
  }

  Route route(TableId table, bool ours) {
    const bool v6 = one_in(2);
    const char* dst =
        v6 ? pick({"::/0", "fd00::/64", "fd00::/65", "fd00::9", "fd01::/64", "fe80::/64"})
           : pick({"0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/25", "10.0.0.9", "10.1.0.0/16"});
    Route made = testing::route(dst, IfIndex{2 + below(3)}, table);
    made.protocol = ours ? protocol_retour : 3;
    made.metric = (v6 ? 1024 : 0) + below(2);
    made.scope = v6 ? scope_global : scope_link;
    if (one_in(3)) {
      made.scope = scope_global;
      made.next_hops.front().gateway = ip(v6 ? "fd00::fe" : pick({"10.0.0.254", "10.1.0.1"}));
    }
    if (!ours && one_in(6)) {
      made.type = one_in(2) ? RouteType::throw_ : RouteType::unreachable;
      made.next_hops.clear();
      if (v6) made.next_hops.push_back({loopback_index, std::nullopt, 0, 1});
    }
    return made;
  }

  Rule rule(bool ours) {
    const bool v6 = one_in(2);
    Rule made = testing::rule(1000 + below(200), one_in(3) ? table_main : TableId{200 + below(2)});
    made.family = v6 ? Family::v6 : Family::v4;
    made.protocol = ours ? protocol_retour : 0;
    if (!ours && one_in(2)) made.table = TableId{77};
    if (one_in(2))
      made.from =
          prefix(v6 ? pick({"fd00::1", "fd00::2", "fe80::1"}) : pick({"10.0.0.1", "10.0.0.2"}));
    if (one_in(3))
      made.to = prefix(v6 ? pick({"fd00::/64", "fd00::9"}) : pick({"10.0.0.0/24", "10.0.0.9"}));
    if (one_in(4)) made.suppress_prefixlength = v6 ? 64 : 24;
    if (ours) return made;
    if (one_in(4)) made.fwmark = made.fwmask = 7;
    if (one_in(4)) made.uid = Range<std::uint32_t>{0, 10};
    if (one_in(4)) made.oif = "e1";
    if (one_in(4)) made.iif = "e2";
    if (one_in(6)) made.invert = true;
    if (one_in(8)) made.action = RuleAction::prohibit;
    return made;
  }

  static void add(Snapshot& host, const Rule& rule) {
    const Change change{AddRule{rule}, {}};
    host = rehearse(host, std::span(&change, 1));
  }

  std::mt19937 random_;
};

TEST(Impact, LooksAtEverythingThatCanDiffer) {
  std::size_t moved = 0;
  for (unsigned seed = 0; seed < 250; ++seed) {
    SCOPED_TRACE(seed);
    Draw draw(seed);
    const Snapshot before = draw.host();
    const Snapshot after = rehearse(before, draw.changes(before));
    const Snapshot later = rehearse(after, draw.changes(after));
    const std::size_t first = changed_one_by_one(before, after);
    ASSERT_EQ(impact(before, after, {}).changed.size(), first);
    ASSERT_EQ(impact(after, later, {}).changed.size(), changed_one_by_one(after, later));
    moved += first;
  }
  EXPECT_GT(moved, 1000U) << "the hosts are worth comparing";
}

TEST(Impact, ARepresentativeIsInNoLongerPrefix) {
  const auto of = [](std::initializer_list<const char*> list) {
    std::set<Prefix> all;
    for (const char* text : list) all.insert(prefix(text));
    return all;
  };
  const auto halves = of({"::/0", "::/1", "8000::/1"});
  EXPECT_FALSE(representative(prefix("::/0"), halves));
  EXPECT_EQ(representative(prefix("8000::/1"), halves), ip("8000::"));
  const auto nested = of({"fd00::/64", "fd00::/65", "fd00::1", "fd00::8000:0:0:0/128"});
  EXPECT_EQ(representative(prefix("fd00::/64"), nested), ip("fd00::8000:0:0:1"));
  EXPECT_EQ(representative(prefix("fd00::/65"), nested), ip("fd00::"));
  const auto v4 = of({"10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/32"});
  EXPECT_EQ(representative(prefix("10.0.0.0/30"), v4), ip("10.0.0.3"));
}

TEST(Impact, SocketsBoundToADeviceAreSeen) {
  Snapshot host = testing::grid_host(3);
  testing::set_gates(host, 1, 1, 0);
  // Someone's rule for what is bound to eth1, behind which our tables would step in.
  Rule foreign = testing::rule(32000, TableId{77});
  foreign.oif = "eth1";
  host.rules.insert(host.rules.begin() + 1, foreign);
  Route route = testing::route("10.0.0.0/24", IfIndex{3}, TableId{77});
  route.next_hops.front().gateway = ip("10.0.0.99");
  host.routes.push_back(route);
  host.hidden.custom_rules_v4 = true;
  const Plan cure = plan(host, {}, diagnose(host, {}));
  const auto bound = std::ranges::find_if(cure.impact.changed, [](const PathChange& path) {
    return path.before.flow.oif == IfIndex{3};
  });
  ASSERT_NE(bound, cure.impact.changed.end());
  EXPECT_FALSE(bound->expected);
  EXPECT_EQ(bound->before.gateway, ip("10.0.0.99"));
  EXPECT_FALSE(bound->after.gateway);
}

TEST(Impact, TheDefaultRouteIsAClassOfItsOwn) {
  Snapshot host = testing::grid_host(2);
  Route way_out = testing::route("0.0.0.0/0", IfIndex{2});
  host.routes.push_back(way_out);
  Snapshot after = host;
  after.routes.back().next_hops.front().link = IfIndex{3};
  const Impact moved = impact(host, after, {});
  EXPECT_TRUE(std::ranges::any_of(moved.changed, [](const PathChange& path) {
    return path.destinations == prefix("0.0.0.0/0") && !path.source && !path.before.flow.oif;
  }));
}

TEST(Impact, LinkLocalDestinationsAreOfBoundSocketsAlone) {
  Snapshot host = testing::bare_host6();
  const IfIndex a = testing::add_nic6(host, "a", "fd00::1/64");
  testing::add_nic6(host, "b", "fd00::2/64");
  Snapshot after = host;
  std::erase_if(after.routes, [&](const Route& route) {
    return route.dst == prefix("fe80::/64") && route.next_hops.front().link == a;
  });
  const Impact moved = impact(host, after, {});
  ASSERT_FALSE(moved.changed.empty());
  for (const PathChange& path : moved.changed) EXPECT_EQ(path.before.flow.oif, a);
}

}  // namespace
}  // namespace retour
