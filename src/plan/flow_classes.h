// SPDX-License-Identifier: Apache-2.0
//
// The flows of one family cut into classes that are decided alike, with one flow for each. Prefixes
// nest or are disjoint, so all destinations whose innermost prefix in play (of any route or rule,
// before or after) is the same are one class.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "model/flow.h"
#include "model/snapshot.h"

namespace retour {

/// An address in `outer` and in no longer prefix of `all`; nothing when those fill it.
/// REQUIRES: all are network prefixes, and so is `outer`.
[[nodiscard]] std::optional<Ip> representative(const Prefix& outer, const std::set<Prefix>& all);

class FlowClasses {
 public:
  FlowClasses(const Snapshot& before, const Snapshot& after, Family family,
              std::span<const Prefix> apart);

  struct Destination {
    Prefix prefix;
    Ip address;      ///< the representative
    bool of_link{};  ///< means another host on each link: only for sockets bound to one
    /// The class around it, as a position. For a socket that is bound to a link which no route to
    /// exactly this prefix leaves by, both are decided alike.
    std::optional<std::size_t> around{};
    bool any_device{};               ///< not so for any link
    std::vector<IfIndex> devices{};  ///< else, links of such routes
    [[nodiscard]] bool as_around(IfIndex device) const;
  };
  /// Unicast, in order of prefix.
  [[nodiscard]] std::span<const Destination> destinations() const { return destinations_; }
  /// Those within `prefix`, as positions [first, last).
  [[nodiscard]] std::pair<std::size_t, std::size_t> within(const Prefix& prefix) const;

  struct Sender {
    std::optional<Ip> address;          ///< absent: an unbound socket
    std::optional<IfIndex> only_bound;  ///< a link-local one: of a socket bound to this link
  };
  [[nodiscard]] std::span<const Sender> senders() const { return senders_; }

  /// Flows that differ in what rules select by besides addresses and oif: one that meets each rule
  /// of others and one that meets none. Pairs of rules need none of their own: the first that
  /// matches decides, and that rule's own flow shows it.
  [[nodiscard]] std::span<const Flow> sent() const { return sent_; }
  /// Links that a rule or a route names, and one that stands for all others.
  [[nodiscard]] std::span<const IfIndex> devices() const { return devices_; }

  /// The same of packets to be forwarded, `iif` among it: links that forward.
  [[nodiscard]] std::span<const Flow> forwarded() const { return forwarded_; }
  struct Origin {
    Prefix prefix;
    Ip address;
  };
  /// Senders of forwarded packets; none of this host's addresses.
  [[nodiscard]] std::span<const Origin> origins() const { return origins_; }

  [[nodiscard]] std::size_t count() const;

 private:
  void collect_senders(const Snapshot& host);
  void collect_devices(const Snapshot& before, const Snapshot& after);
  void make_flows(const Snapshot& host, const std::vector<const Rule*>& foreign);

  Family family_;
  std::vector<Destination> destinations_;
  std::vector<Sender> senders_;
  std::vector<Flow> sent_;
  std::vector<IfIndex> devices_;
  std::vector<Flow> forwarded_;
  std::vector<Origin> origins_;
};

}  // namespace retour
