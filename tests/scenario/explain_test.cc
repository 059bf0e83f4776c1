// SPDX-License-Identifier: Apache-2.0
//
// `retour explain` on real hosts: it says what `ip route get` says, its remedies are carried out
// and work, the kernel is asked, and nothing is written.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

using kernel_test::KernelHost;
using nlohmann::json;

Ran explain(const KernelHost& host, const std::string& query) {
  return retour("explain " + query + " --netns " + host.name());
}

/// Two NICs in one subnet, a third elsewhere, tables and rules of several kinds.
void build(const KernelHost& host) {
  host.build(R"(link set lo up
link add e0 type veth peer name p0
link add e1 type veth peer name p1
link add plan type veth peer name p2
link set e0 up
link set p0 up
link set e1 up
link set p1 up
link set plan up
link set p2 up
addr add 10.0.0.1/24 dev e0
addr add 10.0.0.2/24 dev e1
addr add 10.2.0.1/24 dev plan
addr add fd00::1/64 dev e0 nodad
addr add fd00::2/64 dev e1 nodad
route add default via 10.0.0.9 dev e0
route add 10.60.0.0/16 via 10.2.0.9 dev plan src 10.0.0.1
route add 10.50.0.0/16 nexthop via 10.0.0.9 dev e0 nexthop via 10.0.0.10 dev e1
route add unreachable 10.70.0.0/16
route add prohibit 10.72.0.0/16
route add throw 10.73.0.0/16 table 100
route add 10.73.0.0/16 dev e1 table 101
rule add pref 100 to 10.73.0.0/16 lookup 100
rule add pref 110 to 10.73.0.0/16 lookup 101
rule add pref 120 fwmark 7 lookup 101
rule add pref 130 ipproto tcp dport 22 blackhole
rule add pref 140 uidrange 1000-2000 prohibit
)");
}

TEST(Explain, SaysWhatIpRouteGetSays) {
  const KernelHost host;
  build(host);
  std::size_t routed = 0;
  for (const char* query : {"10.0.0.9",
                            "10.0.0.9 from 10.0.0.2",
                            "10.0.0.1",
                            "10.0.0.255",
                            "8.8.8.8",
                            "8.8.8.8 oif plan",
                            "10.60.1.1",
                            "10.70.0.1",
                            "10.72.0.1",
                            "10.73.0.1",
                            "10.73.0.1 mark 7",
                            "8.8.8.8 ipproto tcp dport 22",
                            "8.8.8.8 ipproto tcp dport 23",
                            "8.8.8.8 uid 1500",
                            "8.8.8.8 from 10.2.0.1",
                            "8.8.8.8 from 9.9.9.9",
                            "224.0.0.5 oif e1",
                            "fd00::9",
                            "fd00::9 from fd00::2",
                            "fd00::9 oif e1",
                            "fd00::1",
                            "fd99::1",
                            "f 10.0.0.1 10.60.0.1 m 7"}) {
    const Ran ran = explain(host, std::string(query) + " --json --check");
    EXPECT_EQ(ran.exit, 0) << query << ran.err;
    const json said = ran.json();
    EXPECT_EQ(said["check"]["agrees"], true) << query << said["check"];
    const auto other =
        kernel_test::run("ip -j -N -n " + host.name() + " route get " + query, "/dev/null");
    EXPECT_EQ(other.exit == 0, said["errno"].is_null()) << query;
    if (other.exit != 0) continue;
    ++routed;
    const json route = json::parse(other.text)[0];
    EXPECT_EQ(said["dev"], route["dev"]) << query;
    EXPECT_EQ(said["gateway"], route.value("gateway", json())) << query;
    if (route.contains("prefsrc") && !said["query"].contains("src")) {
      EXPECT_EQ(said["source"], route["prefsrc"]) << query;
    }
  }
  EXPECT_GE(routed, 14U);
}

