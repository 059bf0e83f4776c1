// SPDX-License-Identifier: Apache-2.0
//
// What a plan must not touch, on real hosts: open TCP connections, the operator's login, protected
// prefixes, and routes that come to main later.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "os/connections_netlink.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

using nlohmann::json;

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_{-1};
};

/// An established connection between two namespaces, bound to nothing but addresses.
struct Tcp {
  Socket server;
  Socket client;
  std::uint16_t client_port{};

  [[nodiscard]] bool passes(char byte) const {
    char heard = 0;
    timeval patience{3, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return send(server.fd(), &byte, 1, MSG_NOSIGNAL) == 1 && recv(client.fd(), &heard, 1, 0) == 1 &&
           heard == byte;
  }
};

sockaddr_in6 address_of(const Ip& ip, std::uint16_t port, bool mapped) {
  sockaddr_in6 address{};
  if (ip.is_v4() && !mapped) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(ip.v4_bits());
    return address;
  }
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  const std::string text = (ip.is_v4() ? "::ffff:" : "") + ip.str();
  inet_pton(AF_INET6, text.c_str(), &address.sin6_addr);
  return address;
}

Socket open_in(const std::string& netns, const Ip& ip, std::uint16_t port, bool mapped) {
  const auto where = Netns::open(netns);
  if (!where) return {};
  const auto inside = InsideNetns::enter(*where);
  if (!inside) return {};
  const bool v4 = ip.is_v4() && !mapped;
  Socket socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in6 own = address_of(ip, port, mapped);
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT_EQ(bind(socket.fd(), reinterpret_cast<const sockaddr*>(&own),
                 v4 ? sizeof(sockaddr_in) : sizeof own),
            0)
      << strerror(errno);
  return socket;
}

Tcp connect_to(const LabHost& from, const LabHost& to, const Ip& server, std::uint16_t port,
               bool mapped = false) {
  Tcp tcp;
  Socket listener = open_in(to.netns, server, port, mapped);
  EXPECT_EQ(listen(listener.fd(), 1), 0);
  tcp.client = open_in(from.netns, from.addresses.front(), 0, false);
  const sockaddr_in6 there = address_of(server, port, false);
  const timeval patience{3, 0};
  setsockopt(tcp.client.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  EXPECT_EQ(
      connect(tcp.client.fd(), reinterpret_cast<const sockaddr*>(&there), sizeof(sockaddr_in)), 0)
      << strerror(errno);
  tcp.server = Socket(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  sockaddr_in own{};
  socklen_t size = sizeof own;
  getsockname(tcp.client.fd(), reinterpret_cast<sockaddr*>(&own), &size);
  tcp.client_port = ntohs(own.sin_port);
  return tcp;
}

class Protection : public ::testing::Test {
 protected:
  void SetUp() override {
    // What leaves by the wrong door arrives all the same: only so there is something to lose.
    LabOptions options;
    options.nics = 4;
    options.name = lab_name("prot");
    options.sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}};
    auto lab = LabGuard::up(options);
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    on_ = " --netns " + b().netns;
    before_ = whole_state(b().netns);
  }
  void expect_untouched() const { EXPECT_EQ(whole_state(b().netns), before_); }
  [[nodiscard]] const LabHost& a() const { return (*lab_)->a; }
  [[nodiscard]] const LabHost& b() const { return (*lab_)->b; }

  std::unique_ptr<LabGuard> lab_;
  std::string on_;
  std::string before_;
};

TEST_F(Protection, AnOpenConnectionOverTheWrongDoorMovesOnlyIfAllowed) {
  const Tcp tcp = connect_to(a(), b(), b().addresses[2], 7001);
  ASSERT_TRUE(tcp.passes('a'));
  const std::string peer = a().addresses.front().str() + ":" + std::to_string(tcp.client_port);
  const std::string sentence = "TCP from " + peer + " to " + b().addresses[2].str() +
                               ":7001 would leave by " + b().nics[2] + " instead of " + b().nics[0];
  const Ran planned = retour("plan --json" + on_);
  EXPECT_EQ(planned.exit, 3);
  EXPECT_EQ(planned.json()["refused"], "it would move an established connection: " + sentence);
  const json moved = planned.json()["impact"]["connections"];
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0]["local"], b().addresses[2].str());
  EXPECT_EQ(moved[0]["peer"], a().addresses.front().str());
  EXPECT_EQ(moved[0]["sport"], 7001);
  EXPECT_EQ(moved[0]["dport"], tcp.client_port);
  EXPECT_EQ(moved[0]["operator"], false);
  EXPECT_EQ(moved[0]["before"]["dev"], b().nics[0]);
  EXPECT_EQ(moved[0]["after"]["dev"], b().nics[2]);

  const Ran refused = retour("apply" + on_);
  EXPECT_EQ(refused.exit, 3);
  EXPECT_NE(refused.err.find("--move-established"), std::string::npos) << refused.err;
  expect_untouched();

  EXPECT_EQ(retour("plan --move-established" + on_).exit, 1);
  const Ran applied = retour("apply --move-established" + on_);
  EXPECT_EQ(applied.exit, 0) << applied.err;
  EXPECT_NE(applied.out.find("1 established TCP connection moves"), std::string::npos)
      << applied.out;
  EXPECT_TRUE(tcp.passes('b')) << "it survives the change of NIC";
}

