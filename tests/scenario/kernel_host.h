// SPDX-License-Identifier: Apache-2.0
//
// A namespace of its own for one test, built and looked at with iproute2: what retour says is held
// against what another program says.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "os/kernel_netlink.h"
#include "os/netns.h"

namespace retour::kernel_test {

struct Output {
  int exit{};  ///< as a shell counts: 128 and the signal, when one ended it
  std::string text;
};

/// By the shell; errors stand among the text unless they go to a file.
inline Output run(const std::string& command, const std::string& errors_to = "&1") {
  FILE* pipe = popen((command + " 2>" + errors_to).c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  Output output;
  std::array<char, 65536> room{};
  while (const std::size_t size = fread(room.data(), 1, room.size(), pipe)) {
    output.text.append(room.data(), size);
  }
  const int status = pclose(pipe);
  output.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

class KernelHost {
 public:
  KernelHost() {
    static int made = 0;
    name_ = "rt-kern-" + std::to_string(getpid()) + "-" + std::to_string(made++);
    const Output added = run("ip netns add " + name_);
    EXPECT_EQ(added.exit, 0) << added.text;
  }
  KernelHost(const KernelHost&) = delete;
  KernelHost& operator=(const KernelHost&) = delete;
  ~KernelHost() { run("ip netns del " + name_); }

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Lines of `ip -batch`.
  void build(const std::string& lines, const std::string& options = "") const {
    const std::string path = testing::TempDir() + name_ + ".batch";
    std::ofstream(path) << lines;
    const Output done = run("ip -n " + name_ + " " + options + " -batch " + path);
    unlink(path.c_str());
    ASSERT_EQ(done.exit, 0) << done.text;
  }

  [[nodiscard]] std::string ip(const std::string& arguments) const {
    const Output done = run("ip -n " + name_ + " " + arguments);
    EXPECT_EQ(done.exit, 0) << arguments << ": " << done.text;
    return done.text;
  }
  void do_ip(const std::string& arguments) const { static_cast<void>(ip(arguments)); }
  [[nodiscard]] nlohmann::json ip_json(const std::string& arguments) const {
    // `ip` warns of a dump that a change interrupted, and goes on.
    const Output done = run("ip -n " + name_ + " -j -N " + arguments, "/dev/null");
    EXPECT_EQ(done.exit, 0) << arguments;
    return done.text.empty() ? nlohmann::json::array() : nlohmann::json::parse(done.text);
  }
  [[nodiscard]] Output exec(const std::string& command) const {
    return run("ip netns exec " + name_ + " sh -c '" + command + "'");
  }

  /// Opened inside, used from outside: it stays with its namespace.
  [[nodiscard]] std::unique_ptr<NetlinkKernel> kernel() const {
    auto netns = Netns::open(name_);
    if (!netns) ADD_FAILURE() << netns.error().message();
    auto inside = InsideNetns::enter(*netns);
    if (!inside) ADD_FAILURE() << inside.error().message();
    auto opened = NetlinkKernel::open();
    if (!opened) ADD_FAILURE() << opened.error().message();
    return std::move(*opened);
  }

  [[nodiscard]] Snapshot snapshot() const {
    auto read = kernel()->snapshot();
    if (!read) ADD_FAILURE() << read.error().message();
    return read.value_or(Snapshot{});
  }

 private:
  std::string name_;
};

/// Nine links, every kind of route and nexthop, every rule selector that iproute2 6.1 knows.
inline void build_rich_host(const KernelHost& host) {
  std::string links = "link set lo up\n";
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    links += "link add n" + n + " type veth peer name m" + n + "\n";
  }
  links += R"(link add br0 type bridge
link set m0 master br0
link set n3 group 7 mtu 1400
link set n0 up
link set n1 up
link set n2 up
link set n3 up
link set m0 up
link set m1 up
link set br0 up
addr add 29.28.0.1/20 dev n0 broadcast 29.28.15.255
addr add 29.28.0.2/20 dev n1 metric 105
addr add 29.28.0.3/20 dev n1
addr add 10.1.1.1 peer 10.1.1.2/32 dev n2
addr add 10.2.0.1/24 dev n3 label n3:x scope link
addr add fd00::1/64 dev n0 nodad
addr add fd00::2/64 dev n1 nodad
addr add fd01::1 peer fd01::2 dev n2 nodad
route add default via 29.28.0.9 dev n0 metric 5 mtu 1300 advmss lock 1200 initcwnd 20 rto_min 50ms
route add 10.50.0.0/16 src 29.28.0.1 nexthop via 29.28.0.9 dev n0 weight 3 nexthop via 29.28.0.10 dev n1 weight 256
route add 10.51.0.0/16 nexthop via 29.28.0.9 dev n0 realms 3 nexthop via 29.28.0.10 dev n1
route add blackhole 10.60.0.0/16 metric 9
route add throw 10.61.0.0/16 table 300
route add unreachable 10.62.0.0/16 table 300 proto 213
route add prohibit 10.63.0.0/16 table 301
route add 10.64.0.0/16 dev n1 table 301 scope link tos 0x10 realms 1/2
route add 10.65.0.0/16 via inet6 fd00::9 dev n0
route add 10.66.0.0/16 via 172.16.0.1 dev n2 onlink
route add local 10.67.0.0/16 dev lo table 302
nexthop add id 1 via 29.28.0.9 dev n0
nexthop add id 2 via 29.28.0.10 dev n1
nexthop add id 3 blackhole
nexthop add id 4 via fd00::9 dev n0 proto 99
nexthop add id 10 group 1,5/2,3
route add 10.70.0.0/16 nhid 10
route add 10.71.0.0/16 nhid 1 metric 4
route add fd10::/64 nhid 4
route add fd11::/64 via fd00::9 dev n0 metric 77 pref high
route add fd12::/64 from fd00::/64 via fd00::9 dev n0
route add blackhole fd13::/64
route add fd14::/64 nexthop via fd00::9 dev n0 weight 2 nexthop via fd00::8 dev n1
route add ::/0 via fd00::9 dev n0 table 400 mtu 1280
rule add priority 100 from 29.28.0.1 to 10.0.0.0/8 iif n0 oif n1 fwmark 0x5/0xff tos 0x10 lookup 300 proto 213
rule add priority 101 not from 29.28.0.1/20 lookup 70000
rule add priority 102 iif nodev lookup 301
rule add priority 103 ipproto tcp sport 100-200 dport 443 lookup 301
rule add priority 104 uidrange 5-99 lookup 301 suppress_prefixlength 20
rule add priority 105 lookup 301 suppress_ifgroup 7
rule add priority 106 from 10.0.0.9 goto 200
rule add priority 107 goto 30000
rule add priority 108 from 10.9.0.1 blackhole
rule add priority 109 from 10.9.0.2 unreachable
rule add priority 110 from 10.9.0.3 prohibit
rule add priority 111 from 10.9.0.4 nop
rule add priority 112 tun_id 77 lookup 301
rule add priority 113 l3mdev
rule add priority 114 from 10.9.0.5 lookup 301 realms 4/5
rule add priority 200 fwmark 0x9 lookup 300
neigh add 29.28.0.77 lladdr 02:00:00:00:00:77 dev n0 nud permanent
neigh add proxy 29.28.0.78 dev n0
neigh add fd00::77 lladdr 02:00:00:00:00:78 dev n0 nud permanent
)";
  host.build(links);
  host.build(
      "rule add priority 300 from fd00::1 to fd99::/64 iif lo lookup 400 proto 213\n"
      "rule add priority 301 oif n1 ipproto udp dport 1-9 lookup 400\n"
      "rule add priority 302 from fd77::/16 fwmark 0x7/0x7 tos 0xb8 lookup 400 "
      "suppress_prefixlength 0\n"
      "rule add priority 303 not from ::/1 lookup 401\n",
      "-6");
  const Output quiet = host.exec(
      "echo 2 > /proc/sys/net/ipv4/conf/all/arp_ignore;"
      "echo 2 > /proc/sys/net/ipv4/conf/n0/rp_filter;"
      "echo 1 > /proc/sys/net/ipv4/conf/n1/arp_filter;"
      "echo 7 > /proc/sys/net/ipv4/conf/n2/medium_id");
  EXPECT_EQ(quiet.exit, 0) << quiet.text;
}

}  // namespace retour::kernel_test
