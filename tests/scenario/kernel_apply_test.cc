// SPDX-License-Identifier: Apache-2.0
//
// What is added and taken away again leaves no trace, every refusal names its change, and the
// command shown for a change is the change.
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "kernel_host.h"
#include "plan/describe.h"

namespace retour::kernel_test {
namespace {

std::string whole_text(const KernelHost& host) {
  return host.ip("rule") + host.ip("-6 rule") + host.ip("-d route show table all");
}

/// Carrier and address detection done. On a busy machine a link-local address comes late, so it has
/// to have been quiet for a while.
std::string settled_text(const KernelHost& host) {
  std::string before;
  for (int i = 0, quiet = 0; i < 100 && quiet < 10; ++i) {
    std::string now = whole_text(host);
    const bool same = now == before && host.ip("addr").find("tentative") == std::string::npos;
    quiet = same ? quiet + 1 : 0;
    before = std::move(now);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return before;
}

void expect_done(const std::vector<std::optional<Error>>& results) {
  for (const auto& error : results) {
    EXPECT_FALSE(error.has_value()) << (error ? error->message() : "");
  }
}

Rule rule_to(std::uint32_t priority, std::uint32_t table) {
  Rule rule;
  rule.priority = priority;
  rule.table = TableId{table};
  rule.protocol = protocol_retour;
  return rule;
}

/// Every rule and route of ours to add; foreign ones are told apart by priority and table.
std::vector<Change> every_selector(const Snapshot& host) {
  std::vector<Change> changes;
  std::uint32_t priority = 5000;
  const auto add = [&](auto edit) {
    Rule rule = rule_to(priority++, 70001);
    edit(rule);
    changes.push_back({AddRule{rule}, "test"});
  };
  add([](Rule& r) { r.from = Prefix::parse("10.9.0.2"); });
  add([](Rule& r) { r.from = Prefix::parse("10.9.1.2/24"); });  // host bits stay
  add([](Rule& r) { r.to = Prefix::parse("10.9.0.0/16"); });
  add([](Rule& r) { r.invert = true, r.from = Prefix::parse("10.8.0.0/16"); });
  add([](Rule& r) { r.iif = "n0", r.oif = "nosuch"; });
  add([](Rule& r) { r.fwmark = 5, r.fwmask = 0xff; });
  add([](Rule& r) { r.fwmark = 5, r.fwmask = 0xffffffff; });
  add([](Rule& r) { r.fwmask = 0xf0; });
  add([](Rule& r) { r.tos = 0x10; });
  add([](Rule& r) { r.dscp = 46; });
  add([](Rule& r) { r.dscp = 8, r.dscp_mask = 0x38; });
  add([](Rule& r) { r.ip_proto = 17, r.sport = {7, 7}, r.dport = {8, 900}; });
  add([](Rule& r) { r.ip_proto = 6, r.sport = {0x1200, 0x1200}, r.sport_mask = 0xff00; });
  add([](Rule& r) { r.dport = {0x1200, 0x1200}, r.dport_mask = 0xff00; });
  add([](Rule& r) { r.uid = {10, 20}; });
  add([](Rule& r) { r.tun_id = 0x123456789abcULL; });
  add([](Rule& r) { r.l3mdev = true, r.table = TableId{0}; });
  add([](Rule& r) { r.suppress_prefixlength = 20, r.to = Prefix::parse("29.28.192.0/20"); });
  add([](Rule& r) { r.suppress_ifgroup = 7; });
  add([](Rule& r) { r.action = RuleAction::goto_, r.goto_target = 9999, r.table = TableId{0}; });
  add([](Rule& r) { r.action = RuleAction::nop, r.table = TableId{0}; });
  add([](Rule& r) {
    r.action = RuleAction::blackhole, r.table = TableId{0}, r.from = Prefix::parse("10.7.0.1");
  });
  add([](Rule& r) {
    r.action = RuleAction::unreachable, r.table = TableId{0}, r.from = Prefix::parse("10.7.0.1");
  });
  add([](Rule& r) {
    r.action = RuleAction::prohibit, r.table = TableId{0}, r.from = Prefix::parse("10.7.0.1");
  });
  add([](Rule& r) { r.other.push_back({11, {5, 0, 4, 0}}); });  // realms 4/5
  for (const char* from : {"fd00::1", "fd05::7/64", "::/0"}) {
    add([&](Rule& r) {
      r.family = Family::v6;
      if (std::string_view(from) != "::/0") r.from = Prefix::parse(from);
      r.to = Prefix::parse("fd99::/48");
      r.ip_proto = 6;
      r.iif = "lo";
    });
  }
  add([](Rule& r) { r.family = Family::v6, r.fwmark = 1, r.fwmask = 3, r.uid = {0, 5}; });
  add([](Rule& r) { r.family = Family::v6, r.flowlabel = 0x10203, r.flowlabel_mask = 0xfffff; });
  add([](Rule& r) { r.family = Family::v6, r.flowlabel_mask = 0xf; });

  // The foreign routes of every kind once more, in tables of our own.
  for (const Route& each : host.routes) {
    const bool by_kernel = each.protocol == protocol_kernel;
    if (by_kernel || each.type == RouteType::local) continue;
    Route route = each;
    route.table = TableId{route.table.value + 80000};
    route.protocol = protocol_retour;
    changes.push_back({AddRoute{route}, "test"});
  }
  return changes;
}

std::vector<Change> backwards(const std::vector<Change>& changes) {
  std::vector<Change> out;
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {
    if (const auto* rule = std::get_if<AddRule>(&it->operation)) {
      out.push_back({DeleteRule{rule->rule}, "test"});
    } else {
      out.push_back({DeleteRoute{std::get<AddRoute>(it->operation).route}, "test"});
    }
  }
  return out;
}

/// What the kernel finds out by itself is no part of what was asked for.
Rule asked(Rule rule) {
  rule.iif_detached = rule.oif_detached = rule.goto_unresolved = false;
  return rule;
}
Route asked(Route route) {
  for (NextHop& leg : route.next_hops) leg.flags &= 4;
  route.flags &= 4;
  return route;
}

TEST(KernelApply, AddsEverySelectorAndTakesItAwayWithoutTrace) {
  const KernelHost host;
  build_rich_host(host);
  const std::string before = settled_text(host);
  const auto kernel = host.kernel();
  const auto start = kernel->snapshot();
  ASSERT_TRUE(start.has_value());
  const std::vector<Change> changes = every_selector(*start);
  expect_done(kernel->apply(changes));

  const auto with = kernel->snapshot();
  ASSERT_TRUE(with.has_value());
  for (const Change& change : changes) {
    if (const auto* rule = std::get_if<AddRule>(&change.operation)) {
      const auto found = std::ranges::find_if(
          with->rules, [&](const Rule& each) { return asked(each) == asked(rule->rule); });
      EXPECT_NE(found, with->rules.end()) << describe(change);
    } else {
      const Route& route = std::get<AddRoute>(change.operation).route;
      const auto found = std::ranges::find_if(
          with->routes, [&](const Route& each) { return asked(each) == asked(route); });
      EXPECT_NE(found, with->routes.end()) << describe(change, &*start);
    }
  }
  expect_done(kernel->apply(backwards(changes)));
  EXPECT_EQ(whole_text(host), before);
}

TEST(KernelApply, CommandShownIsTheChange) {
  const KernelHost host;
  build_rich_host(host);
  const std::string before = settled_text(host);
  const auto kernel = host.kernel();
  const auto start = kernel->snapshot();
  ASSERT_TRUE(start.has_value());
  std::vector<Change> changes;
  for (const Change& change : every_selector(*start)) {
    const std::string command = ip_command(change, *start);
    // What iproute2 6.1 cannot say.
    if (command.find("dscp") != std::string::npos ||
        command.find("flowlabel") != std::string::npos ||
        command.find("# not said") != std::string::npos ||
        command.find("port 4608/") != std::string::npos) {
      continue;
    }
    changes.push_back(change);
  }
  ASSERT_GT(changes.size(), 35U);
  expect_done(kernel->apply(changes));
  const std::string ours = whole_text(host);
  expect_done(kernel->apply(backwards(changes)));
  EXPECT_NE(whole_text(host), ours);
  for (const Change& change : changes) host.do_ip(ip_command(change, *start));
  EXPECT_EQ(whole_text(host), ours);
  for (const Change& change : backwards(changes)) host.do_ip(ip_command(change, *start));
  EXPECT_EQ(whole_text(host), before);
}

TEST(KernelApply, EveryRefusalNamesItsChange) {
  const KernelHost host;
  build_rich_host(host);
  const auto kernel = host.kernel();
  const auto start = kernel->snapshot();
  ASSERT_TRUE(start.has_value());
  Rule rule = rule_to(31100, 200);
  rule.from = Prefix::parse("10.9.0.2");
  Route down;
  down.dst = *Prefix::parse("10.99.0.0/24");
  down.table = TableId{200};
  down.scope = scope_link;
  down.protocol = protocol_retour;
  down.next_hops = {NextHop{start->link("n7")->index, {}, 0, 1}};
  Route vanished = down;
  vanished.next_hops[0].link = IfIndex{99999};
  Route foreign_source = down;
  foreign_source.next_hops[0].link = start->link("n0")->index;
  foreign_source.prefsrc = Ip::parse("10.99.0.1");
  Rule absent = rule_to(31999, 200);
  const std::vector<Change> changes{{AddRule{rule}, ""},           {AddRule{rule}, ""},
                                    {AddRoute{down}, ""},          {AddRoute{vanished}, ""},
                                    {DeleteRule{absent}, ""},      {DeleteRoute{down}, ""},
                                    {AddRoute{foreign_source}, ""}};
  const auto results = kernel->apply(changes);
  ASSERT_EQ(results.size(), changes.size());
  EXPECT_FALSE(results[0]);
  ASSERT_TRUE(results[1]);
  EXPECT_EQ(results[1]->message(), "add rule 31100 from 10.9.0.2 lookup 200: File exists");
  EXPECT_EQ(results[1]->errnum, EEXIST);
  ASSERT_TRUE(results[2]);
  EXPECT_EQ(results[2]->errnum, ENETDOWN);
  EXPECT_EQ(results[2]->doing, "add route 10.99.0.0/24 dev n7 table 200");
  ASSERT_TRUE(results[3]);
  EXPECT_EQ(results[3]->errnum, ENODEV);
  EXPECT_EQ(results[3]->doing, "add route 10.99.0.0/24 dev #99999 table 200");
  ASSERT_TRUE(results[4]);
  EXPECT_EQ(results[4]->kind, ErrorKind::not_found);
  ASSERT_TRUE(results[5]);
  EXPECT_EQ(results[5]->kind, ErrorKind::not_found);
  ASSERT_TRUE(results[6]);
  EXPECT_EQ(results[6]->message(),
            "add route 10.99.0.0/24 dev n0 src 10.99.0.1 table 200: Invalid prefsrc address");
}

TEST(KernelApply, WithoutPrivilegeSaysWhichOne) {
  const KernelHost host;
  host.build("link set lo up\nlink add n0 type veth peer name m0\n");
  const pid_t child = fork();
  if (child == 0) {
    auto netns = Netns::open(host.name());
    if (!netns || !netns->enter()) _exit(2);
    auto kernel = NetlinkKernel::open();
    if (!kernel) _exit(3);
    const auto start = (*kernel)->snapshot();
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    if (!start || syscall(SYS_capset, &header, none.data()) != 0) _exit(4);
    const std::array<Change, 1> changes{Change{AddRule{rule_to(5, 200)}, ""}};
    const auto results = (*kernel)->apply(changes);
    const bool rule_told = results[0] && results[0]->kind == ErrorKind::permission &&
                           results[0]->hint.find("CAP_NET_ADMIN") != std::string::npos;
    _exit(rule_told ? 0 : 5);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(KernelApply, SysctlsInTheirTurn) {
  const KernelHost host;
  build_rich_host(host);
  const auto kernel = host.kernel();
  const auto start = kernel->snapshot();
  ASSERT_TRUE(start.has_value());
  const IfIndex n0 = start->link("n0")->index;
  const std::vector<Change> changes{{AddRule{rule_to(5, 200)}, ""},
                                    {SetConf{n0, "n0", Conf::arp_ignore, 0, 1}, ""},
                                    {DeleteRule{rule_to(5, 200)}, ""},
                                    {SetConf{n0, "n1", Conf::arp_ignore, 0, 1}, ""},
                                    {SetConf{n0, "all", Conf::arp_ignore, 0, 1}, ""}};
  const auto results = kernel->apply(changes);
  EXPECT_FALSE(results[0] || results[1] || results[2]);
  ASSERT_TRUE(results[3]);
  EXPECT_EQ(results[3]->kind, ErrorKind::changed);
  ASSERT_TRUE(results[4]);
  const auto after = kernel->snapshot();
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->link("n0")->conf.get(Conf::arp_ignore), 1);
  EXPECT_EQ(after->link("n1")->conf.get(Conf::arp_ignore), 0);
  EXPECT_EQ(after->conf_all.get(Conf::arp_ignore), 2);
}

TEST(KernelApply, ThousandsOfChangesEachAnswered) {
  const KernelHost host;
  host.build("link set lo up\n");
  const auto kernel = host.kernel();
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    Rule rule = rule_to(30000 - i, 200);
    rule.from = Prefix::host(Ip::v4(0x0a000000U + i));
    changes.push_back({AddRule{rule}, ""});
  }
  changes.push_back({DeleteRule{rule_to(77, 200)}, ""});
  const auto results = kernel->apply(changes);
  EXPECT_EQ(std::ranges::count_if(results, [](const auto& each) { return each.has_value(); }), 1);
  EXPECT_TRUE(results.back().has_value());
  const auto read = kernel->snapshot();
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->rules.size(), 5000U + 5U);
  changes.pop_back();
  expect_done(kernel->apply(backwards(changes)));
  EXPECT_EQ(kernel->snapshot()->rules.size(), 5U);
}

}  // namespace
}  // namespace retour::kernel_test
