// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a result that cannot be written, and of what a reader had to infer.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "scenario/live_host.h"

namespace retour::testing {
namespace {

struct Output : ::testing::Test {
  std::string folder = ::testing::TempDir() + "rt-output-" + std::to_string(getpid());
  std::string routes = folder + ".route";
  std::string host = folder + ".json";
  std::string questions = folder + ".questions";

  void SetUp() override {
    std::ofstream(routes) << "default via 10.0.0.254 dev eth0\n"
                             "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1\n"
                             "10.0.0.0/24 dev eth1 proto kernel scope link src 10.0.0.2\n";
    ASSERT_EQ(retour("import --route " + routes + " > " + host).exit, 0);
    std::ofstream out(questions);
    for (int i = 0; i < 10000; ++i) out << "10.0.0.9\n";
  }
  void TearDown() override {
    for (const std::string& file : {routes, host, questions}) unlink(file.c_str());
  }
};

TEST_F(Output, AFullDiskIsNoSuccess) {
  for (const std::string& verb :
       {"import --route " + routes, "status --snapshot " + host, "diagnose --snapshot " + host,
        "diagnose --json --snapshot " + host, "plan --snapshot " + host,
        "plan --json --snapshot " + host, "explain 10.0.0.9 --snapshot " + host,
        "explain 10.0.0.9 --json --snapshot " + host,
        "explain 10.0.0.1 --request-from 10.0.0.9 --snapshot " + host,
        "explain --batch " + questions + " --snapshot " + host, std::string("--help"),
        std::string("--version")}) {
    const Ran ran = retour(verb + " > /dev/full");
    EXPECT_EQ(ran.exit, 3) << verb;
    EXPECT_NE(ran.err.find("retour: write stdout: No space left on device"), std::string::npos)
        << verb << ": " << ran.err;
  }
}

TEST(Help, FitsATerminal) {
  for (const char* verb : {"", "status", "diagnose", "explain", "plan", "apply", "confirm",
                           "rollback", "undo", "verify", "snapshot", "import", "lab"}) {
    std::istringstream lines(retour(std::string(verb) + " --help").out);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_LE(line.size(), 80U) << verb << ": " << line;
    }
    EXPECT_GT(count, 5U) << verb;
  }
}

TEST_F(Output, ABatchEndsWhereItCannotBeWritten) {
  // Endless input: it is the failed write that ends it.
  const auto ran =
      kernel_test::run("yes 10.0.0.9 | timeout 20 " RETOUR_BINARY " explain --batch - --snapshot " +
                       host + " > /dev/full");
  EXPECT_EQ(ran.exit, 3) << ran.text;
}

TEST_F(Output, NotesOfAnImportAreSaid) {
  const Ran ran = retour("import --route " + routes);
  EXPECT_NE(ran.err.find("retour: note: no IPv6 rules were given"), std::string::npos) << ran.err;
  EXPECT_EQ(retour("import --quiet --route " + routes).err, "");
  EXPECT_EQ(retour("import --quiet --route " + routes).out, ran.out);
}

TEST_F(Output, AnAddressWithoutANicIsAskedAboutByNic) {
  const std::string lone = folder + ".lone";
  std::ofstream(lone) << "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n"
                         "    inet 192.0.2.1/32 scope global lo\n"
                         "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500\n"
                         "    inet 10.0.0.1/24 scope global eth0\n";
  ASSERT_EQ(retour("import --addr " + lone + " > " + host).exit, 0);
  unlink(lone.c_str());
  const Ran ran = retour("explain 192.0.2.1 --request-from 10.0.0.9 --snapshot " + host);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_NE(ran.err.find("explain 192.0.2.1 from 10.0.0.9 iif NIC"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
}

}  // namespace
}  // namespace retour::testing
