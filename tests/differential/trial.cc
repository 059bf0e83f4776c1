// SPDX-License-Identifier: Apache-2.0
#include "differential/trial.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "differential/fib_lookup.h"
#include "model/answer.h"
#include "model/fib.h"
#include "os/kernel_ask.h"
#include "os/kernel_netlink.h"

namespace retour::differential {
namespace {

constexpr std::uint32_t group(unsigned number) { return 1U << (number - 1U); }
constexpr std::uint32_t watched = group(RTNLGRP_LINK) | group(RTNLGRP_IPV4_IFADDR) |
                                  group(RTNLGRP_IPV6_IFADDR) | group(RTNLGRP_IPV4_ROUTE) |
                                  group(RTNLGRP_IPV6_ROUTE) | group(RTNLGRP_IPV4_RULE) |
                                  group(RTNLGRP_IPV6_RULE) | group(RTNLGRP_NEXTHOP);

/// The kernel gives an IPv6 address its routes from a work queue: every usable one has them.
bool has_settled(const Snapshot& snapshot) {
  return std::ranges::all_of(snapshot.addresses, [&](const Address& address) {
    if (address.local.family() != Family::v6) return true;
    const Link* link = snapshot.link(address.link);
    if (link == nullptr || !link->up() || !link->carrier()) return true;
    if ((address.flags & IFA_F_DADFAILED) != 0) return true;
    if ((address.flags & IFA_F_TENTATIVE) != 0) return false;
    return std::ranges::any_of(snapshot.routes, [&](const Route& route) {
      return route.table == table_local && route.dst == Prefix::host(address.local.address);
    });
  });
}

/// What happened before it is drained from `events`; what happens after it is an event there.
Result<Snapshot> settled_snapshot(NetlinkKernel& kernel, NetlinkSocket& events) {
  if (auto settled = settle_carriers(); !settled) return fail(settled.error());
  constexpr int most_tries = 500;
  for (int tries = 0;; ++tries) {
    if (auto before = events.drain(); !before) return fail(before.error());
    auto snapshot = kernel.snapshot();
    if (!snapshot || has_settled(*snapshot) || tries == most_tries) return snapshot;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string describe(const Snapshot& snapshot, const Lookup& lookup) {
  std::string text = fmt::format("{} errno {}", name(lookup.verdict), lookup.errnum);
  if (lookup.rule_priority) text += fmt::format(" rule {}", *lookup.rule_priority);
  text += fmt::format(" table {}", lookup.table.value);
  if (lookup.route) text += fmt::format(" route {}", snapshot.routes[*lookup.route].dst.str());
  if (lookup.gateway) text += fmt::format(" via {}", lookup.gateway->str());
  if (lookup.link.value != 0) text += fmt::format(" dev {}", snapshot.link_name(lookup.link));
  if (lookup.source) text += fmt::format(" src {}", lookup.source->str());
  if (lookup.candidates.size() > 1)
    text += fmt::format(" ({} candidates)", lookup.candidates.size());
  return text;
}

/// RTM_GETROUTE of a received IPv6 packet judges neither its addresses nor forwarding.
Lookup as_the_kernel_answers(const Fib& fib, const Flow& flow) {
  if (!flow.iif) return fib.output(flow);
  return flow.dst.is_v4() ? fib.input(flow) : fib.forward(flow);
}

class Trial {
 public:
  Trial(NetlinkSocket socket, FibLookup tables, Tally* tally)
      : socket_(std::move(socket)), tables_(std::move(tables)), tally_(tally) {}

  Result<std::vector<Mismatch>> ask(const Snapshot& snapshot, const std::vector<Query>& queries) {
    std::vector<Mismatch> mismatches;
    std::vector<Flow> flows;
    std::vector<const Query*> asked;
    for (const Query& query : queries) {
      if (const auto flow = flow_of(snapshot, query)) {
        flows.push_back(as_asked(*flow));
        asked.push_back(&query);
      }
    }
    const auto answers = ask_kernel(socket_, flows);
    if (!answers) return fail(answers.error());
    const auto matches = match_in_kernel(socket_, flows);
    if (!matches) return fail(matches.error());
    const Fib fib(snapshot);
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const Lookup lookup = as_the_kernel_answers(fib, flows[i]);
      const auto note = [&](std::string oracle, std::string differs) {
        if (differs.empty()) return;
        mismatches.push_back({*asked[i], std::move(oracle), std::move(differs),
                              describe(snapshot, lookup),
                              retour::describe(snapshot, (*answers)[i])});
      };
      const std::size_t before = mismatches.size();
      note("answer", difference(snapshot, lookup, (*answers)[i]));
      if (before == mismatches.size()) note("matched", difference(snapshot, lookup, (*matches)[i]));
      std::uint64_t steps = 0;
      if (before == mismatches.size() && flows[i].dst.is_v4()) {
        auto differs = tables_.difference(snapshot, lookup, steps);
        if (!differs) return fail(differs.error());
        note("table", std::move(*differs));
      }
      if (tally_ != nullptr) count(snapshot, lookup, (*answers)[i], steps);
    }
    return mismatches;
  }

 private:
  void count(const Snapshot& snapshot, const Lookup& lookup, const Answer& answer,
             std::uint64_t steps) const {
    tally_->count(snapshot, lookup);
    tally_->steps_asked += steps;
    if (lookup.candidates.size() > 1 &&
        (answer.link != lookup.link || answer.gateway != lookup.gateway)) {
      ++tally_->not_first;
    }
    if (answer.errnum == 0) ++tally_->matches_asked;
  }

  NetlinkSocket socket_;
  FibLookup tables_;
  Tally* tally_;
};

}  // namespace

Result<Tried> try_host(const Script& script, const AskAbout& queries, Tally* tally,
                       bool kernel_alone) {
  if (unshare(CLONE_NEWNET) != 0) {
    return fail({ErrorKind::permission, errno, "make a network namespace", std::strerror(errno),
                 "run it as root"});
  }
  auto built = build(script);
  if (!built) return fail(built.error());
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(kernel.error());
  auto events = NetlinkSocket::open();
  if (!events) return fail(events.error());
  if (auto subscribed = events->subscribe(watched); !subscribed) return fail(subscribed.error());
  constexpr int most_tries = 20;
  for (int tries = 0; tries < most_tries; ++tries) {
    auto snapshot = settled_snapshot(**kernel, *events);
    if (!snapshot) return fail(snapshot.error());
    auto socket = NetlinkSocket::open();
    if (!socket) return fail(socket.error());
    auto tables = FibLookup::open();
    if (!tables) return fail(tables.error());
    Tally counted;
    const std::vector<Query> asked = queries(*snapshot);
    std::vector<Mismatch> mismatches;
    if (kernel_alone) {
      std::vector<Flow> flows;
      for (const Query& query : asked) {
        if (const auto flow = flow_of(*snapshot, query)) flows.push_back(as_asked(*flow));
      }
      const auto answers = ask_kernel(*socket, flows);
      if (!answers) return fail(answers.error());
      counted.queries += answers->size();
    } else {
      auto found = Trial(std::move(*socket), std::move(*tables), &counted).ask(*snapshot, asked);
      if (!found) return fail(found.error());
      mismatches = std::move(*found);
    }
    const auto moved = events->drain();
    if (!moved) return fail(moved.error());
    if (*moved) {
      if (tally != nullptr) ++tally->moved;
      continue;
    }
    if (tally != nullptr) {
      counted.mismatches = mismatches.size();
      if (snapshot->hidden.custom_rules_v4 == false) counted.hosts_without_custom_rules = 1;
      tally->add(counted);
    }
    return Tried{std::move(mismatches), std::move(*built)};
  }
  return fail({ErrorKind::changed, 0, "ask a host", "it kept changing", {}});
}

}  // namespace retour::differential
