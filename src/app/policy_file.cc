// SPDX-License-Identifier: Apache-2.0
#include "app/policy_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "app/host.h"

namespace retour {

namespace {

std::string usual_place(const std::string& netns) {
  return netns.empty() ? "/etc/retour/retour.toml"
                       : fmt::format("/etc/netns/{}/retour/retour.toml", netns);
}

Result<PolicyText> read_file(const Options& options) {
  const bool named = !options.policy.empty();
  // A snapshot is of some host, and this one's file need not be meant for it.
  if (!named && !options.snapshot.empty()) return PolicyText{};
  const std::string path = named ? options.policy : usual_place(options.netns);
  if (!named && access(path.c_str(), F_OK) != 0 && errno == ENOENT) return PolicyText{};
  auto text = read_input(path);
  if (!text) return fail(std::move(text.error()));
  return policy_from_toml(*text, path == "-" ? "stdin" : path);
}

/// What the command line says goes over what `policy` holds.
Result<void> overlay(const Options& options, Policy& policy) {
  for (const std::string& text : options.peers) {
    const auto ip = Ip::parse(text);
    if (!ip || ip->is_multicast() || ip->is_unspecified() || ip->is_limited_broadcast()) {
      return fail({ErrorKind::usage, 0, fmt::format("--peer {}", text), "not an address of a host",
                   "for example --peer 29.28.204.80"});
    }
    policy.peers.push_back(*ip);
  }
  for (const std::string& text : options.protect) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) {
      return fail({ErrorKind::usage, 0, "--protect " + text, "not an address or a prefix",
                   "for example --protect 10.9.0.0/16 or --protect fd00::17"});
    }
    policy.protect.push_back(prefix->network());
  }
  policy.move_established = options.move_established;
  if (options.segments == "flat") policy.segments = SegmentsFrom::flat;
  if (options.segments == "rails") policy.segments = SegmentsFrom::rails;
  if (options.segments == "auto") policy.segments = SegmentsFrom::snapshot;
  return {};
}

}  // namespace

Result<Policy> command_line_policy(const Options& options) {
  Policy policy;
  if (auto fine = overlay(options, policy); !fine) return fail(std::move(fine.error()));
  return policy;
}

Result<PolicyText> policy_of(const Options& options) {
  auto read = read_file(options);
  if (!read) return read;
  if (auto fine = overlay(options, read->policy); !fine) return fail(std::move(fine.error()));
  return read;
}

Result<void> check_policy(const PolicyText& text, const Snapshot& host) {
  for (const Ip& peer : text.policy.peers) {
    for (const Address& address : host.addresses) {
      if (address.local.address != peer) continue;
      return fail({ErrorKind::usage, 0, "--peer " + peer.str(),
                   "that is this host's own address, on " + host.link_name(address.link),
                   "name an address of another host"});
    }
  }
  return check_links(text, host);
}

}  // namespace retour
