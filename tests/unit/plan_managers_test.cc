// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "hosts.h"
#include "plan/managers.h"

namespace retour {
namespace {

using testing::bare_host;
using testing::rule;

NetworkdConf conf_of(const std::vector<ConfigFile>& files) { return read_networkd_conf(files); }

TEST(NetworkdConf, NobodySaysAnything) {
  const NetworkdConf conf = conf_of({});
  EXPECT_TRUE(conf.rules.value && conf.routes.value && conf.next_hops.value);
  EXPECT_EQ(conf.rules.from, "");
}

TEST(NetworkdConf, DropInsComeAfterTheMainFileWhateverTheirDirectory) {
  const NetworkdConf conf =
      conf_of({{"/etc/systemd/networkd.conf",
                "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"},
               {"/usr/lib/systemd/networkd.conf.d/10-vendor.conf",
                "[Network]\nManageForeignRoutes = yes\n"}});
  EXPECT_FALSE(conf.rules.value);
  EXPECT_EQ(conf.rules.from, "/etc/systemd/networkd.conf");
  EXPECT_TRUE(conf.routes.value);
  EXPECT_EQ(conf.routes.from, "/usr/lib/systemd/networkd.conf.d/10-vendor.conf");
}

TEST(NetworkdConf, DropInsGoByTheirNamesNotByTheirDirectories) {
  const NetworkdConf conf =
      conf_of({{"/etc/systemd/networkd.conf.d/20-b.conf", "[Network]\nManageForeignRoutes=no\n"},
               {"/run/systemd/networkd.conf.d/30-c.conf", "[Network]\nManageForeignRoutes=yes\n"},
               {"/etc/systemd/networkd.conf.d/10-a.conf", "[Network]\nManageForeignRoutes=no\n"}});
  EXPECT_TRUE(conf.routes.value);
  EXPECT_EQ(conf.routes.from, "/run/systemd/networkd.conf.d/30-c.conf");
}

TEST(NetworkdConf, OneOfTheSameNameMasksThatOfALaterDirectory) {
  // As a link to /dev/null does: nothing is in it.
  EXPECT_TRUE(conf_of({{"/usr/lib/systemd/networkd.conf.d/10-vendor.conf",
                        "[Network]\nManageForeignRoutingPolicyRules=no\n"},
                       {"/etc/systemd/networkd.conf.d/10-vendor.conf", ""}})
                  .rules.value);
  EXPECT_FALSE(conf_of({{"/usr/lib/systemd/networkd.conf", "[Network]\nManageForeignRoutes=yes\n"},
                        {"/run/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n"}})
                   .routes.value);
}

TEST(NetworkdConf, SyntaxOfSystemd) {
  const auto rules = [](const char* text) {
    return conf_of({{"/etc/systemd/networkd.conf", text}}).rules.value;
  };
  EXPECT_FALSE(rules("[Network]\r\n ManageForeignRoutingPolicyRules \t= OFF \r\n"));
  EXPECT_FALSE(rules("[Network]\nManageForeignRoutingPolicyRules=\\\n  false"));
  EXPECT_FALSE(rules("[Network]\nManageForeignRoutingPolicyRules=\\\n# between\n  n\n"));
  EXPECT_TRUE(rules("[Network]\n#ManageForeignRoutingPolicyRules=no\n"));
  EXPECT_TRUE(rules("[Network]\n;ManageForeignRoutingPolicyRules=no\n"));
  EXPECT_TRUE(rules("[DHCPv4]\nManageForeignRoutingPolicyRules=no\n"));
  EXPECT_TRUE(rules("ManageForeignRoutingPolicyRules=no\n"));
  // What is no yes or no is passed over: what was said before it stays.
  EXPECT_FALSE(
      rules("[Network]\nManageForeignRoutingPolicyRules=0\n"
            "ManageForeignRoutingPolicyRules=perhaps\n"));
}

TEST(NetworkdConf, FilesThatAreNoneOfItsAreNotRead) {
  EXPECT_TRUE(conf_of({{"/etc/systemd/networkd.conf.d/10-a.conf.bak",
                        "[Network]\nManageForeignRoutes=no\n"},
                       {"/opt/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n"}})
                  .routes.value);
}

const Configurator* named(const std::vector<Configurator>& list, std::string_view name) {
  const auto it = std::ranges::find(list, name, &Configurator::name);
  return it == list.end() ? nullptr : &*it;
}

TEST(Managers, NobodyOnABareHost) { EXPECT_TRUE(managers({}, bare_host()).empty()); }

TEST(Managers, NetworkdTakesOursAwayUnlessItIsTold) {
  ManagerTraces traces;
  traces.processes = {"systemd-network", "bash"};
  auto found = managers(traces, bare_host());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "systemd-networkd");
  EXPECT_TRUE(found[0].running && found[0].removes);
  EXPECT_NE(found[0].effect.find("deletes rules and routes"), std::string::npos);
  EXPECT_EQ(found[0].settings[0], std::pair(std::string("ManageForeignRoutingPolicyRules"),
                                            std::string("yes (default)")));
  ASSERT_TRUE(found[0].drop_in);
  EXPECT_TRUE(is_made_by_retour(found[0].drop_in->text));
  // With what is offered it leaves ours alone.
  traces.networkd = {{found[0].drop_in->path, found[0].drop_in->text}};
  found = managers(traces, bare_host());
  EXPECT_FALSE(found[0].removes);
  EXPECT_FALSE(found[0].drop_in);
  EXPECT_EQ(found[0].settings[1].second, "no (/etc/systemd/networkd.conf.d/50-retour.conf)");
}

TEST(Managers, SomeAreKnownByTheirRules) {
  Snapshot host = bare_host();
  Rule tailscale = rule(5210, table_main);
  tailscale.fwmark = 0x80000;
  tailscale.fwmask = 0xff0000;
  Rule cilium = rule(9, TableId{2004});
  cilium.fwmark = 0x200;
  cilium.fwmask = 0xf00;
  Rule wireguard = rule(32764, TableId{51820});
  wireguard.invert = true;
  wireguard.fwmark = 51820;
  wireguard.fwmask = 0xffffffff;
  host.rules.insert(host.rules.end(), {tailscale, cilium, wireguard});
  const auto found = managers({}, host);
  ASSERT_EQ(found.size(), 3U);
  ASSERT_NE(named(found, "tailscale"), nullptr);
  EXPECT_EQ(named(found, "tailscale")->evidence, "rule 5210");
  EXPECT_FALSE(named(found, "tailscale")->running);
  EXPECT_NE(named(found, "Cilium"), nullptr);
  EXPECT_NE(named(found, "wg-quick"), nullptr);
  // The same mark without the priorities of tailscale, the same priority without its mark.
  host.rules = {rule(5210, TableId{7}), rule(5199, TableId{52})};
  EXPECT_TRUE(managers({}, host).empty());
}

TEST(Managers, OthersByTheirFiles) {
  ManagerTraces traces;
  traces.paths = {"/etc/netplan/50-cloud-init.yaml", "/run/dhcpcd.pid", "/run/NetworkManager"};
  const auto found = managers(traces, bare_host());
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(named(found, "netplan")->evidence, "/etc/netplan/50-cloud-init.yaml");
  EXPECT_NE(named(found, "dhcpcd"), nullptr);
  EXPECT_NE(named(found, "NetworkManager"), nullptr);
  for (const Configurator& each : found) {
    EXPECT_FALSE(each.running);
    EXPECT_FALSE(each.effect.empty());
  }
}

}  // namespace
}  // namespace retour
