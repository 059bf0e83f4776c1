// SPDX-License-Identifier: Apache-2.0
//
// fib_rule_tests.sh of the kernel's self-tests, selector by selector: a rule leads to table 100 for
// one question and not for the other. A veth stands for the dummy device.
#include "selftests.h"

namespace retour {
namespace {

using selftests::asked;
using selftests::KernelHost;
using selftests::refused;

struct RuleCase {
  const char* name;
  const char* rule;
  const char* match;
  const char* no_match;
};

struct FamilyOfRules {
  const char* name;
  const char* option;
  const char* address;
  const char* gateway;
  const char* source;
};

constexpr FamilyOfRules rules4{"fib_rule4", "", "192.51.100.1/24", "192.51.100.2", "192.51.100.3"};
constexpr FamilyOfRules rules6{"fib_rule6", "-6 ", "2001:db8:1::1/64 nodad", "2001:db8:1::2",
                               "2001:db8:1::3"};

class RuleHost {
 public:
  explicit RuleHost(const FamilyOfRules& family) : family_(family) {
    host_.build(
        "link set lo up\nlink add d0 type veth peer name d1\nlink set d1 up\nlink set d0 up\n");
    host_.do_ip(std::string("addr add ") + family.address + " dev d0");
    host_.do_ip(std::string(family.option) + "route add table 100 default via " + family.gateway +
                " dev d0 onlink");
  }

  void check(const RuleCase& test) const {
    const std::string option = family_.option;
    host_.do_ip(option + "rule add " + filled(test.rule) + " table 100");
    EXPECT_EQ(table(test.match), 100U) << test.name << ": " << test.match;
    EXPECT_NE(table(test.no_match), 100U) << test.name << ": " << test.no_match;
    host_.do_ip(option + "rule del " + filled(test.rule) + " table 100");
    EXPECT_NE(table(test.match), 100U) << test.name << ": deleted";
  }
  [[nodiscard]] const KernelHost& host() const { return host_; }

 private:
  /// "SRC" is the family's source address.
  [[nodiscard]] std::string filled(std::string words) const {
    if (const auto at = words.find("SRC"); at != std::string::npos) {
      words.replace(at, 3, family_.source);
    }
    return words;
  }
  [[nodiscard]] std::uint32_t table(const char* words) const {
    return asked(host_, std::string(family_.gateway) + " " + filled(words)).table.value;
  }

  FamilyOfRules family_;
  KernelHost host_;
};

constexpr RuleCase selectors[]{
    {"oif", "oif d0", "oif d0", "oif lo"},
    {"from and iif", "from SRC iif d0", "from SRC iif d0", "iif lo"},
    {"tos, no ECN", "tos 0x10", "tos 0x10", "tos 0x20"},
    {"tos, ECT(1)", "tos 0x10", "tos 0x11", "tos 0x20"},
    {"tos, ECT(0)", "tos 0x10", "tos 0x12", "tos 0x20"},
    {"tos, CE", "tos 0x10", "tos 0x13", "tos 0x20"},
    {"tos on input, no ECN", "tos 0x10", "from SRC iif d0 tos 0x10", "from SRC iif d0 tos 0x20"},
    {"tos on input, CE", "tos 0x10", "from SRC iif d0 tos 0x13", "from SRC iif d0 tos 0x20"},
    {"fwmark", "fwmark 0x64", "mark 0x64", "mark 0x63"},
    {"uidrange", "uidrange 100-100", "uid 100", "uid 101"},
    {"sport and dport", "sport 666 dport 777", "sport 666 dport 777", "sport 667 dport 778"},
    {"sport range", "sport 100-200", "sport 200", "sport 201"},
    {"ipproto tcp", "ipproto tcp", "ipproto 6", "ipproto 17"},
};

void check_selectors(const FamilyOfRules& family, std::uint8_t icmp) {
  const RuleHost host(family);
  // What is received is judged by the tables alone, not by where it would come from.
  ASSERT_EQ(host.host()
                .exec("echo 1 > /proc/sys/net/ipv4/conf/all/forwarding;"
                      "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;"
                      "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter;"
                      "echo 0 > /proc/sys/net/ipv4/conf/d0/rp_filter")
                .exit,
            0);
  for (const RuleCase& test : selectors) host.check(test);
  const std::string number = "ipproto " + std::to_string(icmp);
  host.check({"ipproto icmp", number.c_str(), number.c_str(), "ipproto 6"});
}

void check_rejected(const FamilyOfRules& family) {
  const RuleHost host(family);
  for (const char* tos : {"1", "2", "3"}) {
    EXPECT_TRUE(
        refused(host.host(), std::string(family.option) + "rule add dsfield " + tos + " table 100"))
        << "ECN bits are no part of a selector: " << tos;
  }
}

TEST(SelftestFibRule4, EverySelectorMatchesWhatItShould) { check_selectors(rules4, 1); }
TEST(SelftestFibRule4, EcnBitsAreRefused) { check_rejected(rules4); }
TEST(SelftestFibRule6, EverySelectorMatchesWhatItShould) { check_selectors(rules6, 58); }
TEST(SelftestFibRule6, EcnBitsAreRefused) { check_rejected(rules6); }

TEST(SelftestFibRule4, SuppressPrefixlengthPassesOverTheDefaultRoute) {
  const KernelHost host;
  host.build(
      "link set lo up\nlink add d0 type veth peer name d1\nlink set d1 up\nlink set d0 up\n"
      "addr add 192.51.100.1/24 dev d0\nroute add default via 192.51.100.2\n"
      "route add default via 192.51.100.9 table 100\n"
      "rule add priority 10 table main suppress_prefixlength 0\nrule add priority 11 table 100\n");
  EXPECT_EQ(selftests::gateway(host, "203.0.113.1"), "192.51.100.9");
  EXPECT_EQ(selftests::gateway(host, "192.51.100.7"), "on-link");
}

}  // namespace
}  // namespace retour