TEST(Explain, ALegOfSeveralIsOneOfTheCandidates) {
  const KernelHost host;
  build(host);
  const json said = explain(host, "10.50.0.1 --json --check").json();
  EXPECT_EQ(said["check"]["agrees"], true);
  ASSERT_EQ(said["ways"].size(), 2U);
  EXPECT_EQ(said["ways"][0],
            (json{{"dev", "e0"}, {"gateway", "10.0.0.9"}, {"source", "10.0.0.1"}}));
  EXPECT_EQ(said["candidates"], (json{"e0", "e1"}));
}

/// A packet that a gate drops, and what `ip route get` says to it before and after each remedy.
TEST(Explain, EverySysctlThatItNamesLetsThePacketPass) {
  const KernelHost host;
  build(host);
  ASSERT_EQ(host.exec("sysctl -qw net.ipv4.conf.all.rp_filter=1").exit, 0);
  std::size_t tried = 0;
  for (const char* query : {"10.0.0.2 from 10.0.0.9 iif e1", "10.0.0.1 from 10.0.0.2 iif e0",
                            "8.8.8.8 from 10.0.0.9 iif e0", "127.0.0.1 from 10.0.0.9 iif e0",
                            "10.2.0.1 from 10.60.0.9 iif e1 mark 9"}) {
    const json said = explain(host, std::string(query) + " --json --check").json();
    EXPECT_EQ(said["check"]["agrees"], true) << query << said["check"];
    ASSERT_FALSE(said["errno"].is_null()) << query;
    const std::string get = "ip -n " + host.name() + " route get " + query;
    EXPECT_NE(kernel_test::run(get).exit, 0) << query;
    for (const json& remedy : said["remedies"]) {
      if (!remedy["own_table"].is_null()) continue;
      const auto set = [&](const char* value) {
        for (const json& sysctl : remedy["sysctls"]) {
          const std::string name = "net/ipv4/conf/" + sysctl["dev"].get<std::string>() + "/" +
                                   sysctl["key"].get<std::string>();
          ASSERT_EQ(
              host.exec("sysctl -qw " + name + "=" + std::to_string(sysctl[value].get<int>())).exit,
              0)
              << name;
        }
      };
      set("after");
      EXPECT_EQ(kernel_test::run(get).exit, 0) << query << remedy;
      set("before");
      EXPECT_NE(kernel_test::run(get).exit, 0) << query << remedy;
      ++tried;
    }
  }
  EXPECT_GE(tried, 4U);
}

TEST(Explain, NothingIsWrittenAndNoPrivilegeIsNeeded) {
  const KernelHost host;
  build(host);
  const std::string before = whole_state(host.name());
  for (const char* query : {"8.8.8.8 --check", "10.0.0.1 --request-from 10.0.0.9",
                            "10.0.0.2 from 10.0.0.9 iif e1 --all"}) {
    EXPECT_EQ(explain(host, query).exit, 0) << query;
  }
  EXPECT_EQ(whole_state(host.name()), before);
  // The program where nobody may read it from, too.
  const std::string copy = ::testing::TempDir() + host.name() + "-retour";
  ASSERT_EQ(kernel_test::run("install -m 755 " RETOUR_BINARY " " + copy).exit, 0);
  const std::string nobody =
      "ip netns exec " + host.name() +
      " setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all " + copy + " explain ";
  const auto checked = kernel_test::run(nobody + "8.8.8.8 --check");
  EXPECT_EQ(checked.exit, 0) << checked.text;
  EXPECT_NE(checked.text.find("the kernel says the same"), std::string::npos) << checked.text;
  EXPECT_EQ(kernel_test::run(nobody + "10.0.0.1 --request-from 10.0.0.9").exit, 0);
  const auto elsewhere =
      kernel_test::run("setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all " +
                       copy + " explain 8.8.8.8 --netns " + host.name());
  EXPECT_EQ(elsewhere.exit, 3);
  EXPECT_NE(elsewhere.text.find("CAP_SYS_ADMIN"), std::string::npos) << elsewhere.text;
  unlink(copy.c_str());
}

