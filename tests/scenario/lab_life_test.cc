// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;

std::string said(const std::string& netns, const char* command) {
  const auto text = ip_output(netns, command);
  return text ? *text : text.error().message();
}

std::string content(const std::string& netns, const std::string& key) {
  const auto text = ip_output("", "netns exec " + netns + " cat /proc/sys/" + key);
  return text ? *text : text.error().message();
}

/// What of this machine bears the lab's name, and the links of the caller's own namespace. Other
/// tests may run beside this one: their names are not looked at.
std::set<std::string> traces(const std::string& name) {
  std::set<std::string> found;
  std::error_code error;
  for (const char* folder : {"/run/netns", "/etc/netns", "/run/retour-lab"}) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().filename().string().starts_with(name)) found.insert(entry.path().string());
    }
  }
  found.insert(said("", "-br link"));
  return found;
}

/// Empty common directories that were not there before are a trace as well.
bool empty_directory(const char* path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error);
}

TEST(LabLife, UpAndDownLeavesNoTrace) {
  const std::string name = lab_name("life");
  const bool etc_was_empty = empty_directory("/etc/netns");
  const auto before = traces(name);
  {
    const auto lab = LabGuard::up({.name = name, .single_nic_peer = true});
    ASSERT_TRUE(lab) << lab.error().message();
    EXPECT_TRUE(fs::is_directory("/etc/netns/" + name + "-b/iproute2/rt_tables.d"));
    EXPECT_EQ(said("", "-br link"), *before.begin()) << "nothing in the caller's own namespace";
    EXPECT_EQ(traces(name).size(), before.size() + 4 + 3 + 1);
    const auto found = lab_find(name);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->b.nics, (*lab)->b.nics);
    EXPECT_EQ(found->p->addresses, (*lab)->p->addresses);
  }
  EXPECT_EQ(traces(name), before);
  EXPECT_TRUE(etc_was_empty || !empty_directory("/etc/netns"));
  EXPECT_FALSE(empty_directory("/run/retour-lab"));
  EXPECT_TRUE(lab_down(name)) << "once more is no error";
}

TEST(LabLife, HostBIsTheArticles) {
  const auto lab = LabGuard::up({.name = lab_name("host")});
  ASSERT_TRUE(lab) << lab.error().message();
  EXPECT_EQ(said((*lab)->b.netns, "route show default"),
            "default via 192.168.0.1 dev enp218s0 proto dhcp metric 104 \n");
  EXPECT_EQ(said((*lab)->b.netns, "route show 29.28.192.0/20"),
            "29.28.192.0/20 dev enp137s0f1 proto kernel scope link src 29.28.201.211 metric 105 \n"
            "29.28.192.0/20 dev enp137s0f0 proto kernel scope link src 29.28.193.28 metric 106 \n"
            "29.28.192.0/20 dev enp80s0f1 proto kernel scope link src 29.28.204.230 metric 107 \n"
            "29.28.192.0/20 dev enp106s0f0 proto kernel scope link src 29.28.194.199 metric 108 \n"
            "29.28.192.0/20 dev enp106s0f1 proto kernel scope link src 29.28.195.31 metric 109 \n"
            "29.28.192.0/20 dev enp80s0f0 proto kernel scope link src 29.28.195.228 metric 110 \n"
            "29.28.192.0/20 dev enp234s0f1 proto kernel scope link src 29.28.197.165 metric 111 \n"
            "29.28.192.0/20 dev enp234s0f0 proto kernel scope link src 29.28.195.75 metric 112 \n");
  EXPECT_EQ((*lab)->a.addresses[0].str(), "29.28.204.80");
  const std::string conf = "net/ipv4/conf/";
  EXPECT_EQ(content((*lab)->b.netns, conf + "all/rp_filter"), "1\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "all/arp_ignore"), "1\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "enp80s0f0/rp_filter"), "0\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "enp80s0f0/arp_ignore"), "0\n");
  EXPECT_EQ(said((*lab)->b.netns, "-6 addr"), "");
}

