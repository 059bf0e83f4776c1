// SPDX-License-Identifier: Apache-2.0
//
// The program as a user runs it, on real hosts in namespaces: the contract of exit codes and JSON,
// idempotence, and that undo leaves no trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "lab/iproute2.h"
#include "lab/lab.h"
#include "os/memory_file.h"
#include "os/netns.h"
#include "scenario/live_host.h"
#include "scenario/wire_matrix.h"

namespace retour::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string peers_of(const LabHost& host) {
  std::string text;
  for (const Ip& ip : host.addresses) text += " --peer " + ip.str();
  return text;
}

std::size_t count(const json& list, const char* key, const char* value) {
  return static_cast<std::size_t>(
      std::ranges::count_if(list, [&](const json& item) { return item[key] == value; }));
}

class Cli : public ::testing::Test {
 protected:
  void up(LabOptions options) {
    options.name = lab_name("cli");
    auto lab = LabGuard::up(options);
    ASSERT_TRUE(lab) << lab.error().message();
    lab_ = std::make_unique<LabGuard>(std::move(*lab));
    a_ = (*lab_)->a.netns;
    b_ = (*lab_)->b.netns;
  }
  [[nodiscard]] json verify_matrix() const {
    for (const std::string& host : {a_, b_}) {
      EXPECT_TRUE(ip_batch(host, "neigh flush all\n"));
    }
    return retour("verify --json --timeout 700 --netns " + a_ + " --peer-netns " + b_ +
                  peers_of((*lab_)->b))
        .json();
  }
  std::unique_ptr<LabGuard> lab_;
  std::string a_, b_;
};

TEST_F(Cli, TheArticleFromSymptomToProofAndBack) {
  up({});
  const std::string a_before = whole_state(a_);
  const std::string b_before = whole_state(b_);
  const std::string first = (*lab_)->a.addresses.front().str();

  json seen = verify_matrix();
  std::set<std::string> answering;
  for (const json& pair : seen["pairs"]) {
    if (pair["answered"]) answering.insert(pair["peer"]);
  }
  EXPECT_EQ(answering, std::set<std::string>{"29.28.201.211"}) << "one of eight";

  const Ran diagnosis = retour("diagnose --json --netns " + b_ + " --peer " + first);
  EXPECT_EQ(diagnosis.exit, 1);
  EXPECT_EQ(diagnosis.json()["round_trips"].size(), 8U);
  EXPECT_EQ(count(diagnosis.json()["round_trips"], "verdict", "same-door"), 1U);
  EXPECT_EQ(count(diagnosis.json()["round_trips"], "cause", "rp_filter"), 7U);
  EXPECT_EQ(whole_state(b_), b_before) << "reading writes nothing";

  const Ran planned = retour("plan --json --netns " + b_);
  EXPECT_EQ(planned.exit, 1);
  EXPECT_EQ(planned.json()["pending"], true);
  EXPECT_TRUE(planned.json()["refused"].is_null());
  EXPECT_EQ(planned.json()["changes"].size(), 17U);
  EXPECT_TRUE(planned.json()["impact"]["unexpected"].empty());
  EXPECT_EQ(whole_state(b_), b_before);

  for (const std::string& host : {a_, b_}) {
    const Ran applied = retour("apply --netns " + host);
    EXPECT_EQ(applied.exit, 0) << applied.err;
  }
  EXPECT_EQ(retour("diagnose --quiet --netns " + b_).exit, 0);
  seen = verify_matrix();
  EXPECT_EQ(seen["summary"]["same_door"], 64);
  EXPECT_EQ(seen["summary"]["pairs"], 64);
  for (const json& pair : seen["pairs"]) {
    EXPECT_EQ(pair["arrived_on"], pair["link"]);
    EXPECT_EQ(pair["left_by"], pair["link"]);
    EXPECT_EQ(pair["seen_at_peer"]["request"], pair["seen_at_peer"]["reply"]);
  }

  const std::string cured = whole_state(b_);
  const Ran again = retour("apply --netns " + b_);
  EXPECT_EQ(again.exit, 0);
  EXPECT_NE(again.out.find("Nothing to do"), std::string::npos) << again.out;
  EXPECT_EQ(whole_state(b_), cured);
  EXPECT_EQ(retour("plan --netns " + b_).exit, 0);

  for (const std::string& host : {a_, b_}) EXPECT_EQ(retour("undo --netns " + host).exit, 0);
  EXPECT_EQ(whole_state(a_), a_before);
  EXPECT_EQ(whole_state(b_), b_before);
  seen = verify_matrix();
  EXPECT_LE(seen["summary"]["answered"], 8);
  EXPECT_EQ(retour("undo --netns " + b_).out, "Nothing to undo: retour owns nothing here.\n");
}

