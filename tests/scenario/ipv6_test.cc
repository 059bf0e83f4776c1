// SPDX-License-Identifier: Apache-2.0
//
// IPv6 where a question by netlink cannot ask the kernel: what sockets get, who answers neighbour
// solicitations on the wire, what is let in and what is forwarded. What the model says beforehand
// must be what is then seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "model/ndisc.h"
#include "scenario/kernel_host.h"
#include "scenario/wire6.h"

namespace retour {
namespace {

using kernel_test::KernelHost;
using wire6::Wire6;

Ip ip(const std::string& text) { return Ip::parse(text).value(); }

/// Four NICs and their peers in one namespace; the peers have no IPv6 of their own.
class Ipv6 : public ::testing::Test {
 protected:
  Ipv6() {
    // Duplicate address detection would only delay what is asked here.
    sysctl("all/accept_dad", 0);
    sysctl("default/accept_dad", 0);
    std::string lines = "link set lo up\n";
    for (const std::string n : {"0", "1", "2", "3"}) {
      lines += "link add e" + n + " type veth peer name p" + n + "\n";
      lines += "link set e" + n + " address 02:00:00:00:00:1" + n + "\n";
    }
    host.build(lines);
    for (const std::string n : {"0", "1", "2", "3"}) {
      sysctl("p" + n + "/disable_ipv6", 1);
      host.build("link set p" + n + " up\nlink set e" + n + " up\n");
    }
  }
  void sysctl(const std::string& key, int value) const {
    const auto done =
        host.exec("echo " + std::to_string(value) + " > /proc/sys/net/ipv6/conf/" + key);
    EXPECT_EQ(done.exit, 0) << key << ": " << done.text;
  }
  [[nodiscard]] static IfIndex index(const Snapshot& snapshot, std::string_view name) {
    return snapshot.link(name)->index;
  }

  KernelHost host;
};

TEST_F(Ipv6, TheSnapshotHasWhatDecides) {
  host.do_ip("addrlabel add prefix 2001:db8::/32 dev e1 label 77");
  host.build("route add fd00:a::/64 dev e0 metric 5\nroute add fd00:b::/64 dev e0 expires 1\n",
             "-6");
  sysctl("all/forwarding", 1);
  sysctl("e1/use_oif_addrs_only", 1);
  sysctl("e1/forwarding", 0);
  kernel_test::run("sleep 1.3");
  const Snapshot snapshot = host.snapshot();
  const Link& e1 = *snapshot.link("e1");
  EXPECT_EQ(snapshot.conf6_all.get(Conf6::forwarding), 1);
  EXPECT_EQ(e1.conf6.get(Conf6::forwarding), 0);
  EXPECT_EQ(e1.conf6.get(Conf6::use_oif_addrs_only), 1);
  EXPECT_EQ(snapshot.link("p1")->conf6.get(Conf6::disable_ipv6), 1);
  ASSERT_TRUE(snapshot.address_labels.has_value());
  const AddressLabel label{Prefix::parse("2001:db8::/32").value(), e1.index, 77};
  EXPECT_NE(std::ranges::find(*snapshot.address_labels, label), snapshot.address_labels->end());
  const auto expired = [&](const char* dst) {
    const Prefix prefix = Prefix::parse(dst).value();
    const auto it = std::ranges::find(snapshot.routes, prefix, &Route::dst);
    return it != snapshot.routes.end() && it->expired;
  };
  EXPECT_FALSE(expired("fd00:a::/64"));
  EXPECT_TRUE(expired("fd00:b::/64"));
}

TEST_F(Ipv6, WhetherARuleWasEverAdded) {
  host.build("addr add fd00:1::1/64 dev e0 nodad\n", "-6");
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v6, std::nullopt) << "it makes no difference";
  host.do_ip("-6 rule del pref 32766");
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v6, false) << "deleting is not noticed";
  Flow flow;
  flow.dst = ip("fd00:1::9");
  const Snapshot before = host.snapshot();
  EXPECT_EQ(Fib(before).output(flow).link, index(before, "e0"));
  host.do_ip("-6 rule add pref 5 lookup 5");
  EXPECT_EQ(host.snapshot().hidden.custom_rules_v6, true);
  host.do_ip("-6 rule del pref 5");
  const Snapshot after = host.snapshot();
  EXPECT_EQ(after.hidden.custom_rules_v6, true) << "once and for ever";
  EXPECT_EQ(Fib(after).output(flow).errnum, ENETUNREACH);
}

