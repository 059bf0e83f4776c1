// SPDX-License-Identifier: Apache-2.0
//
// The kernel asked by us says what it says to `ip route get`.
#include "os/kernel_ask.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "scenario/kernel_host.h"

namespace retour {
namespace {

using kernel_test::KernelHost;

Ip ip(const char* text) { return Ip::parse(text).value(); }

/// A question in both forms.
struct Question {
  const char* words;
  Flow flow;
};

Flow flow_to(const char* dst, const char* src = nullptr) {
  Flow flow;
  flow.dst = ip(dst);
  flow.src = src != nullptr ? ip(src) : Ip(flow.dst.family(), 0);
  return flow;
}

class KernelAskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_test::build_rich_host(host);
    host.build(
        "rule add priority 5 to 10.50.1.0/24 uidrange 7-7 ipproto tcp sport 70 dport 80 fwmark "
        "0x9 tos 0x10 lookup main\n"
        "rule add priority 6 to 10.50.1.0/24 prohibit\n",
        "-force");
    static_cast<void>(host.exec("echo 1 > /proc/sys/net/ipv4/ip_forward"));
    snapshot = host.snapshot();
  }
  [[nodiscard]] IfIndex link(const char* name) const {
    return snapshot.link(std::string_view(name))->index;
  }
  KernelHost host;
  Snapshot snapshot;
};

TEST_F(KernelAskTest, SaysWhatIpRouteGetSays) {
  Flow selected = flow_to("10.50.1.9");
  selected.uid = 7;
  selected.ip_proto = 6;
  selected.sport = 70;
  selected.dport = 80;
  selected.mark = 9;
  selected.tos = 0x10;
  Flow received = flow_to("10.50.7.7", "29.28.3.3");
  received.iif = link("n0");
  Flow bound = flow_to("10.99.9.9");
  bound.oif = link("n1");
  const std::vector<Question> questions{
      {"29.28.0.1 uid 0", flow_to("29.28.0.1")},
      {"10.65.1.1 from 29.28.0.1 uid 0", flow_to("10.65.1.1", "29.28.0.1")},
      {"10.70.1.1 uid 0", flow_to("10.70.1.1")},
      {"10.50.1.9 uid 0", flow_to("10.50.1.9")},
      {"10.50.1.9 uid 7 ipproto tcp sport 70 dport 80 mark 9 tos 0x10", selected},
      {"10.50.7.7 from 29.28.3.3 iif n0", received},
      {"10.99.9.9 oif n1 uid 0", bound},
      {"10.60.0.1 uid 0", flow_to("10.60.0.1")},
      {"fd10::1 uid 0", flow_to("fd10::1")},
      {"fd13::1 uid 0", flow_to("fd13::1")},
  };
  std::vector<Flow> flows;
  for (const Question& question : questions) flows.push_back(question.flow);
  const auto answers = host.kernel()->ask(flows);
  ASSERT_TRUE(answers) << answers.error().message();
  ASSERT_EQ(answers->size(), questions.size());
  int refused = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    SCOPED_TRACE(questions[i].words);
    const Answer& answer = (*answers)[i];
    const auto said = kernel_test::run(
        "ip -n " + host.name() + " -j -N route get " + questions[i].words, "/dev/null");
    EXPECT_EQ(said.exit == 0, answer.errnum == 0);
    if (said.exit != 0 || answer.errnum != 0) {
      ++refused;
      continue;
    }
    const auto json = nlohmann::json::parse(said.text).at(0);
    EXPECT_EQ(json.value("dev", ""), snapshot.link_name(answer.link));
    EXPECT_EQ(json.value("gateway", json.contains("via") ? json["via"].value("host", "") : ""),
              answer.gateway ? answer.gateway->str() : "");
    EXPECT_EQ(json.value("prefsrc", ""), answer.source ? answer.source->str() : "");
  }
  EXPECT_EQ(refused, 3) << "two blackholes and the prohibit rule";
}

TEST_F(KernelAskTest, ManyAnswersKeepTheirOrder) {
  std::vector<Flow> flows;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    flows.push_back(flow_to(i % 3 == 0 ? "29.28.0.1" : i % 3 == 1 ? "10.60.0.1" : "10.1.1.2"));
  }
  const auto answers = host.kernel()->ask(flows);
  ASSERT_TRUE(answers) << answers.error().message();
  for (std::size_t i = 0; i < answers->size(); ++i) {
    const Answer& answer = (*answers)[i];
    ASSERT_EQ(answer.errnum, i % 3 == 1 ? EINVAL : 0) << i;
    ASSERT_EQ(answer.type, i % 3 == 0   ? RouteType::local
                           : i % 3 == 1 ? RouteType::unspec
                                        : RouteType::unicast)
        << i;
  }
}

TEST_F(KernelAskTest, NamesTheMatchedEntry) {
  auto netns = Netns::open(host.name());
  ASSERT_TRUE(netns);
  const auto inside = InsideNetns::enter(*netns);
  ASSERT_TRUE(inside);
  auto socket = NetlinkSocket::open();
  ASSERT_TRUE(socket);
  const std::vector<Flow> flows{flow_to("10.51.9.9"), flow_to("10.60.0.1"), flow_to("fd11::9")};
  const auto matched = match_in_kernel(*socket, flows);
  ASSERT_TRUE(matched) << matched.error().message();
  ASSERT_TRUE((*matched)[0]);
  EXPECT_EQ((*matched)[0]->dst.str(), "10.51.0.0/16");
  EXPECT_EQ((*matched)[0]->next_hops.size(), 2U);
  EXPECT_FALSE((*matched)[1]) << "a blackhole is refused";
  ASSERT_TRUE((*matched)[2]);
  EXPECT_EQ((*matched)[2]->dst.str(), "fd11::/64");
}

}  // namespace
}  // namespace retour
