// SPDX-License-Identifier: Apache-2.0
//
// The host that the kernel's own self-tests (tools/testing/selftests/net) work on, and a question
// put to three: what the self-test expects, the running kernel, and the model.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "kernel_host.h"
#include "model/answer.h"
#include "model/fib.h"

namespace retour::selftests {

using kernel_test::KernelHost;
using kernel_test::Output;

/// "192.0.2.1 from 192.0.2.2 iif d0 tos 0x10": the words of `ip route get`, on `host`.
inline Flow flow_of(const Snapshot& host, const std::string& words) {
  std::istringstream in(words);
  std::string word;
  in >> word;
  Flow flow;
  flow.dst = Ip::parse(word).value();
  const auto number = [&in] {
    std::string value;
    in >> value;
    return static_cast<std::uint32_t>(std::stoul(value, nullptr, 0));
  };
  while (in >> word) {
    if (word == "from") {
      in >> word;
      flow.src = Ip::parse(word).value();
    } else if (word == "iif" || word == "oif") {
      std::string name;
      in >> name;
      const IfIndex index = host.link(name)->index;
      if (word == "oif") {
        flow.oif = index;
      } else if (name != "lo") {  // what comes from `lo` is sent by this host
        flow.iif = index;
      }
    } else if (word == "mark") {
      flow.mark = number();
    } else if (word == "tos") {
      flow.tos = static_cast<std::uint8_t>(number());
    } else if (word == "uid") {
      flow.uid = number();
    } else if (word == "ipproto") {
      flow.ip_proto = static_cast<std::uint8_t>(number());
    } else if (word == "sport") {
      flow.sport = static_cast<std::uint16_t>(number());
    } else if (word == "dport") {
      flow.dport = static_cast<std::uint16_t>(number());
    } else {
      ADD_FAILURE() << "no such word: " << word;
    }
  }
  return as_asked(flow);
}

/// What the model says, having been held against the running kernel.
inline Lookup asked(const KernelHost& netns, const std::string& words) {
  const auto kernel = netns.kernel();
  const auto read = kernel->snapshot();
  EXPECT_TRUE(read) << read.error().message();
  const Flow flow = flow_of(*read, words);
  const Fib fib(*read);
  Lookup lookup = flow.iif ? fib.input(flow) : fib.output(flow);
  const auto answers = kernel->ask(std::vector<Flow>{flow});
  EXPECT_TRUE(answers) << answers.error().message();
  if (answers) {
    EXPECT_EQ(difference(*read, lookup, answers->front()), "")
        << words << ": the kernel says " << describe(*read, answers->front());
  }
  return lookup;
}

/// The gateway that the question comes to, as text; the errno's number when there is none.
inline std::string gateway(const KernelHost& netns, const std::string& words) {
  const Lookup lookup = asked(netns, words);
  if (!lookup.ok()) return "errno " + std::to_string(lookup.errnum);
  return lookup.gateway ? lookup.gateway->str() : "on-link";
}

inline bool refused(const KernelHost& netns, const std::string& arguments) {
  return kernel_test::run("ip -n " + netns.name() + " " + arguments).exit != 0;
}

}  // namespace retour::selftests
