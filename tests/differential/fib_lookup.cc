// SPDX-License-Identifier: Apache-2.0
#include "differential/fib_lookup.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace retour::differential {
namespace {

/// struct fib_result_nl of the kernel's include/net/ip_fib.h.
struct FibResult {
  std::uint32_t address;
  std::uint32_t mark;
  std::uint8_t tos;
  std::uint8_t scope;
  std::uint8_t asked_table;
  std::uint8_t table;
  std::uint8_t prefix_length;
  std::uint8_t leg;
  std::uint8_t type;
  std::uint8_t found_scope;
  std::int32_t error;
};

Error system_error(std::string doing) {
  return {ErrorKind::system, errno, std::move(doing), std::strerror(errno), {}};
}

int error_of(RouteType type) {
  switch (type) {
    case RouteType::blackhole:
      return EINVAL;
    case RouteType::unreachable:
      return EHOSTUNREACH;
    case RouteType::prohibit:
      return EACCES;
    case RouteType::throw_:
      return EAGAIN;
    default:
      return 0;
  }
}

}  // namespace

struct FibLookup::Found {
  int errnum{};
  unsigned prefix_length{};
  unsigned type{};
  unsigned scope{};
};

Result<FibLookup> FibLookup::open() {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_FIB_LOOKUP));
  if (!fd.valid()) return fail(system_error("open a socket of NETLINK_FIB_LOOKUP"));
  return FibLookup(std::move(fd));
}

Result<FibLookup::Found> FibLookup::ask(const Flow& flow, TableId table) const {
  struct {
    nlmsghdr header;
    FibResult body;
  } message{};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_flags = NLM_F_REQUEST;
  message.body.address = htonl(flow.dst.v4_bits());
  message.body.mark = flow.mark;
  message.body.tos = flow.tos;
  message.body.scope = flow.scope;
  message.body.asked_table = static_cast<std::uint8_t>(table.value);
  if (send(fd_.get(), &message, sizeof(message), 0) < 0 ||
      recv(fd_.get(), &message, sizeof(message), 0) < 0) {
    return fail(system_error("ask NETLINK_FIB_LOOKUP"));
  }
  // A table that is not there has nothing, which is what an empty one says.
  const int errnum = message.body.error == -ENOENT ? EAGAIN : -message.body.error;
  return Found{errnum, message.body.prefix_length, message.body.type, message.body.found_scope};
}

Result<std::string> FibLookup::difference(const Snapshot& snapshot, const Lookup& lookup,
                                          std::uint64_t& checked) const {
  auto differs = difference(snapshot, lookup.flow, lookup.steps, lookup.errnum, checked);
  if (!differs || !differs->empty() || !lookup.source_check) return differs;
  const SourceCheck& check = *lookup.source_check;
  differs = difference(snapshot, check.flow, check.steps, check.errnum, checked);
  if (differs && !differs->empty()) *differs = "way back: " + *differs;
  return differs;
}

Result<std::string> FibLookup::difference(const Snapshot& snapshot, const Flow& flow,
                                          const std::vector<Step>& steps, int errnum,
                                          std::uint64_t& checked) const {
  if (flow.oif) return std::string{};
  if (!snapshot.hidden.custom_rules_v4) return std::string{};  // one trie or two: nobody knows
  const bool merged = !*snapshot.hidden.custom_rules_v4;
  for (const Step& step : steps) {
    const Rule& rule = snapshot.rules[step.rule];
    const bool looked = step.outcome == RuleOutcome::no_entry ||
                        step.outcome == RuleOutcome::suppressed ||
                        step.outcome == RuleOutcome::decided;
    if (!looked || rule.action != RuleAction::lookup || rule.table.value > 255) continue;
    // While local is merged into main, steps are told as if they were two; the kernel has one.
    if (merged && !step.route) continue;
    const auto found = ask(flow, merged && rule.table == table_local ? table_main : rule.table);
    if (!found) return fail(found.error());
    ++checked;
    const std::string where = fmt::format("table {} (rule {})", rule.table.value, rule.priority);
    if (!step.route) {
      if (found->errnum == EAGAIN) continue;
      return fmt::format("{}: nothing, the kernel's table says /{} type {} errno {}", where,
                         found->prefix_length, found->type, found->errnum);
    }
    const Route& route = snapshot.routes[*step.route];
    if (errnum == EINVAL && found->errnum == EINVAL) continue;  // a blackhole nexthop object
    const int expected = error_of(route.type);
    if (found->errnum != expected ||
        (expected == 0 &&
         (found->prefix_length != route.dst.length ||
          found->type != static_cast<unsigned>(route.type) || found->scope != route.scope))) {
      return fmt::format("{}: {}, the kernel's table says /{} type {} scope {} errno {}", where,
                         route.dst.str(), found->prefix_length, found->type, found->scope,
                         found->errnum);
    }
  }
  return std::string{};
}

}  // namespace retour::differential
