// SPDX-License-Identifier: Apache-2.0
//
// What a snapshot may not hold is what the kernel does not: each object is given to both, and both
// must take it or neither.
#include "text/contradiction.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "kernel_host.h"

namespace retour::kernel_test {
namespace {

void build_small_host(const KernelHost& host) {
  host.build(R"(link set lo up
link add n0 type veth peer name m0
link add n1 type veth peer name m1
link set n0 up
link set m0 up
link set n1 up
link set m1 up
addr add 10.0.0.1/24 dev n0
addr add fd00::1/64 dev n0 nodad
nexthop add id 1 via 10.0.0.9 dev n0
nexthop add id 2 dev n0
nexthop add id 3 blackhole
nexthop add id 4 group 1/2
rule add priority 300 lookup 50
)");
}

/// With the object put where the kernel would.
Snapshot with(Snapshot host, Rule rule) {
  rule.goto_unresolved =
      rule.action == RuleAction::goto_ && std::ranges::none_of(host.rules, [&](const Rule& other) {
        return other.family == rule.family && other.priority == rule.goto_target;
      });
  const auto behind = [&](const Rule& other) {
    return other.family > rule.family ||
           (other.family == rule.family && other.priority > rule.priority);
  };
  host.rules.insert(std::ranges::find_if(host.rules, behind), rule);
  return host;
}
Snapshot with(Snapshot host, const Route& route) {
  host.routes.push_back(route);
  return host;
}

/// Without what the kernel finds out by itself.
Rule asked(Rule rule) {
  rule.iif_detached = rule.oif_detached = rule.goto_unresolved = false;
  return rule;
}
Route asked(Route route) {
  for (NextHop& leg : route.next_hops) leg.flags &= 4;
  route.flags &= 4;
  return route;
}

template <class T>
bool holds(const std::vector<T>& list, const T& object) {
  return std::ranges::any_of(list, [&](const T& each) { return asked(each) == asked(object); });
}

/// Taken as it is: not refused, and not made into something else.
template <class Add, class T>
bool kernel_takes(const KernelHost& host, const T& object, std::vector<T> Snapshot::*list) {
  const auto kernel = host.kernel();
  const std::vector<Change> add{{Add{object}, ""}};
  const auto refused = kernel->apply(add);
  const auto now = kernel->snapshot();
  EXPECT_TRUE(now);
  return !refused[0] && now && holds((*now).*list, object);
}

struct RuleCase {
  const char* name;
  bool taken;
  std::function<void(Rule&)> edit;
};

TEST(Contradiction, RulesAsTheKernelTakesThem) {
  const RuleCase cases[] = {
      {"a table nobody filled", true, [](Rule& r) { r.table = TableId{4711}; }},
      {"no table", false, [](Rule& r) { r.table = {}; }},
      {"no table, IPv6", false, [](Rule& r) { r.family = Family::v6, r.table = {}; }},
      {"l3mdev", true, [](Rule& r) { r.l3mdev = true, r.table = {}; }},
      {"l3mdev and a table", false, [](Rule& r) { r.l3mdev = true; }},
      {"a device that is gone", true, [](Rule& r) { r.iif = "gone"; }},
      {"host bits", true, [](Rule& r) { r.from = Prefix::parse("10.1.1.1/8"); }},
      {"from of the other family", false, [](Rule& r) { r.from = Prefix::parse("fd00::1"); }},
      {"a mark outside its mask", true, [](Rule& r) { r.fwmark = 16, r.fwmask = 15; }},
      {"an action without a name", true,
       [](Rule& r) { r.action = static_cast<RuleAction>(99), r.table = {}; }},
      {"goto", true,
       [](Rule& r) { r.action = RuleAction::goto_, r.goto_target = 300, r.table = {}; }},
      {"goto to nowhere", true,
       [](Rule& r) { r.action = RuleAction::goto_, r.goto_target = 299, r.table = {}; }},
      {"goto backwards", false,
       [](Rule& r) { r.action = RuleAction::goto_, r.goto_target = 99, r.table = {}; }},
      {"goto to itself", false,
       [](Rule& r) { r.action = RuleAction::goto_, r.goto_target = 100, r.table = {}; }},
      {"tos", true, [](Rule& r) { r.tos = 0x10; }},
      {"tos that is no legacy one", false, [](Rule& r) { r.tos = 0x20; }},
      {"tos with a bit of ECN", false, [](Rule& r) { r.tos = 0x11; }},
      {"tos of IPv6", true, [](Rule& r) { r.family = Family::v6, r.tos = 0xb8; }},
      {"tos and dscp", false, [](Rule& r) { r.tos = 0x10, r.dscp = 4; }},
      {"dscp", true, [](Rule& r) { r.dscp = 63; }},
      {"dscp and mask", true, [](Rule& r) { r.dscp = 8, r.dscp_mask = 0x38; }},
      {"dscp outside its mask", false, [](Rule& r) { r.dscp = 9, r.dscp_mask = 0x38; }},
      {"a flow label", true,
       [](Rule& r) { r.family = Family::v6, r.flowlabel = 5, r.flowlabel_mask = 7; }},
      {"a flow label outside its mask", false,
       [](Rule& r) { r.family = Family::v6, r.flowlabel = 9, r.flowlabel_mask = 7; }},
      {"a flow label of 21 bits", false,
       [](Rule& r) { r.family = Family::v6, r.flowlabel = r.flowlabel_mask = 0x1fffff; }},
      {"a flow label of IPv4", false, [](Rule& r) { r.flowlabel = 5, r.flowlabel_mask = 7; }},
      {"ports", true,
       [](Rule& r) {
         r.sport = {1, 65534};
       }},
      {"port 0", false,
       [](Rule& r) {
         r.sport = {0, 5};
       }},
      {"port 65535", false,
       [](Rule& r) {
         r.dport = {5, 65535};
       }},
      {"ports upside down", false,
       [](Rule& r) {
         r.dport = {6, 5};
       }},
      {"a port and a mask", true,
       [](Rule& r) {
         r.dport = {0x100, 0x100}, r.dport_mask = 0xff00;
       }},
      {"a port outside its mask", false,
       [](Rule& r) {
         r.dport = {0x101, 0x101}, r.dport_mask = 0xff00;
       }},
      {"a range and a mask", false,
       [](Rule& r) {
         r.dport = {1, 2}, r.dport_mask = 3;
       }},
      {"users upside down", false,
       [](Rule& r) {
         r.uid = {6, 5};
       }},
      {"suppressors", true, [](Rule& r) { r.suppress_prefixlength = 200, r.suppress_ifgroup = 7; }},
  };
  const KernelHost host;
  build_small_host(host);
  const Snapshot before = host.snapshot();
  ASSERT_FALSE(find_contradiction(before)) << find_contradiction(before)->why;
  for (const RuleCase& each : cases) {
    Rule rule;
    rule.priority = 100;
    rule.table = TableId{50};
    rule.protocol = protocol_retour;
    each.edit(rule);
    rule.iif_detached = rule.iif == "gone";
    const auto ours = find_contradiction(with(before, rule));
    EXPECT_EQ(!ours, each.taken) << each.name << (ours ? ": " + ours->why : "");
    EXPECT_EQ(kernel_takes<AddRule>(host, rule, &Snapshot::rules), each.taken) << each.name;
    static_cast<void>(host.exec("ip rule del priority 100; ip -6 rule del priority 100; true"));
  }
}

struct RouteCase {
  const char* name;
  bool taken;
  const char* dst;
  std::function<void(Route&)> edit;
};

TEST(Contradiction, RoutesAsTheKernelTakesThem) {
  const KernelHost host;
  build_small_host(host);
  const Snapshot before = host.snapshot();
  const IfIndex n0 = before.link("n0")->index;
  const NextHop direct{n0, {}, 0, 1};
  const RouteCase cases[] = {
      {"a leg", true, "10.9.0.0/16", [&](Route& r) { r.next_hops = {direct}; }},
      {"no leg", false, "10.9.0.0/16", [](Route&) {}},
      {"no leg, IPv6", false, "fd09::/16", [](Route&) {}},
      {"host bits", false, "10.9.0.1/16", [&](Route& r) { r.next_hops = {direct}; }},
      {"host bits, IPv6", false, "fd09::1/16", [&](Route& r) { r.next_hops = {direct}; }},
      {"a link that is not there", false, "10.9.0.0/16",
       [](Route& r) {
         r.next_hops = {NextHop{IfIndex{9999}, {}, 0, 1}};
       }},
      {"a source that is not ours", true, "10.9.0.0/16",
       [&](Route& r) { r.next_hops = {direct}, r.prefsrc = Ip::parse("10.0.0.1"); }},
      {"a gateway of IPv6", true, "10.9.0.0/16",
       [&](Route& r) {
         r.next_hops = {NextHop{n0, Ip::parse("fd00::9"), 0, 1}}, r.scope = 0;
       }},
      {"a gateway of IPv4 in IPv6", false, "fd09::/16",
       [&](Route& r) {
         r.next_hops = {NextHop{n0, Ip::parse("10.0.0.9"), 0, 1}};
       }},
      {"a source prefix", true, "fd09::/16",
       [&](Route& r) { r.next_hops = {direct}, r.src = Prefix::parse("fd00::/64"); }},
      {"host bits of a source prefix", false, "fd09::/16",
       [&](Route& r) { r.next_hops = {direct}, r.src = Prefix::parse("fd00::1/64"); }},
      {"a source prefix of IPv4", false, "10.9.0.0/16",
       [&](Route& r) { r.next_hops = {direct}, r.src = Prefix::parse("10.0.0.0/24"); }},
      {"prohibit", true, "10.9.0.0/16",
       [](Route& r) { r.type = RouteType::prohibit, r.scope = 0; }},
      {"prohibit with a leg", false, "10.9.0.0/16",
       [&](Route& r) { r.type = RouteType::prohibit, r.next_hops = {direct}, r.scope = 0; }},
      {"a nexthop object that is not there", false, "10.9.0.0/16",
       [](Route& r) { r.nexthop_id = 99, r.scope = 0; }},
  };
  for (const RouteCase& each : cases) {
    Route route;
    route.dst = *Prefix::parse(each.dst);
    route.table = TableId{90};
    route.scope = route.dst.family() == Family::v4 ? scope_link : scope_global;
    route.metric = route.dst.family() == Family::v4 ? 0 : 7;
    route.protocol = protocol_retour;
    each.edit(route);
    const auto ours = find_contradiction(with(before, route));
    EXPECT_EQ(!ours, each.taken) << each.name << (ours ? ": " + ours->why : "");
    EXPECT_EQ(kernel_takes<AddRoute>(host, route, &Snapshot::routes), each.taken) << each.name;
    static_cast<void>(host.exec("ip route flush table 90; ip -6 route flush table 90; true"));
  }
}

struct CommandCase {
  const char* command;
  bool taken;
  std::function<void(Snapshot&)> edit;
};

NextHopObject object(std::uint32_t id, std::vector<std::pair<std::uint32_t, std::uint16_t>> group) {
  NextHopObject out;
  out.id = id;
  out.group = std::move(group);
  return out;
}

TEST(Contradiction, NexthopsAndAddressesAsTheKernelTakesThem) {
  const KernelHost host;
  build_small_host(host);
  const Snapshot before = host.snapshot();
  const IfIndex n0 = before.link("n0")->index;
  const IfIndex n1 = before.link("n1")->index;
  const auto add = [](NextHopObject nexthop) {
    return [=](Snapshot& s) { s.nexthops.push_back(nexthop); };
  };
  const auto address = [](IfIndex link, const char* local, const char* peer = nullptr) {
    Address out;
    out.link = link;
    out.local = *Prefix::parse(local);
    if (peer != nullptr) out.peer = Ip::parse(peer);
    return [=](Snapshot& s) { s.addresses.push_back(out); };
  };
  NextHopObject v6_gateway = object(20, {});
  v6_gateway.leg = {n0, Ip::parse("fd00::9"), 0, 1};
  const CommandCase cases[] = {
      {"nexthop add id 20 group 1,7/2", true, add(object(20, {{1, 7}, {2, 1}}))},
      {"nexthop add id 20 group 1/99", false, add(object(20, {{1, 1}, {99, 1}}))},
      {"nexthop add id 20 group 1/1", false, add(object(20, {{1, 1}, {1, 1}}))},
      {"nexthop add id 20 group 4", false, add(object(20, {{4, 1}}))},
      {"nexthop add id 20 group 3", true, add(object(20, {{3, 1}}))},
      {"nexthop add id 20 group 1/3", false, add(object(20, {{1, 1}, {3, 1}}))},
      {"nexthop add id 3 dev n1", false,
       [&](Snapshot& s) {
         NextHopObject twice = object(3, {});
         twice.leg = {n1, {}, 0, 1};
         s.nexthops.push_back(twice);
       }},
      {"-4 nexthop add id 20 via fd00::9 dev n0", false, add(v6_gateway)},
      {"addr add 10.0.0.1/24 dev n0", false, address(n0, "10.0.0.1/24")},
      {"addr add 10.0.0.1/16 dev n0", true, address(n0, "10.0.0.1/16")},
      {"addr add 10.0.0.1/24 dev n1", true, address(n1, "10.0.0.1/24")},
      {"addr add 10.0.0.1 peer 10.0.0.7/24 dev n0", false, address(n0, "10.0.0.1/24", "10.0.0.7")},
      {"addr add 10.0.0.1 peer 10.7.0.7/24 dev n0", true, address(n0, "10.0.0.1/24", "10.7.0.7")},
      {"addr add fd00::1/64 dev n0", false, address(n0, "fd00::1/64")},
      {"addr add fd00::1/48 dev n0", false, address(n0, "fd00::1/48")},
      {"addr add fd00::1 peer fd07::1/64 dev n0", false, address(n0, "fd00::1/64", "fd07::1")},
      {"addr add fd00::1/64 dev n1", true, address(n1, "fd00::1/64")},
  };
  for (const CommandCase& each : cases) {
    Snapshot edited = before;
    each.edit(edited);
    const auto ours = find_contradiction(edited);
    EXPECT_EQ(!ours, each.taken) << each.command << (ours ? ": " + ours->why : "");
    const Output done = run("ip -n " + host.name() + " " + each.command);
    EXPECT_EQ(done.exit == 0, each.taken) << each.command << ": " << done.text;
    run("ip -n " + host.name() + " nexthop del id 20", "/dev/null");
  }
}

}  // namespace
}  // namespace retour::kernel_test
