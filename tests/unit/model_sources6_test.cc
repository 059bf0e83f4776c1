// SPDX-License-Identifier: Apache-2.0
//
// Source selection (RFC 6724), rule by rule; expectations measured on a kernel (6.18).
#include <gtest/gtest.h>

#include <algorithm>

#include "hosts6.h"
#include "model/sources6.h"

namespace retour {
namespace {

using testing::add_address6;
using testing::add_nic6;
using testing::bare_host6;
using testing::ip;
using testing::prefix;

constexpr std::uint32_t temporary = 0x01, optimistic = 0x04, deprecated = 0x20, tentative = 0x40;

struct Sources6Test : ::testing::Test {
  Sources6Test()
      : e0(add_nic6(host, "e0", "2001:db8:1::1/64")),
        e1(add_nic6(host, "e1", "2001:db8:2::1/64")) {}
  [[nodiscard]] std::optional<Ip> select(const char* dst, IfIndex link) const {
    return Sources6(host).select(link, ip(dst));
  }
  Address& address(const char* local) {
    return *std::ranges::find(host.addresses, ip(local),
                              [](const Address& each) { return each.local.address; });
  }
  Snapshot host = bare_host6();
  IfIndex e0, e1;
};

TEST_F(Sources6Test, TheSameAddress) {
  EXPECT_EQ(select("2001:db8:2::1", e0), ip("2001:db8:2::1"));
}

TEST_F(Sources6Test, ScopeThatReaches) {
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:1::1"));
  EXPECT_EQ(select("fe80::99", e0), ip("fe80::2")) << "the nearest that reaches";
  std::erase_if(host.addresses, [](const Address& each) {
    return each.local.address == ip("2001:db8:1::1") || each.local.address == ip("2001:db8:2::1");
  });
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("fe80::2")) << "the farthest there is";
}

TEST_F(Sources6Test, OnlyTheLinkForWhatIsOfTheLink) {
  EXPECT_EQ(select("ff02::1", e1), ip("fe80::3"));
  EXPECT_EQ(select("ff0e::1", e1), ip("2001:db8:2::1"));
  address("2001:db8:2::1").local = prefix("fe80::33/64");
  EXPECT_EQ(select("ff0e::1", e1), ip("fe80::33")) << "the first of two that are alike";
  EXPECT_EQ(select("2001:db8:9::1", e1), ip("2001:db8:1::1")) << "of another link";
  host.links[e1.value - 1].conf6.set(Conf6::use_oif_addrs_only, 1);
  EXPECT_EQ(select("2001:db8:9::1", e1), ip("fe80::33"));
}

TEST_F(Sources6Test, DeprecatedAndTentativeAddresses) {
  address("2001:db8:1::1").flags = deprecated;
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:2::1"));
  address("2001:db8:1::1").flags = tentative;
  EXPECT_EQ(select("2001:db8:1::1", e0), ip("2001:db8:2::1"));
}

TEST_F(Sources6Test, OptimisticAddresses) {
  address("2001:db8:1::1").flags = tentative | optimistic;
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:2::1"));
  host.conf6_all.set(Conf6::optimistic_dad, 1);
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:2::1")) << "both must be set";
  host.links[e0.value - 1].conf6.set(Conf6::use_optimistic, 1);
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:1::1"));
}

TEST_F(Sources6Test, TheLinkThatSendsThenTheLabel) {
  EXPECT_EQ(select("2001:db8:9::1", e1), ip("2001:db8:2::1"));
  add_address6(host, e1, "fd00::1/64");
  EXPECT_EQ(select("fd00:9::1", e1), ip("fd00::1"));
  EXPECT_EQ(select("fd00:9::1", e0), ip("2001:db8:1::1")) << "the link comes before the label";
  host.address_labels = {{prefix("2001:db8:2::/48"), {}, 5}, {prefix("fc00::/7"), {}, 5}};
  EXPECT_EQ(select("fd00:9::1", e1), ip("fd00::1")) << "labels are alike, the prefix decides";
  host.address_labels = {{prefix("2001:db8:2::/48"), {}, 5}, {prefix("fd00:9::/32"), {}, 5}};
  EXPECT_EQ(select("fd00:9::1", e1), ip("2001:db8:2::1"));
  host.address_labels->front().link = e0;
  EXPECT_EQ(select("fd00:9::1", e1), ip("fd00::1")) << "a label for another link";
}

TEST_F(Sources6Test, TemporaryAddressesWhereTheyAreWanted) {
  add_address6(host, e0, "2001:db8:1::2/64").flags = temporary;
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:1::1"));
  host.links[e0.value - 1].conf6.set(Conf6::use_tempaddr, 2);
  EXPECT_EQ(select("2001:db8:9::1", e0), ip("2001:db8:1::2"));
}

TEST_F(Sources6Test, TheLongestPrefixInCommonUpToItsOwn) {
  add_address6(host, e0, "2001:db8:9::5/64");
  EXPECT_EQ(select("2001:db8:9::6", e0), ip("2001:db8:9::5"));
  address("2001:db8:9::5").local.length = 16;
  EXPECT_EQ(select("2001:db8:9::6", e0), ip("2001:db8:1::1")) << "no more than the subnet's";
}

TEST_F(Sources6Test, AGroupIsNobodysSource) {
  host.addresses.insert(host.addresses.begin() + 1,
                        {e0, prefix("ff05::1"), {}, {}, 0, 0, {}, 0, 0});
  EXPECT_EQ(select("ff05::1", e0), ip("2001:db8:1::1"));
}

TEST_F(Sources6Test, LinkLocal) {
  EXPECT_EQ(Sources6(host).link_local(e1), ip("fe80::3"));
  address("fe80::3").flags = tentative;
  EXPECT_EQ(Sources6(host).link_local(e1), std::nullopt);
}

}  // namespace
}  // namespace retour
