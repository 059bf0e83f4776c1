// SPDX-License-Identifier: Apache-2.0
//
// Each export taken up by the program it is for, run on a host of the lab: the rules and routes
// that come of it are those of `retour apply`, whoever made them.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "diagnose/diagnose.h"
#include "lab/lab.h"
#include "os/file_tree.h"
#include "scenario/programs/programs.h"
#include "scenario/wire_matrix.h"
#include "text/export.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class ExportTo : public ::testing::Test {
 protected:
  void SetUp() override {
    // With gates that have to be set as well.
    auto lab = LabGuard::up(
        {.name = lab_name("export"),
         .nics = 3,
         .sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    b_ = (*lab_)->b.netns;
    files_ = fs::path(::testing::TempDir()) / b_;
    fs::remove_all(files_);
    fs::create_directories(files_);
    const Ran applied = retour("apply --runtime --netns " + b_);
    ASSERT_EQ(applied.exit, 0) << applied.err;
    wanted_ = policy_state(b_);
    ASSERT_EQ(std::ranges::count(wanted_, '\n'), 7) << wanted_;
    ASSERT_EQ(retour("undo --netns " + b_).exit, 0);
    ASSERT_EQ(policy_state(b_), "");
  }
  void TearDown() override { fs::remove_all(files_); }

  void write_export(const std::string& format) const {
    const Ran ran = retour("export " + format + " --netns " + b_ + " --to " + files_.string());
    ASSERT_EQ(ran.exit, 0) << ran.err;
  }
  /// As nobody has configured it yet.
  void bare() const {
    for (const std::string& nic : lab().b.nics) {
      ASSERT_EQ(kernel_test::run("ip -n " + b_ + " addr flush dev " + nic).exit, 0);
      ASSERT_EQ(kernel_test::run("ip -n " + b_ + " link set " + nic + " down").exit, 0);
    }
  }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((files_.string() + path).substr(0, (files_.string() + path).rfind('/')));
    std::ofstream(files_.string() + path) << text;
  }
  [[nodiscard]] bool as_wanted() const { return policy_state(b_) == wanted_; }
  void expect_wanted(const Inside& inside, std::chrono::milliseconds within = 30s) const {
    EXPECT_TRUE(comes_true([&] { return as_wanted(); }, within))
        << "wanted:\n"
        << wanted_ << "there is:\n"
        << policy_state(b_) << inside.log();
    // What it did besides (addresses, main) makes a healthy host of it, and one that is left alone.
    EXPECT_TRUE(comes_true([&] { return retour("diagnose --netns " + b_).exit == 0; }, 5s))
        << retour("diagnose --netns " + b_).out;
    const Ran plan = retour("plan --netns " + b_);
    EXPECT_EQ(plan.exit, 0) << plan.out;
  }
  [[nodiscard]] const Lab& lab() const { return **lab_; }
  [[nodiscard]] std::string cidr(std::size_t nic) const {
    return lab().b.addresses[nic].str() + "/20";
  }

  std::unique_ptr<LabGuard> lab_;
  std::string b_;
  fs::path files_;
  std::string wanted_;
};

TEST_F(ExportTo, IpBatchIsApply) {
  write_export("iproute2");
  const std::string batch =
      "ip -n " + b_ + " -4 -force -batch " + files_.string() + "/etc/retour/ip.batch";
  EXPECT_EQ(kernel_test::run(batch).exit, 0);
  EXPECT_TRUE(as_wanted()) << policy_state(b_);
  // Protocol and all: retour knows it for its own.
  const Ran status = retour("status --json --netns " + b_);
  EXPECT_EQ(status.json()["owned"]["rules"].size(), 4U) << status.out;
  // Once more: the rules that are there are errors, and nothing changes.
  EXPECT_NE(kernel_test::run(batch).exit, 0);
  EXPECT_TRUE(as_wanted()) << policy_state(b_);
  EXPECT_EQ(retour("undo --netns " + b_).exit, 0);
  EXPECT_EQ(policy_state(b_), "");
}

TEST_F(ExportTo, NetworkdWithFilesOfItsOwn) {
  write_export("networkd");
  bare();
  const Inside inside(b_, files_, "sysctls && networkd");
  expect_wanted(inside);
}