TEST_F(Ipv6, SocketsAreAskedForTwice) {
  host.build(
      "addr add fd00:1::1/64 dev e0 nodad\naddr add fd00:2::1/64 dev e1 nodad\n"
      "route del fd00:1::/64 dev e0\nroute del fd00:2::/64 dev e1\n"
      "route add fd00:3::/64 dev e1 table 100\nroute add fd00:4::/64 via fe80::9 dev e0 table 101\n"
      "rule add from fd00:2::1 lookup 100\nrule add to fd00:4::/32 lookup 101\n"
      "rule add to fd00:5::/32 prohibit\n",
      "-6");
  const Snapshot snapshot = host.snapshot();
  const Fib6 fib(snapshot);
  for (const char* dst : {"fd00:3::9", "fd00:4::9", "fd00:5::9", "fd00:6::9", "fd00:1::1", "::1"}) {
    Flow flow;
    flow.dst = ip(dst);
    flow.ip_proto = 17;
    const Lookup lookup = fib.connect(flow);
    const wire6::Connected seen = wire6::connect_udp(host, flow.dst);
    EXPECT_EQ(lookup.errnum, seen.errnum) << dst;
    if (seen.errnum == 0) {
      EXPECT_EQ(lookup.source, seen.source) << dst;
    }
  }
  // Bound to a link it takes no other, though RTM_GETROUTE says otherwise when it is given a
  // source.
  Flow bound;
  bound.src = ip("fd00:2::1");
  bound.dst = ip("fd00:3::9");
  bound.oif = index(snapshot, "e0");
  EXPECT_EQ(fib.output(bound).link, index(snapshot, "e1"));
  EXPECT_EQ(fib.connect(bound).errnum, ENETUNREACH);
  EXPECT_EQ(wire6::connect_udp(host, bound.dst, bound.src, "e0").errnum, ENETUNREACH);
  bound.oif = index(snapshot, "e1");
  EXPECT_EQ(fib.connect(bound).link, index(snapshot, "e1"));
  EXPECT_EQ(wire6::connect_udp(host, bound.dst, bound.src, "e1").errnum, 0);
  Flow flow;
  flow.dst = ip("fd00:3::9");
  EXPECT_EQ(fib.output(flow).errnum, ENETUNREACH) << "what RTM_GETROUTE says";
  EXPECT_EQ(fib.connect(flow).link, index(snapshot, "e1"));
}

TEST_F(Ipv6, WhoAnswersSolicitations) {
  host.build(
      "addr add fd00:1::1/64 dev e0 nodad\naddr add fd00:1::2/64 dev e1 nodad\n"
      "addr add fd00:1::5/64 dev lo nodad\nroute add local fd00:1::6/128 dev e0\n"
      "neigh add proxy fd00:1::7 dev e2\nneigh add proxy fd00:1::8 dev e3\n"
      "neigh add proxy fd00:1::8 dev e2\n",
      "-6");
  sysctl("e2/forwarding", 1);
  sysctl("e2/proxy_ndp", 1);
  sysctl("e3/proxy_ndp", 1);
  // A proxy or anycast answer would else be put off by up to 0.8 s.
  EXPECT_EQ(host.exec("echo 0 > /proc/sys/net/ipv6/neigh/e2/proxy_delay").exit, 0);
  host.build("addr add fd00:9::1/64 dev e2 nodad\n", "-6");  // and with it the anycast fd00:9::
  const Snapshot snapshot = host.snapshot();
  const Fib fib(snapshot);
  std::vector<NeighborSolicitation> asked;
  for (const char* target : {"fd00:1::1", "fd00:1::2", "fd00:1::5", "fd00:1::6", "fd00:1::7",
                             "fd00:1::8", "fd00:9::1", "fd00:9::", "fd00:1::99", "::1"}) {
    for (const char* sender : {"fd00:1::100", "fd00:77::1", "fe80::100", "fd00:1::2", "::"}) {
      asked.push_back({ip(sender), ip(target)});
    }
  }
  int answers = 0;
  for (const std::string link : {"e0", "e1", "e2", "e3"}) {
    const auto seen = Wire6(host, "p" + link.substr(1)).solicit(asked);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto said = hear_solicitation(fib, asked[i], {index(snapshot, link)}).front();
      const std::string what =
          link + ": " + asked[i].sender.str() + " asks " + asked[i].target.str();
      EXPECT_EQ(said.answers, seen[i].has_value()) << what;
      if (said.answers && seen[i]) {
        EXPECT_EQ(said.source, *seen[i]) << what;
      }
      answers += said.answers ? 1 : 0;
    }
  }
  EXPECT_GT(answers, 20);
}

