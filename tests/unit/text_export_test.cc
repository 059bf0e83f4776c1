// SPDX-License-Identifier: Apache-2.0
//
// What each program is told of one plan, word for word, and what it is not told at all. That the
// programs understand it is shown by tests/scenario/export_*_test.cc.
#include <gtest/gtest.h>

#include "diagnose/diagnose.h"
#include "hosts.h"
#include "text/export.h"

namespace retour {
namespace {

using testing::add_nic;
using testing::bare_host;
using testing::ip;
using testing::prefix;
using testing::set_gates;

constexpr std::uint32_t permanent = 0x80;

Snapshot two_nics() {
  Snapshot host = bare_host();
  add_nic(host, "fast0", "10.9.0.2/20", 105);
  add_nic(host, "fast1", "10.9.0.3/20", 106);
  for (Address& address : host.addresses) {
    address.flags = permanent;
    address.metric = address.link.value + 103;
  }
  set_gates(host, 0, 0, 0);
  return host;
}

Native native_of(const Snapshot& host, std::span<const ConfRecord> remembered = {}) {
  const Policy policy;
  const Plan cure = plan(host, policy, diagnose(host, policy));
  EXPECT_FALSE(cure.refused) << *cure.refused;
  return native(host, cure, remembered);
}

const NativeFile* file(const Export& files, std::string_view path) {
  for (const NativeFile& each : files.files) {
    if (each.path == path) return &each;
  }
  ADD_FAILURE() << path << " is not among the files:\n" << render(files);
  return nullptr;
}

bool noted(const Export& files, std::string_view words) {
  for (const std::string& note : files.notes) {
    if (note.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Native, EachNicHasItsOwnAndTheGuardStandsWithAll) {
  const Native all = native_of(two_nics());
  ASSERT_EQ(all.links.size(), 2U);
  for (const NativeLink& link : all.links) {
    EXPECT_EQ(link.routes.size(), 1U);
    ASSERT_EQ(link.rules.size(), 2U);
    EXPECT_EQ(link.rules[0].to, prefix("10.9.0.0/20"));
    EXPECT_EQ(link.rules[1].from, Prefix::host(link.addresses.at(0).local.address));
  }
  EXPECT_EQ(all.rules.size(), 3U);
  EXPECT_FALSE(all.present);
}

TEST(Native, WhatIsDoneAlreadyIsThereAllTheSame) {
  const Policy policy;
  const Snapshot host = two_nics();
  const Plan cure = plan(host, policy, diagnose(host, policy));
  std::vector<ConfRecord> remembered;
  for (const Change& change : cure.changes) {
    if (const auto* set = std::get_if<SetConf>(&change.operation)) {
      remembered.push_back({set->link_name, cure.rehearsed.link(set->link)->mac, set->conf,
                            set->before, set->after});
    }
  }
  ASSERT_FALSE(remembered.empty());
  const Native before = native_of(host);
  const Native after = native_of(cure.rehearsed, remembered);
  EXPECT_TRUE(after.present);
  EXPECT_EQ(after.rules, before.rules);
  EXPECT_EQ(after.routes, before.routes);
  const auto one = export_iproute2(before);
  const auto two = export_iproute2(after);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->files, two->files);
  // A value that someone else gave it since is not ours to write down.
  Snapshot changed = cure.rehearsed;
  for (Link& link : changed.links) link.conf.set(remembered[0].conf, 2);
  EXPECT_TRUE(native_of(changed, remembered).links.at(0).confs.empty());
}

TEST(Export, Iproute2KeepsOurProtocol) {
  const auto out = export_iproute2(native_of(two_nics()));
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* batch = file(*out, "/etc/retour/ip.batch");
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->text,
            "# made by retour: retour export iproute2\n"
            "# ip -4 -force -batch /etc/retour/ip.batch\n"
            "route replace 10.9.0.0/20 dev fast0 src 10.9.0.2 table 200 scope link protocol 213\n"
            "route replace 10.9.0.0/20 dev fast1 src 10.9.0.3 table 201 scope link protocol 213\n"
            "rule add priority 31000 from all to 10.9.0.0/20 lookup 254 suppress_prefixlength 20 "
            "protocol 213\n"
            "rule add priority 31100 from 10.9.0.2 lookup 200 protocol 213\n"
            "rule add priority 31101 from 10.9.0.3 lookup 201 protocol 213\n");
  const NativeFile* names = file(*out, "/etc/iproute2/rt_tables.d/retour-export.conf");
  ASSERT_NE(names, nullptr);
  EXPECT_EQ(names->text,
            "# made by retour: retour export iproute2\n200 retour-fast0\n201 retour-fast1\n");
  const NativeFile* sysctls = file(*out, "/etc/sysctl.d/90-retour.conf");
  ASSERT_NE(sysctls, nullptr);
  EXPECT_EQ(sysctls->text,
            "# made by retour: retour export iproute2\nnet/ipv4/conf/fast0/arp_ignore = 1\n"
            "net/ipv4/conf/fast1/arp_ignore = 1\n");
}

TEST(Export, NetworkdAddsToTheFileInUse) {
  const NetworkFiles in_use{{IfIndex{2}, "/etc/systemd/network/10-a.network"},
                            {IfIndex{3}, "/run/systemd/network/10-netplan-fast1.network"}};
  const auto out = export_networkd(native_of(two_nics()), in_use);
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* drop_in = file(*out, "/etc/systemd/network/10-a.network.d/retour.conf");
  ASSERT_NE(drop_in, nullptr);
  EXPECT_EQ(drop_in->text,
            "# made by retour: retour export networkd\n"
            "\n[Route]\nDestination=10.9.0.0/20\nPreferredSource=10.9.0.2\nTable=200\nScope=link\n"
            "\n[RoutingPolicyRule]\nTo=10.9.0.0/20\nTable=254\nPriority=31000\n"
            "SuppressPrefixLength=20\n"
            "\n[RoutingPolicyRule]\nFrom=10.9.0.2\nTable=200\nPriority=31100\n");
  EXPECT_NE(file(*out, "/etc/systemd/network/10-netplan-fast1.network.d/retour.conf"), nullptr);
}

TEST(Export, NetworkdGetsAFileForANicThatHasNone) {
  Snapshot host = two_nics();
  host.links[1].mtu = 9000;
  Route gateway = testing::route("172.16.0.0/12", IfIndex{2});
  gateway.scope = scope_global;
  gateway.protocol = 4;
  gateway.next_hops[0].gateway = ip("10.9.0.1");
  host.routes.push_back(gateway);
  host.addresses[1].flags = 0;  // of a lease
  const auto out = export_networkd(native_of(host), {});
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* whole = file(*out, "/etc/systemd/network/05-retour-fast0.network");
  ASSERT_NE(whole, nullptr);
  EXPECT_TRUE(whole->text.starts_with(
      "# made by retour: retour export networkd\n"
      "[Match]\nMACAddress=02:00:00:00:00:02\n\n[Link]\nMTUBytes=9000\n\n[Network]\n"
      "\n[Address]\nAddress=10.9.0.2/20\nRouteMetric=105\n"
      "\n[Route]\nDestination=172.16.0.0/12\nGateway=10.9.0.1\nScope=global\n"
      "\n[Route]\nDestination=10.9.0.0/20\nPreferredSource=10.9.0.2\nTable=200\n"))
      << whole->text;
  const NativeFile* leased = file(*out, "/etc/systemd/network/05-retour-fast1.network");
  ASSERT_NE(leased, nullptr);
  EXPECT_NE(leased->text.find("\nDHCP=ipv4\n"), std::string::npos);
  EXPECT_EQ(leased->text.find("[Address]"), std::string::npos);
  EXPECT_TRUE(noted(*out, "fast1 has its address from DHCP"));
}

TEST(Export, AFileOfSeveralNicsTakesNoRouteOfOne) {
  const NetworkFiles in_use{{IfIndex{2}, "/etc/systemd/network/all.network"},
                            {IfIndex{3}, "/etc/systemd/network/all.network"}};
  const auto out = export_networkd(native_of(two_nics()), in_use);
  ASSERT_TRUE(out);
  EXPECT_NE(file(*out, "/etc/systemd/network/05-retour-fast0.network"), nullptr);
  EXPECT_TRUE(noted(*out, "all.network is the file of several NICs"));
}

TEST(Export, WhatAProgramCannotSayIsDeclinedWithTheReason) {
  Native all = native_of(two_nics());
  Rule jump = all.rules[1];
  jump.action = RuleAction::goto_;
  jump.goto_target = 32000;
  all.rules.push_back(jump);
  all.links[0].rules.push_back(jump);
  for (const auto& out :
       {export_networkd(all, {}), export_networkmanager(all), export_netplan(all)}) {
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().kind, ErrorKind::contradiction);
    EXPECT_NE(out.error().message().find("has no word for goto (rule 31100 from 10.9.0.2 goto "),
              std::string::npos)
        << out.error().message();
  }
  EXPECT_TRUE(export_iproute2(all));
  EXPECT_TRUE(export_ifupdown(all));
  Native strange = native_of(two_nics());
  strange.links[0].link.name = "a b";
  for (const auto& out :
       {export_networkd(strange, {}), export_iproute2(strange), export_ifupdown(strange),
        export_netplan(strange), export_networkmanager(strange)}) {
    ASSERT_FALSE(out);
    EXPECT_NE(out.error().message().find("the name of NIC a b"), std::string::npos);
  }
}

TEST(Export, NetworkManagerGetsACompleteProfile) {
  const auto out = export_networkmanager(native_of(two_nics()));
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* profile =
      file(*out, "/etc/NetworkManager/system-connections/retour-fast0.nmconnection");
  ASSERT_NE(profile, nullptr);
  EXPECT_EQ(profile->mode, 0600U);
  const auto body = profile->text.find("\n[ipv4]\n");
  ASSERT_NE(body, std::string::npos);
  EXPECT_EQ(profile->text.substr(body),
            "\n[ipv4]\nmethod=manual\naddress1=10.9.0.2/20\nroute-metric=105\n"
            "route1=10.9.0.0/20,0.0.0.0,0\nroute1_options=table=200,src=10.9.0.2\n"
            "routing-rule1=priority 31000 to 10.9.0.0/20 table 254 suppress_prefixlength 20\n"
            "routing-rule2=priority 31100 from 10.9.0.2 table 200\n"
            "\n[ipv6]\nmethod=link-local\n");
  // The same again is the same profile.
  EXPECT_EQ(export_networkmanager(native_of(two_nics()))->files, out->files);
}

TEST(Export, NetplanSaysWhatItCanAndTheRestStandsBeside) {
  const auto out = export_netplan(native_of(two_nics()));
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* yaml = file(*out, "/etc/netplan/90-retour.yaml");
  ASSERT_NE(yaml, nullptr);
  EXPECT_EQ(yaml->mode, 0600U);
  EXPECT_TRUE(yaml->text.starts_with(
      "# made by retour: retour export netplan\nnetwork:\n  version: 2\n  ethernets:\n"
      "    fast0:\n      routes:\n        - to: \"10.9.0.0/20\"\n          from: \"10.9.0.2\"\n"
      "          scope: link\n          table: 200\n      routing-policy:\n"
      "        - priority: 31100\n          table: 200\n          from: \"10.9.0.2\"\n"))
      << yaml->text;
  const NativeFile* beside =
      file(*out, "/etc/systemd/network/10-netplan-fast0.network.d/retour.conf");
  ASSERT_NE(beside, nullptr);
  EXPECT_NE(beside->text.find("SuppressPrefixLength=20"), std::string::npos);
  EXPECT_EQ(beside->text.find("[Route]"), std::string::npos);
  EXPECT_TRUE(noted(*out, "netplan cannot say all of it"));
}

TEST(Export, IfupdownGetsScripts) {
  const auto out = export_ifupdown(native_of(two_nics()));
  ASSERT_TRUE(out) << out.error().message();
  const NativeFile* up = file(*out, "/etc/network/if-up.d/retour");
  const NativeFile* down = file(*out, "/etc/network/if-down.d/retour");
  ASSERT_TRUE(up != nullptr && down != nullptr);
  EXPECT_EQ(up->mode, 0755U);
  EXPECT_TRUE(is_made_by_retour(up->text));
  EXPECT_TRUE(up->text.starts_with("#!/bin/sh\n"));
  EXPECT_NE(up->text.find("  fast0)\n    gate arp_ignore 1\n"), std::string::npos) << up->text;
  EXPECT_NE(down->text.find("ip -4 rule del priority 31100 from 10.9.0.2 lookup 200"),
            std::string::npos);
  // The guard serves the other NIC too.
  EXPECT_EQ(down->text.find("31000"), std::string::npos);
}

TEST(Export, AFileIsOursByItsFirstLine) {
  EXPECT_TRUE(is_made_by_retour("# made by retour: x\n"));
  EXPECT_TRUE(is_made_by_retour("#!/bin/sh\n# made by retour: x\n"));
  EXPECT_FALSE(is_made_by_retour("#!/bin/sh"));
  EXPECT_FALSE(is_made_by_retour(""));
  EXPECT_FALSE(is_made_by_retour("[Match]\n# made by retour: x\n"));
}

}  // namespace
}  // namespace retour
