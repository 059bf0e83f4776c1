// SPDX-License-Identifier: Apache-2.0
//
// What came of a plan that was carried out on a clone of the host, and which packets it was judged
// by. The clone is a real kernel: what the model says of the host is held against it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace retour {

/// Something that the clone does otherwise than the model says.
struct Difference {
  std::string what;    ///< a flow in the words of `ip route get`, a change, or a route or rule
  bool after{};        ///< when the changes were made
  std::string model;   ///< what it says
  std::string kernel;  ///< what that says
};

struct Rehearsal {
  std::string kernel;     ///< `uname -r` of the clone
  std::size_t flows{};    ///< asked, those before and those after the changes together
  std::size_t agreed{};   ///< of them
  std::size_t unlike{};   ///< of them: the clone lacks what decides them, so they judge nothing
  std::size_t changes{};  ///< made
  std::chrono::microseconds took{};  ///< by the changes alone
  std::vector<Difference> differences;
  std::vector<std::string> not_cloned;  ///< of the host: a sentence each
};

/// Of a host and a plan the flows that a rehearsal asks: those whose path the plan changes; each
/// local address and none to each innermost prefix in play (of the model's two hosts, before and
/// after); what each rule selects; each link bound to; packets received. At most `most`, evenly
/// taken, but those that change all.
[[nodiscard]] std::vector<Flow> flows_to_ask(const Snapshot& host, const Plan& plan,
                                             std::size_t most);

/// "10.0.0.9 from 10.0.0.1 iif eth0 mark 0x5".
[[nodiscard]] std::string words_for(const Flow& flow, const Snapshot& host);

/// Why the plan may not be carried out; empty when everything was as the model says.
[[nodiscard]] std::string objection(const Rehearsal& rehearsal);

}  // namespace retour