TEST_F(Protection, AConnectionByItsOwnDoorIsNoHindrance) {
  const Tcp tcp = connect_to(a(), b(), b().addresses[0], 7002);
  const Ran applied = retour("apply" + on_);
  EXPECT_EQ(applied.exit, 0) << applied.err;
  EXPECT_TRUE(tcp.passes('a'));
}

TEST_F(Protection, TheOperatorsLoginIsNamed) {
  const std::string session = a().addresses[1].str() + " 50122 " + b().addresses[1].str() + " 22";
  ASSERT_EQ(setenv("SSH_CONNECTION", session.c_str(), 1), 0);
  const Ran refused = retour("apply" + on_);
  EXPECT_EQ(refused.exit, 3);
  std::string said = refused.err;
  std::ranges::replace(said, '\n', ' ');
  EXPECT_NE(said.find("your own login"), std::string::npos) << refused.err;
  EXPECT_NE(said.find(a().addresses[1].str() + ":50122"), std::string::npos) << refused.err;
  expect_untouched();
  // A login to another host, which is none of this one's business.
  ASSERT_EQ(setenv("SSH_CONNECTION", "192.0.2.9 50122 192.0.2.1 22", 1), 0);
  EXPECT_EQ(retour("plan" + on_).exit, 1);
  unsetenv("SSH_CONNECTION");
}

TEST_F(Protection, AProtectedPrefixDoesNotMove) {
  const std::string address = a().addresses[3].str();
  const Ran refused = retour("apply --protect 192.0.2.0/24 --protect " + address + on_);
  EXPECT_EQ(refused.exit, 3);
  EXPECT_NE(refused.err.find("(" + address + ")"), std::string::npos) << refused.err;
  expect_untouched();
  const Ran typo = retour("plan --protect 10.9.0.0/33" + on_);
  EXPECT_EQ(typo.exit, 2);
  EXPECT_NE(typo.err.find("--protect 10.9.0.0/33"), std::string::npos) << typo.err;
  EXPECT_EQ(retour("apply --protect 192.0.2.0/24 --protect fd00::/8" + on_).exit, 0);
}

TEST_F(Protection, ConnectionsAreReadWithAllThatRoutingLooksAt) {
  const Tcp tcp = connect_to(a(), b(), b().addresses[0], 7003, true);
  const std::uint32_t mark = 0x77;
  ASSERT_EQ(setsockopt(tcp.server.fd(), SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
  const std::string& nic = b().nics[0];
  ASSERT_EQ(setsockopt(tcp.server.fd(), SOL_SOCKET, SO_BINDTODEVICE, nic.c_str(),
                       static_cast<socklen_t>(nic.size())),
            0);
  const auto where = Netns::open(b().netns);
  ASSERT_TRUE(where);
  const auto inside = InsideNetns::enter(*where);
  ASSERT_TRUE(inside);
  const auto reader = NetlinkConnections::open();
  ASSERT_TRUE(reader) << reader.error().message();
  const auto list = (*reader)->list();
  ASSERT_TRUE(list) << list.error().message();
  ASSERT_EQ(list->size(), 1U) << "what only listens is none";
  const Connection& one = list->front();
  EXPECT_EQ(one.local, b().addresses[0]) << "IPv4, though the socket is one of IPv6";
  EXPECT_EQ(one.peer, a().addresses.front());
  EXPECT_EQ(one.local_port, 7003);
  EXPECT_EQ(one.peer_port, tcp.client_port);
  EXPECT_EQ(one.mark, mark);
  EXPECT_EQ(one.bound, IfIndex{if_nametoindex(nic.c_str())});
  EXPECT_EQ(one.uid, getuid());
}

TEST_F(Protection, ARouteThatComesToMainLaterWins) {
  ASSERT_EQ(retour("apply -q" + on_).exit, 0);
  const auto leaves_by = [&](const std::string& destination) {
    const auto answer = kernel_test::run("ip -n " + b().netns + " -j route get " + destination +
                                         " from " + b().addresses[2].str());
    const json parsed = json::parse(answer.text, nullptr, false);
    return parsed.is_discarded() ? answer.text : parsed[0]["dev"].get<std::string>();
  };
  EXPECT_EQ(leaves_by("29.28.200.7"), b().nics[2]);
  ASSERT_TRUE(ip_batch(b().netns, "route add 29.28.200.7/32 dev " + b().nics[3] + "\n" +
                                      "route add 29.28.201.0/24 dev " + b().nics[1] + "\n"));
  EXPECT_EQ(leaves_by("29.28.200.7"), b().nics[3]) << "a pod";
  EXPECT_EQ(leaves_by("29.28.201.9"), b().nics[1]) << "a VPN";
  EXPECT_EQ(leaves_by("29.28.200.8"), b().nics[2]) << "all else by its own door";
}

}  // namespace
}  // namespace retour::testing
