// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "text/boot_unit.h"

namespace retour {
namespace {

std::string command_of(const std::string& program, const std::vector<std::string>& arguments) {
  const std::string text = boot_unit(program, arguments).at(0).text;
  const auto start = text.find("ExecStart=") + 10;
  return text.substr(start, text.find('\n', start) - start);
}

TEST(BootUnit, IsAFileAndTheLinkThatEnablesIt) {
  const auto files = boot_unit("/usr/bin/retour", {"apply", "--runtime"});
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "/etc/systemd/system/retour.service");
  EXPECT_TRUE(is_made_by_retour(files[0].text));
  EXPECT_EQ(files[1].mode, symbolic_link);
  EXPECT_EQ(files[1].path, "/etc/systemd/system/multi-user.target.wants/retour.service");
  EXPECT_EQ(files[1].text, "../retour.service");
}

TEST(BootUnit, NothingInACommandIsExpanded) {
  EXPECT_EQ(command_of("/usr/bin/retour", {"apply", "--peer", "10.0.0.1"}),
            "/usr/bin/retour apply --peer 10.0.0.1");
  EXPECT_EQ(command_of("/my dir/50%/$x\"\\;", {""}), R"("/my dir/50%%/$$x\"\\;" "")");
}

}  // namespace
}  // namespace retour
