// SPDX-License-Identifier: Apache-2.0
//
// One host read two ways: over netlink, and from what `ip` printed of it in every form it has. All
// that the print could say must be equal, to the last field.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "kernel_host.h"
#include "printed_by.h"
#include "text/contradiction.h"
#include "text/import.h"
#include "text/snapshot_json.h"

namespace retour::kernel_test {
namespace {

using testing::Iproute2;
using testing::Print;

Iproute2 iproute2() {
  const Output said = run("ip -V");
  int major = 0;
  int minor = 0;
  const auto at = said.text.find("iproute2-");
  EXPECT_NE(at, std::string::npos) << said.text;
  EXPECT_GE(std::sscanf(said.text.c_str() + at, "iproute2-%d.%d", &major, &minor), 1);
  return {major, minor};
}

/// The host as `ip` says it with these options, and the sysctls as /proc has them.
ImportTexts texts_of(const KernelHost& host, const std::string& options) {
  const auto ip = [&](const std::string& what) {
    return run("ip -n " + host.name() + " " + options + " " + what, "/dev/null").text;
  };
  const auto named = [&](const std::string& name, std::string text) {
    return std::optional(NamedText{name, std::move(text)});
  };
  ImportTexts texts;
  texts.addr = named("addr", ip("addr"));
  texts.link = named("link", ip("link"));
  texts.route = named("route", ip("route show table all"));
  texts.rule = named("rule", ip("rule") + ip("-6 rule"));
  texts.neigh = named("neigh", ip("neigh") + ip("neigh show proxy"));
  texts.nexthop = named("nexthop", ip("nexthop"));
  texts.sysctl = named("sysctl", host.exec("cd /proc/sys && grep -r . net/ipv4/conf net/ipv6/conf "
                                           "2>/dev/null | sed \"s/:/ = /\"")
                                     .text);
  return texts;
}

/// Duplicate address detection and carrier done, nothing moving.
Snapshot settled(const KernelHost& host) {
  const auto kernel = host.kernel();
  std::optional<Snapshot> before;
  for (int i = 0; i < 500; ++i) {
    auto now = kernel->snapshot();
    const bool tentative = !now || std::ranges::any_of(now->addresses, [](const Address& address) {
      return (address.flags & 0x40U) != 0;
    });
    if (!tentative && before && *before == *now) return std::move(*now);
    before = now ? std::optional(std::move(*now)) : std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ADD_FAILURE() << "the test's namespace does not settle";
  return {};
}

template <class T>
void expect_equal(const std::vector<T>& ours, const std::vector<T>& kernel, const Snapshot& host,
                  std::vector<T> Snapshot::*list, const std::string& form) {
  EXPECT_EQ(ours.size(), kernel.size()) << form;
  for (std::size_t i = 0; i < std::min(ours.size(), kernel.size()); ++i) {
    if (ours[i] == kernel[i]) continue;
    Snapshot one;
    one.links = host.links;
    Snapshot other = one;
    (one.*list) = {ours[i]};
    (other.*list) = {kernel[i]};
    ADD_FAILURE() << form << ", element " << i << "\nfrom the text: " << to_json(one)
                  << "\nfrom the kernel: " << to_json(other);
    return;
  }
}

void expect_one_host(const KernelHost& host, const std::string& options, const Print& print) {
  Snapshot kernel = settled(host);
  auto ours = import_texts(texts_of(host, options));
  ASSERT_TRUE(ours) << options << ": " << ours.error().message() << " / " << ours.error().hint;
  const std::string form = "ip " + options;
  EXPECT_EQ(ours->conf_all, kernel.conf_all) << form;
  EXPECT_EQ(ours->conf6_all, kernel.conf6_all) << form;
  for (const Link& link : kernel.links) {
    ASSERT_NE(ours->link(link.name), nullptr) << form << ' ' << link.name;
    EXPECT_EQ(ours->link(link.name)->conf, link.conf) << form << ' ' << link.name;
    EXPECT_EQ(ours->link(link.name)->conf6, link.conf6) << form << ' ' << link.name;
  }
  EXPECT_FALSE(find_contradiction(kernel)) << find_contradiction(kernel)->why;
  forget_unprinted(kernel, print);
  forget_unprinted(*ours, print);
  expect_equal(ours->links, kernel.links, kernel, &Snapshot::links, form);
  expect_equal(ours->addresses, kernel.addresses, kernel, &Snapshot::addresses, form);
  expect_equal(ours->neighbors, kernel.neighbors, kernel, &Snapshot::neighbors, form);
  expect_equal(ours->routes, kernel.routes, kernel, &Snapshot::routes, form);
  expect_equal(ours->rules, kernel.rules, kernel, &Snapshot::rules, form);
  expect_equal(ours->nexthops, kernel.nexthops, kernel, &Snapshot::nexthops, form);
  EXPECT_EQ(*ours, kernel) << form;
}

void expect_one_host_in_every_form(const KernelHost& host) {
  const Iproute2 by = iproute2();
  for (const char* options : {"", "-o", "-N", "-s", "-d", "-d -o", "-d -N", "-d -s"}) {
    expect_one_host(host, options, {by, false, std::string_view(options).starts_with("-d")});
  }
  for (const char* options : {"-j", "-j -d", "-j -N", "-j -s", "-j -d -N"}) {
    expect_one_host(host, options, {by, true, std::string_view(options).starts_with("-j -d")});
  }
}

TEST(ImportLive, RichHost) {
  const KernelHost host;
  build_rich_host(host);
  host.build(R"(link set n4 up
link set n2 alias "a line  of words"
link property add dev n1 altname an-altname
addr add 10.3.0.1/31 dev n3 scope site
addr add 10.3.1.1/32 dev n3 scope host
addr add 10.3.2.1/24 dev n3 noprefixroute valid_lft 5000 preferred_lft 0
addr add 10.4.0.1/24 dev n4
route add 10.80.0.0/16 dev n0 mtu lock 1400 window 3000 rtt 100ms rttvar lock 25ms ssthresh 3 cwnd 4 reordering 5 hoplimit 6 initcwnd 7 features ecn rto_min 2s initrwnd 9 quickack 1 congctl reno
route add 10.81.0.0/16 dev n0 rtt 3s congctl lock reno
route add 10.82.0.0/16 mtu 1234 nexthop via 29.28.0.9 dev n0 onlink nexthop dev n4 weight 2 nexthop via inet6 fe80::9 dev n1
route add blackhole default table 301
route add 10.64.0.0/16 dev n1 table 301 tos 0x08 scope 33
route add broadcast 10.83.0.255 dev n1 table 302
route add multicast 224.5.0.0/16 dev n1 table 302
route add anycast 10.84.0.1 dev n1 table 302
route add default dev n1 table 303
route append 10.85.0.0/16 dev n0
route append 10.85.0.0/16 dev n1
route add 10.86.0.0/16 encap ip id 5 dst 10.1.1.9 via 29.28.0.9 dev n0
nexthop add id 5 dev n1
nexthop add id 6 via 29.28.0.11 dev n0 onlink
nexthop add id 11 group 1/2 type resilient buckets 32 idle_timer 60
nexthop add id 12 group 3
route add 10.87.0.0/16 nhid 3
route add 10.88.0.0/16 nhid 11
neigh add 29.28.0.80 lladdr 02:00:00:00:00:80 dev n0 nud stale extern_learn
)");
  host.build(R"(addr add fd02::1/64 dev n3 nodad valid_lft 5000 preferred_lft 0
addr add fd02::2/64 dev n3 nodad noprefixroute
addr add fd02::3/64 dev n3 nodad metric 77 home
addr add fd02:0:0:1::5/64 dev n3 nodad mngtmpaddr
route add unreachable fd20::/64 metric 5 table 300
route add prohibit fd21::/64
route add throw fd22::/64 table 300
route add blackhole default table 301
route add default dev n1 table 401
route add default via fe80::1 dev n1 proto ra metric 100 expires 5000 hoplimit 64 pref low
route add local fd23::/64 dev lo table 302
route add anycast fd24::1 dev n0
route add multicast ff05::/16 dev n1 table 302
route add fd25::/64 dev n0 mtu lock 1400 advmss 1200 features ecn
route add fd26::/64 via fe80::7 dev n2 onlink
route add fd27::/64 dev n4
nexthop add id 22 via fe80::10 dev n1
nexthop add id 23 dev n1
nexthop add id 24 blackhole
route add fd28::/64 nhid 24
rule add priority 304 tos 0x04 lookup 401
rule add priority 305 from fd00::5 unreachable
rule add priority 400 ipproto ipv6-icmp lookup 401
)",
             "-6");
  host.do_ip("link set m4 down");  // no carrier on n4
  expect_one_host_in_every_form(host);
  // The routes on it are dead then, not only without carrier.
  EXPECT_EQ(host.exec("echo 1 > /proc/sys/net/ipv4/conf/n4/ignore_routes_with_linkdown").exit, 0);
  EXPECT_EQ(host.exec("echo 1 > /proc/sys/net/ipv6/conf/n4/ignore_routes_with_linkdown").exit, 0);
  expect_one_host(host, "", {iproute2(), false, false});
  expect_one_host(host, "-j", {iproute2(), true, false});
}

/// Lines of `ip -batch` of one family from small pools, so that things collide; the kernel refuses
/// some of them.
class RandomLines {
 public:
  RandomLines(std::uint32_t seed, bool v6) : random_(seed), v6_(v6) {}

