// SPDX-License-Identifier: Apache-2.0
//
// What a scenario needs of a namespace besides packets: the program itself run on it, and its whole
// state as text, to be compared with what it was before.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "scenario/kernel_host.h"

namespace retour::testing {

struct Ran {
  int exit{};
  std::string out;
  std::string err;
  [[nodiscard]] nlohmann::json json() const {
    auto parsed = nlohmann::json::parse(out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << out << err;
    return parsed;
  }
};

/// The program under test.
inline Ran retour(const std::string& arguments) {
  const std::string errors = ::testing::TempDir() + "rt-err-" + std::to_string(getpid());
  auto [exit, out] = kernel_test::run(RETOUR_BINARY " " + arguments, errors);
  std::ifstream in(errors);
  const std::string err(std::istreambuf_iterator<char>(in), {});
  unlink(errors.c_str());
  return {exit, std::move(out), err};
}

/// Rules, routes of all tables and every IPv4 sysctl, byte for byte as iproute2 and sysctl say it.
inline std::string whole_state(const std::string& netns) {
  const std::string in = "ip -n " + netns + " ";
  const auto text = [](const std::string& command) { return kernel_test::run(command).text; };
  return text(in + "rule") + text(in + "-6 rule") + text(in + "-d route show table all") +
         text(in + "-6 -d route show table all") +
         text("ip netns exec " + netns +
              " sh -c 'cd /proc/sys/net/ipv4/conf && grep -r . .' | sort");
}

}  // namespace retour::testing
