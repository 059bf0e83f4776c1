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
#include "differential/self_check.h"
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

/// Flows that differ from this one in what a multipath hash looks at, and in little else.
std::vector<Query> variations(const Snapshot& snapshot, const Lookup& lookup, const Query& query) {
  constexpr std::size_t how_many = 32;
  std::vector<Query> queries;
  if (!lookup.route) return queries;
  const Prefix prefix = snapshot.routes[*lookup.route].dst;
  const Bits free = mask_bits(prefix.family(), width(prefix.family())) &
                    ~mask_bits(prefix.family(), prefix.length);
  Random random(static_cast<std::uint64_t>(lookup.flow.dst.bits()));
  for (std::size_t i = 0; i < how_many; ++i) {
    Query other = query;
    const Bits low = query.flow.dst.bits() ^ (random.next() & 0xffff);
    other.flow.dst = Ip(prefix.family(), (query.flow.dst.bits() & ~free) | (low & free));
    other.flow.sport = static_cast<std::uint16_t>(random.within(1, 60000));
    queries.push_back(other);
  }
  return queries;
}

/// What the kernel took of one set of ways.
struct Spread {
  std::vector<Way> ways;
  std::vector<bool> taken;
  std::size_t asked{};
  std::string example;
};
/// Fewer questions say nothing about a way that is one of four.
constexpr std::size_t enough_to_tell = 24;

class Trial {
 public:
  Trial(NetlinkSocket socket, FibLookup tables, const Snapshot& snapshot, Tally& tally)
      : socket_(std::move(socket)),
        tables_(std::move(tables)),
        snapshot_(snapshot),
        fib_(snapshot),
        tally_(tally) {}

  Result<Tried> run(const std::vector<Query>& queries) {
    if (!queries.empty()) check_itself(queries.front());
    if (auto asked = ask(queries); !asked) return fail(asked.error());
    const std::vector<Query> more = std::move(sets_);
    probing_ = true;
    if (auto asked = ask(more); !asked) return fail(asked.error());
    for (const Spread& spread : spreads_) {
      if (spread.asked < enough_to_tell) continue;
      note_never_taken(spread);
      tally_.set_members += spread.ways.size();
      tally_.set_members_seen += static_cast<std::uint64_t>(std::ranges::count(spread.taken, true));
    }
    return Tried{std::move(mismatches_), std::move(never_taken_), {}};
  }

 private:
  Result<void> ask(const std::vector<Query>& queries) {
    std::vector<Flow> flows;
    std::vector<const Query*> asked;
    for (const Query& query : queries) {
      if (const auto flow = flow_of(snapshot_, query)) {
        flows.push_back(as_asked(*flow));
        asked.push_back(&query);
      }
    }
    const auto answers = ask_kernel(socket_, flows);
    if (!answers) return fail(answers.error());
    const auto matches = match_in_kernel(socket_, flows);
    if (!matches) return fail(matches.error());
    for (std::size_t i = 0; i < flows.size(); ++i) {
      if (auto compared = compare(*asked[i], flows[i], (*answers)[i], (*matches)[i]); !compared) {
        return compared;
      }
    }
    return {};
  }

  Result<void> compare(const Query& query, const Flow& flow, const Answer& answer,
                       const std::optional<Route>& matched) {
    const Lookup lookup = as_the_kernel_answers(fib_, flow);
    const std::size_t before = mismatches_.size();
    const auto note = [&](std::string oracle, std::string differs) {
      if (differs.empty() || before != mismatches_.size()) return;
      mismatches_.push_back({query, std::move(oracle), std::move(differs),
                             describe(snapshot_, lookup), retour::describe(snapshot_, answer)});
    };
    note("answer", difference(snapshot_, lookup, answer));
    note("matched", difference(snapshot_, lookup, matched));
    if (flow.dst.is_v4()) {
      auto differs = tables_.difference(snapshot_, lookup, tally_.steps_asked);
      if (!differs) return fail(differs.error());
      note("table", std::move(*differs));
    }
    note("considered", wrong_candidates(fib_, lookup));
    note("forward", wrong_forward(fib_, lookup));
    if (++asked_ % 16 == 0) note("intervals", wrong_interval(fib_, flow));
    tally_.count(snapshot_, lookup);
    if (matched) ++tally_.matches_asked;
    if (lookup.candidates.size() > 1) count_set(query, lookup, answer);
    if (lookup.or_errnum != 0 && lookup.ok()) {
      ++tally_.may_be_refused;
      if (answer.errnum == lookup.or_errnum) ++tally_.refused;
    }
    return {};
  }

