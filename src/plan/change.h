// SPDX-License-Identifier: Apache-2.0
//
// One change to a host, its inverse, and its effect on a snapshot. The rehearsal applies the same
// values that the kernel port gets: nothing is planned that cannot be taken back.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "model/snapshot.h"

namespace retour {

struct AddRoute {
  Route route;
};
struct DeleteRoute {
  Route route;
};
struct AddRule {
  Rule rule;
};
struct DeleteRule {
  Rule rule;
};
/// net.ipv4.conf.LINK.CONF = after. Never `all`, never `default`.
struct SetConf {
  IfIndex link{};
  std::string link_name;
  Conf conf{};
  std::int32_t before{};
  std::int32_t after{};
};

struct Change {
  std::variant<AddRoute, DeleteRoute, AddRule, DeleteRule, SetConf> operation;
  std::string why;
};

/// The same rule to the kernel: what it computes (detached, unresolved) apart.
[[nodiscard]] bool same_rule(const Rule& a, const Rule& b);
/// The same of a route; metrics and flags of its legs are not looked at.
[[nodiscard]] bool same_route(const Route& a, const Route& b);

[[nodiscard]] Change inverse(const Change& change);
/// What takes `done` back: the inverse of each, last first.
[[nodiscard]] std::vector<Change> inverses(std::span<const Change> done);

/// What is left to do on this host to take `changes` back, however many of them were made, in the
/// order of inverses(): what was to be added and is there is deleted, what was to be deleted and is
/// missing is added, a sysctl that has our value gets its old one. Empty once it was done; what
/// others made or set since is not touched.
[[nodiscard]] std::vector<Change> way_back(const Snapshot& now, std::span<const Change> changes);

/// The snapshot after the changes, as the kernel would have it (order of rules and of routes of one
/// prefix included). Deleting what is not there changes nothing.
[[nodiscard]] Snapshot rehearse(Snapshot now, std::span<const Change> changes);

}  // namespace retour