TEST(LabLife, SysctlsOfAllOfOneHostAndOfOneDevice) {
  const auto lab = LabGuard::up({.name = lab_name("ctl"),
                                 .nics = 2,
                                 .sysctls = {{"net.ipv4.conf.all.arp_filter", "1"},
                                             {"a:net.ipv4.conf.all.rp_filter", "2"},
                                             {"b:net.ipv4.conf.enp137s0f0.arp_announce", "2"}}});
  ASSERT_TRUE(lab) << lab.error().message();
  const std::string conf = "net/ipv4/conf/";
  EXPECT_EQ(content((*lab)->a.netns, conf + "all/arp_filter"), "1\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "all/arp_filter"), "1\n");
  EXPECT_EQ(content((*lab)->a.netns, conf + "all/rp_filter"), "2\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "all/rp_filter"), "1\n");
  EXPECT_EQ(content((*lab)->b.netns, conf + "enp137s0f0/arp_announce"), "2\n");
}

TEST(LabLife, ASecondOfTheSameNameIsRefused) {
  const std::string name = lab_name("twice");
  const auto lab = LabGuard::up({.name = name, .nics = 1});
  ASSERT_TRUE(lab) << lab.error().message();
  const auto again = lab_up({.name = name, .nics = 1});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().hint, "retour lab down --name " + name);
  EXPECT_TRUE(lab_find(name)) << "and the first one stands";
}

TEST(LabLife, AFailureMidwayLeavesNothing) {
  const std::string name = lab_name("fail");
  const auto before = traces(name);
  const auto lab =
      lab_up({.name = name, .nics = 2, .sysctls = {{"net.ipv4.conf.nosuch.rp_filter", "1"}}});
  ASSERT_FALSE(lab);
  EXPECT_EQ(lab.error().kind, ErrorKind::not_found) << lab.error().message();
  EXPECT_EQ(traces(name), before);
}

TEST(LabLife, KeysOfTheMachineAreRefused) {
  const auto lab = lab_up({.name = lab_name("key"), .nics = 1, .sysctls = {{"kernel.panic", "1"}}});
  ASSERT_FALSE(lab);
  EXPECT_EQ(lab.error().kind, ErrorKind::usage);
}

TEST(LabLife, WhatWasInterruptedComesDown) {
  const std::string name = lab_name("half");
  const auto before = traces(name);
  ASSERT_TRUE(lab_up({.name = name, .nics = 1}));
  ASSERT_TRUE(ip_batch("", "netns del " + name + "-a\n"));
  const auto found = lab_find(name);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::not_found);
  const auto down = lab_down(name);
  EXPECT_TRUE(down) << down.error().message();
  EXPECT_EQ(traces(name), before);
}

TEST(LabLife, NamespacesNoLabMadeStay) {
  const std::string name = lab_name("alien");
  ASSERT_TRUE(ip_batch("", "netns add " + name + "-net\n"));
  const auto up = lab_up({.name = name, .nics = 1});
  const auto down = lab_down(name);
  EXPECT_TRUE(fs::exists("/run/netns/" + name + "-net"));
  EXPECT_TRUE(ip_batch("", "netns del " + name + "-net\n"));
  ASSERT_FALSE(up);
  EXPECT_EQ(up.error().errnum, EEXIST);
  ASSERT_FALSE(down);
  EXPECT_FALSE(fs::exists("/run/retour-lab/" + name));
}

TEST(LabLife, NamesAndNumbersAreChecked) {
  for (const char* name : {"", "../x", "-x", "a b", "x/y"}) {
    EXPECT_FALSE(lab_up({.name = name})) << name;
    EXPECT_FALSE(lab_down(name)) << name;
  }
  EXPECT_FALSE(lab_up({.name = lab_name("n"), .nics = 0}));
  EXPECT_FALSE(lab_up({.name = lab_name("n"), .nics = 65}));
}

}  // namespace
}  // namespace retour::testing