  std::string routes(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::string type = pick({"", "", "", "", "blackhole ", "unreachable ", "prohibit ",
                                     "throw ", "local ", "multicast ", "broadcast "});
      const bool rejects = type.size() > 5 && type[0] != 'l' && type[0] != 'm' && type[1] != 'r';
      // Legs have to be last.
      lines += "route append " + type + prefix() + some(" metric 7", " metric 4000000000") +
               some(" table 100", " table 70000") + some(" proto 213", " proto static") +
               some(" mtu 1400", " mtu lock 1300 rtt 5ms") +
               (v6_ ? some(" pref high", " pref low") : some(" tos 0x10", " realms 3/4")) +
               (rejects ? "" : legs(type.empty())) + "\n";
    }
    return lines;
  }

  std::string rules(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += fmt::format("rule add priority {} {}from {}", 10 + random_() % 40,
                           pick({"", "", "not "}), pick({"all", prefix(), host()})) +
               some(" to " + prefix(), " to " + host()) + some(" iif e0", " iif gone") +
               some(" oif e1", " oif lo") + some(" fwmark 0x1/0xf", " fwmark 7") +
               some(" ipproto tcp sport 1-5", " ipproto 99 dport 80") +
               some(" uidrange 0-5", " tun_id 9") + some(" tos 0x10", "") + some(" proto 99", "") +
               pick({" lookup main", " lookup 100", " lookup 100 suppress_prefixlength 8",
                     " lookup 70000 suppress_ifgroup 3", " blackhole", " prohibit", " unreachable",
                     " nop", " goto 35", " goto 300", " lookup main realms 5"}) +
               "\n";
    }
    return lines;
  }