TEST(Explain, ABatchAnswersLineByLine) {
  const KernelHost host;
  build(host);
  const std::string file = ::testing::TempDir() + host.name() + ".queries";
  std::ofstream(file) << "10.0.0.9\n\n# a comment\n8.8.8.8 from 10.0.0.1 # why not\nnonsense\n"
                         "10.0.0.9 iif nosuch\n10.0.0.2 from 10.0.0.9 iif e1\nfd00::9";
  for (const std::string& how :
       {"--batch " + file, "--batch - < " + file, "--check --batch " + file}) {
    const Ran ran = explain(host, how);
    EXPECT_EQ(ran.exit, 0) << ran.err;
    std::vector<json> said;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) said.push_back(json::parse(line));
    ASSERT_EQ(said.size(), 6U) << ran.out;
    EXPECT_EQ(said[0]["dev"], "e0");
    EXPECT_EQ(said[1]["gateway"], "10.0.0.9");
    EXPECT_EQ(said[2]["error"], "nonsense: neither a keyword nor an address");
    EXPECT_EQ(said[2]["line"], 5);
    EXPECT_EQ(said[3]["error"], "iif nosuch: no such device");
    EXPECT_EQ(said[4]["verdict"], "local");
    EXPECT_EQ(said[5]["source"], "fd00::1");
    EXPECT_EQ(said[5].contains("check"), how.starts_with("--check"));
  }
  unlink(file.c_str());
}

/// Who writes a question and waits for its answer gets it before the input ends.
TEST(Explain, ABatchAnswersBeforeItsInputEnds) {
  const KernelHost host;
  build(host);
  // popen() has sh, which knows no coproc.
  const std::string script = ::testing::TempDir() + host.name() + ".bash";
  std::ofstream(script) << "coproc R { exec " RETOUR_BINARY " explain --netns " << host.name()
                        << " --batch -; }\n"
                           "for q in 10.0.0.9 8.8.8.8; do\n"
                           "  echo $q >&${R[1]}\n"
                           "  read -r -t 20 line <&${R[0]} && echo \"$line\"\n"
                           "done\n";
  const auto said = kernel_test::run("bash " + script);
  EXPECT_EQ(std::count(said.text.begin(), said.text.end(), '\n'), 2) << said.text;
  EXPECT_NE(said.text.find("\"dst\":\"8.8.8.8\""), std::string::npos) << said.text;
  unlink(script.c_str());
}

/// An ICMP redirect from `gateway`: "for `dst`, use `better`".
void redirect(const std::string& netns, const char* gateway, const char* host, const char* dst,
              const char* better) {
  auto inside = InsideNetns::enter(Netns::open(netns).value());
  ASSERT_TRUE(inside);
  const Fd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const auto address = [](const char* text) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(Ip::parse(text)->v4_bits());
    return to;
  };
  const sockaddr_in from = address(gateway);
  const sockaddr_in to = address(host);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  std::array<std::uint8_t, 36> packet{};  // header, then what it is about: an echo reply
  packet[0] = ICMP_REDIRECT;
  packet[1] = ICMP_REDIR_HOST;
  const in_addr_t gate = address(better).sin_addr.s_addr;
  std::memcpy(&packet[4], &gate, 4);
  packet[8] = 0x45;
  packet[11] = 28;
  packet[16] = 64;
  packet[17] = IPPROTO_ICMP;
  std::memcpy(&packet[20], &to.sin_addr, 4);
  const in_addr_t about = address(dst).sin_addr.s_addr;
  std::memcpy(&packet[24], &about, 4);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < packet.size(); i += 2) sum += packet[i] * 256U + packet[i + 1];
  sum = (sum & 0xffffU) + (sum >> 16U);
  const auto check = static_cast<std::uint16_t>(~(sum + (sum >> 16U)));
  packet[2] = static_cast<std::uint8_t>(check >> 8U);
  packet[3] = static_cast<std::uint8_t>(check);
  ASSERT_EQ(sendto(socket.get(), packet.data(), packet.size(), 0,
                   reinterpret_cast<const sockaddr*>(&to), sizeof to),
            static_cast<ssize_t>(packet.size()));
}