TEST_F(Cli, ForeignObjectsAndTheirOrderSurvive) {
  up({});
  ASSERT_TRUE(ip_batch(b_,
                       "rule add priority 500 fwmark 0x7 lookup 77\n"
                       "rule add priority 31050 from 192.0.2.0/24 lookup 77 protocol 99\n"
                       "rule add priority 31050 from 198.51.100.0/24 lookup 77\n"
                       "route add 192.0.2.0/24 dev enp218s0 table 77\n"
                       "route add 29.28.200.64/26 via 29.28.204.80 dev enp137s0f1\n"
                       "route add blackhole 203.0.113.0/24 table 200\n"));
  const std::string before = whole_state(b_);
  EXPECT_EQ(retour("apply --netns " + b_).exit, 0);
  const auto rules = ip_output(b_, "rule");
  EXPECT_NE(rules->find("lookup 77"), std::string::npos);
  EXPECT_EQ(retour("diagnose --quiet --netns " + b_).exit, 0);
  EXPECT_EQ(retour("undo --netns " + b_).exit, 0);
  EXPECT_EQ(whole_state(b_), before);
}

TEST_F(Cli, FluxIsCuredPerDeviceAndTakenBack) {
  up({.sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
  const std::string before = whole_state(b_);
  const json found = retour("diagnose --json --netns " + b_).json();
  EXPECT_EQ(count(found["round_trips"], "cause", "flux"), 8U);
  EXPECT_EQ(retour("apply --netns " + b_).exit, 0);
  EXPECT_EQ(retour("diagnose --quiet --netns " + b_).exit, 0);
  EXPECT_EQ(whole_state(b_).find("all/arp_ignore:1"), std::string::npos) << "never conf/all";
  EXPECT_EQ(retour("undo --netns " + b_).exit, 0);
  EXPECT_EQ(whole_state(b_), before);
}

TEST_F(Cli, ALabTakenDownTakesItsMemoryAlong) {
  up({.sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
  const auto netns = Netns::open(b_);
  ASSERT_TRUE(netns);
  const fs::path memory = fs::path(MemoryFile::default_base()) / MemoryFile::key_of(*netns);
  ASSERT_EQ(retour("apply -q --netns " + b_).exit, 0);
  EXPECT_TRUE(fs::exists(memory));
  lab_.reset();
  EXPECT_FALSE(fs::exists(memory));
}

TEST_F(Cli, SnapshotsDiagnoseTheSameElsewhere) {
  up({});
  const std::string file = ::testing::TempDir() + lab_name("snap") + ".json";
  ASSERT_EQ(retour("snapshot --netns " + b_ + " > " + file).exit, 0);
  const Ran live = retour("diagnose --json --netns " + b_);
  const Ran offline = retour("diagnose --json --snapshot " + file);
  EXPECT_EQ(live.out, offline.out);
  json planned = retour("plan --json --netns " + b_).json();
  EXPECT_TRUE(planned["impact"]["connections"].empty());
  planned["impact"]["connections"] = nullptr;  // a file does not tell them
  EXPECT_EQ(retour("plan --json --snapshot " + file).json(), planned);
  EXPECT_EQ(retour("status --snapshot " + file).exit, 0);
  unlink(file.c_str());
}

TEST_F(Cli, RailsAreMeasuredAndTheFlapIsMended) {
  up({.nics = 4, .rails = true});
  const json found = retour("diagnose --json --netns " + b_).json();
  EXPECT_EQ(found["shared_subnets"][0]["segments"].size(), 4U);
  EXPECT_EQ(found["shared_subnets"][0]["segments_measured"], true);
  ASSERT_EQ(retour("apply --quiet --netns " + b_).exit, 0);
  const std::string nic = (*lab_)->b.nics[2];
  ASSERT_TRUE(ip_batch(b_, "link set " + nic + " down\n"));
  EXPECT_EQ(retour("diagnose --quiet --netns " + b_).exit, 1);
  EXPECT_EQ(retour("apply --quiet --netns " + b_).exit, 0) << "nothing for routing to mend";
  ASSERT_TRUE(ip_batch(b_, "link set " + nic + " up\n"));
  const Ran flapped = retour("diagnose --netns " + b_);
  EXPECT_EQ(flapped.exit, 1);
  EXPECT_NE(flapped.out.find("empty-table"), std::string::npos) << flapped.out;
  EXPECT_EQ(retour("apply --quiet --netns " + b_).exit, 0);
  EXPECT_EQ(retour("diagnose --quiet --netns " + b_).exit, 0);
}

TEST_F(Cli, TableNamesComeAndGo) {
  up({});
  const fs::path file = "/etc/netns/" + b_ + "/iproute2/rt_tables.d/retour.conf";
  ASSERT_EQ(retour("apply --quiet --netns " + b_).exit, 0);
  EXPECT_TRUE(fs::exists(file));
  const auto rules = kernel_test::run("ip netns exec " + b_ + " ip rule");
  EXPECT_NE(rules.text.find("lookup retour-enp80s0f0"), std::string::npos) << rules.text;
  ASSERT_EQ(retour("undo --quiet --netns " + b_).exit, 0);
  EXPECT_FALSE(fs::exists(file));
  // Without any iproute2 configuration it works as well.
  fs::remove_all("/etc/netns/" + b_ + "/iproute2");
  EXPECT_EQ(kernel_test::run("ip netns exec " + b_ +
                             " sh -c 'umount /etc/iproute2 2>/dev/null; "
                             "mount -t tmpfs none /etc && " RETOUR_BINARY
                             " apply -q && " RETOUR_BINARY " undo -q'")
                .exit,
            0);
}

TEST_F(Cli, WithoutPrivilegeItSaysWhichAndChangesNothing) {
  up({.nics = 2});
  const std::string before = whole_state(b_);
  const std::string nobody =
      "ip netns exec " + b_ + " setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all";
  // The program may lie below a directory that only root may enter.
  const std::string copy = "/tmp/" + lab_name("bin");
  fs::copy_file(RETOUR_BINARY, copy);
  const auto as_nobody = [&](const std::string& arguments) {
    return kernel_test::run(nobody + " " + copy + " " + arguments);
  };
  const auto diagnosis = as_nobody("diagnose");
  EXPECT_EQ(diagnosis.exit, 1) << diagnosis.text;
  EXPECT_NE(diagnosis.text.find("segments-assumed"), std::string::npos) << diagnosis.text;
  const auto applied = as_nobody("apply");
  EXPECT_EQ(applied.exit, 3) << applied.text;
  EXPECT_NE(applied.text.find("CAP_NET_ADMIN"), std::string::npos) << applied.text;
  const auto verified = as_nobody("verify --peer 29.28.204.80");
  EXPECT_EQ(verified.exit, 3) << verified.text;
  EXPECT_NE(verified.text.find("CAP_NET_RAW"), std::string::npos) << verified.text;
  EXPECT_EQ(whole_state(b_), before);
  fs::remove(copy);
}

TEST_F(Cli, ReadOnlySysctlsUndoTheWholeApply) {
  up({.nics = 2,
      .sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
  const std::string before = whole_state(b_);
  const auto applied = kernel_test::run("ip netns exec " + b_ +
                                        " unshare -m sh -c 'mount --bind /proc/sys /proc/sys && "
                                        "mount -o remount,ro,bind /proc/sys && "
                                        "exec " RETOUR_BINARY " apply'");
  EXPECT_EQ(applied.exit, 3) << applied.text;
  EXPECT_NE(applied.text.find("arp_ignore"), std::string::npos) << applied.text;
  EXPECT_EQ(whole_state(b_), before) << applied.text;
}

TEST_F(Cli, TwoAtOnceAreOneAfterTheOther) {
  up({.sysctls = {{"net.ipv4.conf.all.rp_filter", "0"}, {"net.ipv4.conf.all.arp_ignore", "0"}}});
  const std::string before = whole_state(b_);
  const std::string apply = RETOUR_BINARY " apply -q --netns " + b_;
  const auto both = kernel_test::run(apply + " & first=$!; " + apply +
                                     "; a=$?; wait $first; b=$?; "
                                     "exit $((a + b))");
  EXPECT_EQ(both.exit, 0) << both.text;
  EXPECT_EQ(retour("diagnose -q --netns " + b_).exit, 0);
  EXPECT_EQ(retour("undo -q --netns " + b_).exit, 0);
  EXPECT_EQ(whole_state(b_), before);
}

TEST_F(Cli, AnAddressThatChangesIsFollowed) {
  up({.nics = 3});
  ASSERT_EQ(retour("apply -q --netns " + b_).exit, 0);
  const std::string nic = (*lab_)->b.nics[1];
  const std::string old = (*lab_)->b.addresses[1].str();
  ASSERT_TRUE(ip_batch(b_, "addr add 172.16.5.1/24 dev " + nic + "\naddr del " + old + "/20 dev " +
                               nic + "\naddr add 29.28.199.99/20 dev " + nic + " metric 106\n"));
  EXPECT_EQ(retour("diagnose -q --netns " + b_).exit, 1);
  const Ran mended = retour("apply --netns " + b_);
  EXPECT_EQ(mended.exit, 0) << mended.out << mended.err;
  EXPECT_EQ(retour("diagnose -q --netns " + b_).exit, 0);
  const auto rules = ip_output(b_, "rule");
  EXPECT_EQ(rules->find(old), std::string::npos) << *rules;
}

TEST_F(Cli, APartialHostIsRefusedNotJudged) {
  const std::string file = ::testing::TempDir() + lab_name("empty") + ".txt";
  std::ofstream(file) << "";
  EXPECT_EQ(retour("import --route " + file).exit, 3);
  std::ofstream(file) << R"({"schema":"retour.snapshot/1"})";
  EXPECT_EQ(retour("diagnose --snapshot " + file).exit, 3);
  unlink(file.c_str());
}

TEST_F(Cli, UsageErrorsAreExitTwo) {
  EXPECT_EQ(retour("").exit, 2);
  EXPECT_EQ(retour("frobnicate").exit, 2);
  EXPECT_EQ(retour("diagnose --no-such-option").exit, 2);
  EXPECT_EQ(retour("diagnose --peer 10.0.0.300").exit, 2);
  EXPECT_EQ(retour("import").exit, 2);
  EXPECT_EQ(retour("lab up --set nonsense --name " + lab_name("never")).exit, 2);
  EXPECT_EQ(retour("--help").exit, 0);
  EXPECT_EQ(retour("--version").exit, 0);
}

TEST_F(Cli, BadInputIsExitThreeAndNamesIt) {
  EXPECT_EQ(retour("diagnose --netns no-such-netns").exit, 3);
  EXPECT_EQ(retour("diagnose --snapshot /no/such/file").exit, 3);
  const std::string file = ::testing::TempDir() + lab_name("bad") + ".json";
  const auto refused = [&](const std::string& text, const char* word) {
    std::ofstream(file) << text;
    const Ran ran = retour("diagnose --snapshot " + file);
    EXPECT_EQ(ran.exit, 3) << text;
    EXPECT_NE(ran.err.find(word), std::string::npos) << ran.err;
    EXPECT_TRUE(ran.out.empty());
    EXPECT_EQ(ran.err.rfind("retour: ", 0), 0U) << ran.err;
  };
  refused("", file.c_str());
  refused("{", file.c_str());
  refused(R"({"schema":"retour.snapshot/99"})", "retour.snapshot/99");
  refused(R"([1,2])", file.c_str());
  std::ofstream(file) << "default via 192.168.0.1 dev \x1b[31mred proto dhcp metr";
  const Ran ran = retour("import --route " + file);
  EXPECT_EQ(ran.exit, 3);
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos) << "raw escape sequence on the terminal";
  unlink(file.c_str());
}

TEST_F(Cli, APeerOfOursIsRefused) {
  up({.nics = 2});
  const Ran ran = retour("diagnose --netns " + b_ + " --peer 29.28.201.211");
  EXPECT_EQ(ran.exit, 2);
  EXPECT_NE(ran.err.find("own address"), std::string::npos) << ran.err;
}

TEST_F(Cli, ThePastedTextsGiveTheArticlesDiagnosisAndPlan) {
  const std::string article = RETOUR_SOURCE_DIR "/tests/golden/article/";
  const std::string file = ::testing::TempDir() + lab_name("paste") + ".json";
  ASSERT_EQ(retour("import --route " + article + "host-b.ip-route.txt --rule " + article +
                   "host-b.ip-rule.before.txt > " + file)
                .exit,
            0);
  const json found = retour("diagnose --json --snapshot " + file).json();
  for (const json& trip : found["round_trips"]) {
    const bool good = trip["local"] == "29.28.201.211";
    EXPECT_EQ(trip["verdict"], good ? "same-door" : "lost");
    EXPECT_EQ(trip["reply"]["dev"], "enp137s0f1");
    if (!good) {
      EXPECT_EQ(trip["cause"], "rp_filter");
    }
    EXPECT_EQ(trip["outcomes"].size(), 8U) << "every combination of the unknown gates";
  }
  const json cure = retour("plan --json --snapshot " + file).json();
  EXPECT_EQ(cure["tables"].size(), 8U);
  std::map<std::string, int> table_of;
  for (const json& change : cure["changes"]) {
    const json& object = change["object"];
    if (change["op"] == "add-route") {
      EXPECT_EQ(object["dst"], "29.28.192.0/20");
      table_of[object["src"]] = object["table"];
    }
  }
  EXPECT_EQ(table_of.size(), 8U);
  int rules = 0;
  for (const json& change : cure["changes"]) {
    const json& object = change["object"];
    if (change["op"] != "add-rule" || object["from"].is_null()) continue;
    ++rules;
    EXPECT_EQ(table_of.at(object["from"]), object["table"]);
  }
  EXPECT_EQ(rules, 8);
  unlink(file.c_str());
}

TEST_F(Cli, TheDemoTellsTheWholeStoryAndLeavesNothing) {
  const std::string name = lab_name("demo");
  const Ran ran = retour("lab demo --name " + name);
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("64 of 64 answered, 64 same-door"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << "colours only on a terminal";
  EXPECT_EQ(kernel_test::run("ip netns list").text.find(name), std::string::npos);
  EXPECT_FALSE(fs::exists("/etc/netns/" + name + "-b"));
}

}  // namespace
}  // namespace retour::testing