 private:
  std::string pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }
  std::string some(const std::string& a, const std::string& b) { return pick({"", "", a, b}); }
  std::string prefix() {
    return v6_ ? pick({"default", "fd10::/16", "fd10:1::/32", "fd10:1::/64", "fd10:1::7"})
               : pick({"default", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.7"});
  }
  std::string host() { return v6_ ? pick({"fd00::1", "fd00::2"}) : pick({"10.0.0.1", "10.0.1.1"}); }
  std::string leg() {
    const std::string n = pick({"0", "1"});
    const std::string via = v6_ ? "fd00:" + n + "::9" : "10.0." + n + ".9";
    return some(" via " + via, v6_ ? " via fe80::9" : " via inet6 fe80::9") + " dev e" + n;
  }
  std::string legs(bool unicast) {
    if (!unicast || random_() % 3 != 0) return leg();
    return " nexthop" + leg() + " weight 3 nexthop" + leg();
  }

  std::mt19937 random_;
  bool v6_;
};

TEST(ImportLive, RandomHosts) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const KernelHost host;
    host.build(R"(link set lo up
link add e0 type veth peer name f0
link add e1 type veth peer name f1
link set e0 addrgenmode none
link set e1 addrgenmode none
link set f0 addrgenmode none
link set e0 up
link set f0 up
link set e1 group 3 up
addr add 10.0.0.1/24 dev e0
addr add 10.0.1.1/24 dev e1
addr add fd00::1/64 dev e0 nodad
addr add fd00:1::1/64 dev e1 nodad
)");
    for (const bool v6 : {false, true}) {
      RandomLines random(seed, v6);
      const std::string path = ::testing::TempDir() + host.name() + ".random";
      std::ofstream(path) << random.routes(40) << random.rules(20);
      run("ip -n " + host.name() + (v6 ? " -6" : "") + " -force -batch " + path, "/dev/null");
      unlink(path.c_str());
    }
    const Snapshot now = settled(host);
    EXPECT_GT(now.routes.size(), 40U);
    EXPECT_GT(now.rules.size(), 20U);
    expect_one_host(host, "", {iproute2(), false, false});
    expect_one_host(host, "-j -d", {iproute2(), true, true});
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace retour::kernel_test