TEST_F(ExportTo, NetworkdWithDropInsToItsFiles) {
  // What networkd has is read from /run by the index of the link; here the files say it.
  write_export("networkd");
  bare();
  for (std::size_t i = 0; i < lab().b.nics.size(); ++i) {
    const std::string& nic = lab().b.nics[i];
    const std::string own = "/etc/systemd/network/05-retour-" + nic + ".network";
    std::ifstream in(files_.string() + own);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const auto sections = text.find("\n[Route]");
    ASSERT_NE(sections, std::string::npos);
    write("/etc/systemd/network/10-" + nic + ".network",
          "[Match]\nName=" + nic + "\n[Network]\nAddress=" + cidr(i) + "\n");
    write("/etc/systemd/network/10-" + nic + ".network.d/retour.conf", text.substr(sections));
    fs::remove(files_.string() + own);
  }
  const Inside inside(b_, files_, "sysctls && networkd");
  expect_wanted(inside);
}

TEST_F(ExportTo, NetplanAndNetworkdBehindIt) {
  write_export("netplan");
  bare();
  std::string base = "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n";
  for (std::size_t i = 0; i < lab().b.nics.size(); ++i) {
    base += "    " + lab().b.nics[i] + ":\n      addresses: [\"" + cidr(i) + "\"]\n";
  }
  write("/etc/netplan/10-base.yaml", base);
  const Inside inside(b_, files_, "sysctls && netplan generate --root-dir / && networkd");
  expect_wanted(inside);
}

TEST_F(ExportTo, NetworkManager) {
  write_export("networkmanager");
  bare();
  const Inside inside(b_, files_, "sysctls && bus && network_manager");
  expect_wanted(inside);
}

TEST_F(ExportTo, IfupdownUpAgainAndDown) {
  write_export("ifupdown");
  bare();
  std::string interfaces;
  std::string all;
  for (std::size_t i = 0; i < lab().b.nics.size(); ++i) {
    interfaces += "iface " + lab().b.nics[i] + " inet static\n  address " + cidr(i) + "\n";
    all += " " + lab().b.nics[i];
  }
  write("/etc/network/interfaces", interfaces);
  const std::string nic = lab().b.nics.front();
  {
    Inside up(b_, files_, "mkdir -p /run/network; ifup" + all);
    EXPECT_EQ(up.wait(), 0) << up.log();
    expect_wanted(up, 1s);
  }
  {
    Inside again(b_, files_,
                 "mkdir -p /run/network; for nic in " + all +
                     "; do IFACE=$nic ADDRFAM=inet /etc/network/if-up.d/retour || exit; done");
    EXPECT_EQ(again.wait(), 0) << again.log();
    EXPECT_TRUE(as_wanted()) << policy_state(b_);
  }
  bare();
  Inside down(b_, files_, "mkdir -p /run/network; ifup" + all + " && ifdown " + nic);
  EXPECT_EQ(down.wait(), 0) << down.log();
  const std::string left = policy_state(b_);
  const std::string address = lab().b.addresses.front().str();
  EXPECT_EQ(left.find(address), std::string::npos) << left;
  EXPECT_EQ(std::ranges::count(left, '\n'), 5) << left;
}