TEST_F(Ipv6, ASolicitationComesInLikeAnyPacket) {
  host.build("addr add fd00:1::1/64 dev e0 nodad\naddr add fd00:1::2/64 dev e1 nodad\n", "-6");
  host.build("rule add iif e1 pref 1 prohibit\nrule add pref 2 lookup local\nrule del pref 0\n",
             "-6");
  const Snapshot snapshot = host.snapshot();
  const Fib fib(snapshot);
  const auto both = [&](const std::string& link, const char* target) {
    const NeighborSolicitation asked{ip("fd00:1::100"), ip(target)};
    const bool said = hear_solicitation(fib, asked, {index(snapshot, link)}).front().answers;
    const bool seen = Wire6(host, "p" + link.substr(1)).solicit({asked}).front().has_value();
    EXPECT_EQ(said, seen) << link;
    return seen;
  };
  EXPECT_TRUE(both("e0", "fd00:1::1"));
  EXPECT_FALSE(both("e1", "fd00:1::2"));
}

TEST_F(Ipv6, WhomOurSolicitationsAreFrom) {
  host.build(
      "addr add fd00:1::1/64 dev e0 nodad\naddr add fd00:2::1/64 dev e1 nodad\n"
      "addr add fd00:1::3/64 dev e0 nodad\n",
      "-6");
  const Snapshot snapshot = host.snapshot();
  const Fib fib(snapshot);
  int number = 0;
  for (const char* source : {"fd00:1::1", "fd00:1::3", "fd00:2::1"}) {
    Wire6 wire(host, "p0");
    const Ip target = ip("fd00:1::a" + std::to_string(++number));
    wire6::send_udp(host, ip(source), target);
    const auto said = solicitation_sender(fib, index(snapshot, "e0"), ip(source));
    EXPECT_EQ(wire.solicited(target), said) << source;
  }
}

TEST_F(Ipv6, WhatIsForwarded) {
  host.build(
      "addr add fd00:1::1/64 dev e0 nodad\naddr add fd00:2::1/64 dev e1 nodad\n"
      "neigh add fd00:2::9 lladdr 02:00:00:00:00:99 dev e1 nud permanent\n"
      "route add fd00:3::/64 dev lo\n"
      "neigh add fd00:1::9 lladdr 02:00:00:00:00:98 dev e0 nud permanent\n",
      "-6");
  int through = 0;
  const auto compare = [&](const std::string& when) {
    const Snapshot snapshot = host.snapshot();
    const Fib fib(snapshot);
    std::vector<Flow> flows;
    for (const char* dst : {"fd00:2::9", "fd00:1::9", "fd00:2::1", "fd00:3::9", "::1"}) {
      for (const char* src : {"fd00:1::8", "fd00:2::1", "fe80::8", "::1", "fd00:77::1"}) {
        Flow& flow = flows.emplace_back();
        flow.src = ip(src);
        flow.dst = ip(dst);
        flow.iif = index(snapshot, "e0");
        flow.ip_proto = 17;
      }
    }
    Wire6 in(host, "p0");
    Wire6 out(host, "p1");
    in.send(flows, {2, 0, 0, 0, 0, 0x10});
    const auto back = in.heard();
    const auto beyond = out.heard();
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const auto came = [&](const std::vector<std::uint16_t>& ports) {
        return std::ranges::find(ports, i + 1) != ports.end();
      };
      const Lookup lookup = fib.input(flows[i]);
      const bool said = lookup.verdict == Verdict::unicast;
      const std::string what = when + ": " + flows[i].src.str() + " to " + flows[i].dst.str();
      EXPECT_EQ(said && lookup.link == index(snapshot, "e0"), came(back)) << what;
      EXPECT_EQ(said && lookup.link == index(snapshot, "e1"), came(beyond)) << what;
      through += said ? 1 : 0;
    }
  };
  compare("plain");
  EXPECT_EQ(through, 0);
  sysctl("e0/forwarding", 1);
  compare("the link's own forwarding");
  EXPECT_EQ(through, 0);
  const auto forced = host.exec("echo 1 > /proc/sys/net/ipv6/conf/e0/force_forwarding");
  if (forced.exit == 0) {  // since 6.17
    compare("forced");
    EXPECT_GT(through, 0);
    sysctl("e0/force_forwarding", 0);
  }
  sysctl("all/forwarding", 1);
  through = 0;
  compare("all");
  EXPECT_GT(through, 0);
}

}  // namespace
}  // namespace retour