/// What a redirect taught the kernel is in no table: here the kernel says something else.
TEST(Explain, TheCheckTellsWhereTheKernelDiffers) {
  const KernelHost host;
  const KernelHost peer;
  host.build("link add e0 type veth peer name p0 netns " + peer.name() +
             "\nlink set e0 up\naddr add 10.0.0.1/24 dev e0\nroute add default via 10.0.0.9\n");
  peer.build("link set p0 up\naddr add 10.0.0.9/24 dev p0\naddr add 10.0.0.8/24 dev p0\n");
  // Reachable gateways are a condition of the kernel's.
  EXPECT_EQ(host.exec("ping -c1 -W5 10.0.0.9 && ping -c1 -W5 10.0.0.8").exit, 0);
  EXPECT_EQ(explain(host, "192.0.2.7 --check").exit, 0);
  redirect(peer.name(), "10.0.0.9", "10.0.0.1", "192.0.2.7", "10.0.0.8");
  const Ran text = explain(host, "192.0.2.7 --check");
  EXPECT_EQ(text.exit, 1);
  EXPECT_NE(text.out.find("THE KERNEL DIFFERS"), std::string::npos) << text.out;
  const Ran ran = explain(host, "192.0.2.7 --check --json");
  EXPECT_EQ(ran.exit, 1);
  const json check = ran.json()["check"];
  EXPECT_EQ(check["agrees"], false);
  EXPECT_NE(check["kernel"].get<std::string>().find("10.0.0.8"), std::string::npos);
  EXPECT_NE(check["differs"].get<std::string>().find("gateway"), std::string::npos);
  const std::string file = ::testing::TempDir() + host.name() + ".queries";
  std::ofstream(file) << "192.0.2.8\n192.0.2.7\n";
  EXPECT_EQ(explain(host, "--check --batch " + file).exit, 1);
  unlink(file.c_str());
}

TEST(Explain, MistakesAreTold) {
  const KernelHost host;
  build(host);
  const std::pair<const char*, int> cases[] = {
      {"", 2},
      {"10.0.0.9 fd00::1", 2},
      {"10.0.0.9 from fd00::1", 2},
      {"10.0.0.9 iif nosuch", 2},
      {"10.0.0.300", 2},
      {"10.0.0.9 --batch -", 2},
      {"10.0.0.9 --check --snapshot x", 2},
      {"10.0.0.9 --request-from 10.0.0.8", 2},
      {"10.0.0.1 --request-from 10.0.0.2", 2},
      {"10.0.0.1 --request-from fd00::9", 2},
      {"10.0.0.1 mark 7 --request-from 10.0.0.9", 2},
      {"--batch /nonesuch/file", 3},
  };
  for (const auto& [query, exit] : cases) {
    const Ran ran = explain(host, query);
    EXPECT_EQ(ran.exit, exit) << query << ran.out;
    EXPECT_TRUE(ran.err.starts_with("retour: ")) << ran.err;
    EXPECT_TRUE(ran.out.empty()) << ran.out;
  }
  // A link may be called like a verb.
  EXPECT_EQ(explain(host, "10.2.0.1 from 10.2.0.9 iif plan --check").exit, 0);
}