  void count_set(const Query& query, const Lookup& lookup, const Answer& answer) {
    if (!probing_) {
      const auto more = variations(snapshot_, lookup, query);
      if (sets_.size() < 4 * more.size()) sets_.insert(sets_.end(), more.begin(), more.end());
    }
    auto spread = std::ranges::find(spreads_, lookup.candidates, &Spread::ways);
    if (spread == spreads_.end()) {
      spreads_.push_back(
          {lookup.candidates, std::vector<bool>(lookup.candidates.size()), 0, words(query)});
      spread = spreads_.end() - 1;
    }
    ++spread->asked;
    for (std::size_t i = 0; i < spread->ways.size(); ++i) {
      const Way& way = spread->ways[i];
      if (way.link != answer.link || way.gateway != answer.gateway) continue;
      const bool chosen = !query.flow.iif && query.flow.src.is_unspecified();
      if (!chosen || way.source == answer.source) spread->taken[i] = true;
    }
    if (answer.link != lookup.link || answer.gateway != lookup.gateway) ++tally_.not_first;
  }

  void note_never_taken(const Spread& spread) {
    for (std::size_t i = 0; i < spread.ways.size(); ++i) {
      if (spread.taken[i]) continue;
      const Way& way = spread.ways[i];
      never_taken_.push_back(
          fmt::format("{}: via {} dev {} src {} (of {} ways, asked {} times)", spread.example,
                      way.gateway ? way.gateway->str() : "-", snapshot_.link_name(way.link),
                      way.source ? way.source->str() : "-", spread.ways.size(), spread.asked));
    }
  }

  void check_itself(const Query& query) {
    std::string lost = lost_in_json(snapshot_);
    if (!lost.empty()) mismatches_.push_back({query, "json", std::move(lost), "", ""});
  }

  NetlinkSocket socket_;
  FibLookup tables_;
  const Snapshot& snapshot_;
  Fib fib_;
  Tally& tally_;
  std::vector<Mismatch> mismatches_;
  std::vector<std::string> never_taken_;
  std::vector<Query> sets_;  ///< more questions, about answers that are one of several
  std::vector<Spread> spreads_;
  std::size_t asked_{};
  bool probing_{};
};

Result<Tried> ask_once(const Snapshot& snapshot, const std::vector<Query>& queries, Tally& tally) {
  auto socket = NetlinkSocket::open();
  if (!socket) return fail(socket.error());
  auto tables = FibLookup::open();
  if (!tables) return fail(tables.error());
  return Trial(std::move(*socket), std::move(*tables), snapshot, tally).run(queries);
}

}  // namespace

Result<Built> build_in_new_namespace(const Script& script) {
  if (unshare(CLONE_NEWNET) != 0) {
    return fail({ErrorKind::permission, errno, "make a network namespace", std::strerror(errno),
                 "run it as root"});
  }
  return build(script);
}

Result<Tried> try_host(const Script& script, const AskAbout& queries, Tally* tally) {
  auto built = build_in_new_namespace(script);
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
    Tally counted;
    auto tried = ask_once(*snapshot, queries(*snapshot), counted);
    if (!tried) return fail(tried.error());
    const auto moved = events->drain();
    if (!moved) return fail(moved.error());
    if (*moved) {
      if (tally != nullptr) ++tally->moved;
      continue;
    }
    if (tally != nullptr) {
      counted.mismatches = tried->mismatches.size();
      if (snapshot->hidden.custom_rules_v4 == false) counted.hosts_without_custom_rules = 1;
      tally->add(counted);
    }
    tried->built = std::move(*built);
    return tried;
  }
  return fail({ErrorKind::changed, 0, "ask a host", "it kept changing", {}});
}

}  // namespace retour::differential