/// What the plan makes of IPv4, and the like of IPv6 made by hand: a table's route by a gateway, a
/// guard, a rule by source.
class ExportBothFamilies : public ExportTo {
 protected:
  void SetUp() override {
    ExportTo::SetUp();
    const std::string nic = lab().b.nics.front();
    for (const std::string& line :
         {"sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf." + nic + ".disable_ipv6=0",
          "ip addr add fd00:9::2/64 dev " + nic + " nodad"}) {
      const auto done = kernel_test::run("ip netns exec " + b_ + " " + line);
      ASSERT_EQ(done.exit, 0) << done.text;
    }
    auto netns = Netns::open(b_);
    ASSERT_TRUE(netns);
    std::optional<Snapshot> now;
    {
      auto inside = InsideNetns::enter(*netns);
      ASSERT_TRUE(inside);
      auto kernel = NetlinkKernel::open();
      ASSERT_TRUE(kernel);
      auto read = (*kernel)->snapshot();
      ASSERT_TRUE(read);
      now = std::move(*read);
    }
    const Plan cure = plan(*now, Policy{}, diagnose(*now, Policy{}));
    all_ = native(*now, cure, {});
    const auto link = std::ranges::find_if(
        all_.links, [&](const NativeLink& each) { return each.link.name == nic; });
    ASSERT_NE(link, all_.links.end());
    const TableId table = link->routes.at(0).table;
    Route connected;
    connected.dst = *Prefix::parse("fd00:9::/64");
    connected.table = table;
    connected.metric = 77;
    connected.protocol = protocol_retour;
    connected.next_hops.push_back({link->link.index, std::nullopt, 0, 1});
    Route beyond = connected;
    beyond.dst = *Prefix::parse("fd00:a::/48");
    beyond.next_hops[0].gateway = Ip::parse("fd00:9::1");
    Rule guard;
    guard.family = Family::v6;
    guard.priority = 31000;
    guard.to = connected.dst;
    guard.table = table_main;
    guard.suppress_prefixlength = 64;
    guard.protocol = protocol_retour;
    Rule door;
    door.family = Family::v6;
    door.priority = 31100;
    door.from = Prefix::parse("fd00:9::2");
    door.table = table;
    door.protocol = protocol_retour;
    for (auto* routes : {&all_.routes, &link->routes}) {
      routes->insert(routes->end(), {connected, beyond});
    }
    for (auto* rules : {&all_.rules, &link->rules}) rules->insert(rules->end(), {guard, door});

    // Wanted is what iproute2 makes of it.
    const auto batches = export_iproute2(all_);
    ASSERT_TRUE(batches) << batches.error().message();
    put(*batches);
    for (const auto& [option, file] : {std::pair("-4", "ip.batch"), std::pair("-6", "ip6.batch")}) {
      const auto done = kernel_test::run("ip -n " + b_ + " " + option + " -batch " +
                                         files_.string() + "/etc/retour/" + file);
      ASSERT_EQ(done.exit, 0) << done.text;
    }
    wanted_ = policy_state(b_);
    ASSERT_EQ(std::ranges::count(wanted_, '\n'), 11) << wanted_;
    ASSERT_EQ(retour("undo --netns " + b_).exit, 0);
    ASSERT_EQ(policy_state(b_), "");
    fs::remove_all(files_);
    fs::create_directories(files_);
    bare();
  }
  void put(const Result<Export>& made) const {
    ASSERT_TRUE(made) << made.error().message();
    auto tree = FileTree::stage(files_.string(), made->files);
    ASSERT_TRUE(tree) << tree.error().message();
    const auto done = tree->commit();
    ASSERT_TRUE(done) << done.error().message();
  }
  void expect_both(const Inside& inside) const {
    EXPECT_TRUE(comes_true([&] { return as_wanted(); }, 30s)) << "wanted:\n"
                                                              << wanted_ << "there is:\n"
                                                              << policy_state(b_) << inside.log();
  }
  Native all_;
};

TEST_F(ExportBothFamilies, Networkd) {
  put(export_networkd(all_, {}));
  const Inside inside(b_, files_, "networkd");
  expect_both(inside);
}

TEST_F(ExportBothFamilies, Netplan) {
  put(export_netplan(all_));
  std::string base = "network:\n  version: 2\n  ethernets:\n";
  for (std::size_t i = 0; i < lab().b.nics.size(); ++i) {
    base += "    " + lab().b.nics[i] + ":\n      addresses: [\"" + cidr(i) + "\"" +
            (i == 0 ? ", \"fd00:9::2/64\"" : "") + "]\n";
  }
  write("/etc/netplan/10-base.yaml", base);
  const Inside inside(b_, files_, "netplan generate --root-dir / && networkd");
  expect_both(inside);
}

TEST_F(ExportBothFamilies, NetworkManager) {
  put(export_networkmanager(all_));
  const Inside inside(b_, files_, "bus && network_manager");
  expect_both(inside);
}

TEST_F(ExportBothFamilies, Ifupdown) {
  put(export_ifupdown(all_));
  std::string interfaces;
  std::string nics;
  for (std::size_t i = 0; i < lab().b.nics.size(); ++i) {
    interfaces += "iface " + lab().b.nics[i] + " inet static\n  address " + cidr(i) + "\n";
    nics += " " + lab().b.nics[i];
  }
  interfaces += "iface " + lab().b.nics[0] + " inet6 static\n  address fd00:9::2/64\n";
  write("/etc/network/interfaces", interfaces);
  Inside inside(b_, files_, "mkdir -p /run/network; ifup" + nics);
  EXPECT_EQ(inside.wait(), 0) << inside.log();
  expect_both(inside);
}

TEST_F(ExportTo, AFileThatIsNotOursStays) {
  write("/etc/systemd/network/05-retour-" + lab().b.nics[1] + ".network", "[Match]\nName=x\n");
  const Ran ran = retour("export networkd --netns " + b_ + " --to " + files_.string());
  EXPECT_EQ(ran.exit, 3);
  EXPECT_NE(ran.err.find("not of retour's making"), std::string::npos) << ran.err;
  std::size_t files = 0;
  for (const auto& each : fs::recursive_directory_iterator(files_)) {
    files += each.is_regular_file() ? 1U : 0U;
  }
  EXPECT_EQ(files, 1U);
}

}  // namespace
}  // namespace retour::testing