TEST(Explain, AFamilyThatWasNotReadIsNoAnswer) {
  const std::string base = ::testing::TempDir() + lab_name("family");
  std::ofstream(base + ".route") << "10.0.0.0/24 dev e0 proto kernel scope link src 10.0.0.1\n";
  std::ofstream(base + ".rule") << "0: from all lookup local\n32766: from all lookup main\n"
                                   "32767: from all lookup default\n";
  ASSERT_EQ(
      retour("import --route " + base + ".route --rule " + base + ".rule > " + base + ".json").exit,
      0);
  // Whoever edits a snapshot may leave a family out.
  json snapshot = json::parse(std::ifstream(base + ".json"));
  for (const char* key : {"rules", "routes", "addresses"}) {
    json kept = json::array();
    for (const json& object : snapshot[key]) {
      if (object.dump().find("::") == std::string::npos &&
          object.value("family", "inet") != "inet6") {
        kept.push_back(object);
      }
    }
    snapshot[key] = kept;
  }
  std::ofstream(base + ".v4") << snapshot.dump();
  EXPECT_EQ(retour("explain 10.0.0.9 --snapshot " + base + ".v4").exit, 0);
  const Ran ran = retour("explain fd00::9 --snapshot " + base + ".v4");
  EXPECT_EQ(ran.exit, 3) << ran.out;
  EXPECT_NE(ran.err.find("the snapshot holds no rule"), std::string::npos) << ran.err;
  for (const char* end : {".route", ".rule", ".json", ".v4"}) unlink((base + end).c_str());
}

/// The article: what is said to be lost is lost, and what is said to cure it does, on the wire.
TEST(ExplainTrip, ThePingAndItsRemedies) {
  LabOptions options;
  options.name = lab_name("explain");
  options.nics = 3;
  auto lab = LabGuard::up(options);
  ASSERT_TRUE(lab) << lab.error().message();
  const std::string a = (*lab)->a.netns;
  const std::string b = (*lab)->b.netns;
  const std::string peer = (*lab)->a.addresses.front().str();
  const auto ping = [&](const std::string& local) {
    for (const std::string& netns : {a, b}) EXPECT_TRUE(ip_batch(netns, "neigh flush all\n"));
    return kernel_test::run("ip netns exec " + a + " ping -c1 -W0.4 -I " + peer + " " + local)
               .exit == 0;
  };
  std::size_t lost = 0;
  std::size_t tried = 0;
  for (const Ip& local : (*lab)->b.addresses) {
    const json said =
        retour("explain " + local.str() + " --json --request-from " + peer + " --netns " + b)
            .json();
    const bool works = said["round_trip"]["verdict"] != "lost";
    EXPECT_EQ(ping(local.str()), works) << said;
    lost += works ? 0 : 1;
    if (works || tried > 3) continue;
    for (const json& remedy : said["remedies"]) {
      ++tried;
      std::string undo;
      for (const json& sysctl : remedy["sysctls"]) {
        const std::string name = "net/ipv4/conf/" + sysctl["dev"].get<std::string>() + "/" +
                                 sysctl["key"].get<std::string>() + "=";
        const auto set = [&](const char* value) {
          return "sysctl -qw " + name + std::to_string(sysctl[value].get<int>()) + ";";
        };
        EXPECT_EQ(kernel_test::run("ip netns exec " + b + " " + set("after")).exit, 0);
        undo += "ip netns exec " + b + " " + set("before");
      }
      if (const json& own = remedy["own_table"]; !own.is_null()) {
        const std::string rule =
            "rule add pref 31000 from " + own["from"].get<std::string>() + " lookup 4711\n";
        const std::string route = "route add " + own["dst"].get<std::string>() + " dev " +
                                  own["dev"].get<std::string>() + " src " +
                                  own["from"].get<std::string>() + " table 4711\n";
        EXPECT_TRUE(ip_batch(b, route + rule));
        undo += "ip -n " + b + " rule del pref 31000; ip -n " + b + " route flush table 4711";
      }
      EXPECT_TRUE(ping(local.str())) << remedy;
      EXPECT_EQ(kernel_test::run(undo).exit, 0) << undo;
      EXPECT_FALSE(ping(local.str())) << "taken back: " << remedy;
    }
  }
  EXPECT_EQ(lost, 2U);
  EXPECT_GE(tried, 3U);
}

}  // namespace
}  // namespace retour::testing
