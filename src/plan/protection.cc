// SPDX-License-Identifier: Apache-2.0
#include "plan/protection.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "model/fib.h"

namespace retour {

namespace {

constexpr std::uint16_t ssh_port = 22;

std::string endpoint(const Ip& ip, std::uint16_t port) {
  return fmt::format(fmt::runtime(ip.is_v4() ? "{}:{}" : "[{}]:{}"), ip.str(), port);
}

bool is_ssh(const Connection& connection) {
  return connection.of_operator || connection.local_port == ssh_port ||
         connection.peer_port == ssh_port;
}

/// "would leave by enp1s0 instead of eno1".
std::string instead(const Snapshot& host, const Lookup& before, const Lookup& after) {
  const std::string old_way = describe_way(host, before);
  if (!after.ok()) {
    return fmt::format("would have no way ({}) instead of {}", name(after.verdict), old_way);
  }
  return fmt::format("would leave by {} instead of {}", describe_way(host, after), old_way);
}

/// "10.0.0.5", "10.0.0.0/8", "any source".
std::string senders(const PathChange& path) {
  if (path.senders) return path.senders->length == 0 ? "anyone" : path.senders->str();
  return path.source ? path.source->str() : "unbound sockets";
}

}  // namespace

std::string describe(const Connection& connection) {
  const std::string here = endpoint(connection.local, connection.local_port);
  const std::string there = endpoint(connection.peer, connection.peer_port);
  // The side with the well-known port was called.
  const bool called = connection.of_operator || connection.local_port <= connection.peer_port;
  return fmt::format("{} from {} to {}", is_ssh(connection) ? "SSH" : "TCP", called ? there : here,
                     called ? here : there);
}

std::string describe_way(const Snapshot& host, const Lookup& lookup) {
  if (!lookup.ok()) return std::string(name(lookup.verdict));
  std::string text = host.link_name(lookup.link);
  if (lookup.gateway) text += " via " + lookup.gateway->str();
  return text;
}

std::vector<MovedConnection> moved_connections(const Snapshot& before, const Snapshot& after,
                                               std::span<const Connection> connections) {
  const Fib was(before);
  const Fib is(after);
  const auto way = [](const Fib& fib, const Flow& flow) {
    return flow.dst.is_v4() ? fib.output(flow) : fib.v6().connect(flow);
  };
  std::vector<Connection> ordered(connections.begin(), connections.end());
  std::ranges::sort(ordered, {}, [](const Connection& c) {
    return std::tuple(!c.of_operator, c.local_port != ssh_port, c.local, c.local_port, c.peer,
                      c.peer_port);
  });
  std::vector<MovedConnection> moved;
  for (const Connection& connection : ordered) {
    if (connection.peer.is_loopback() || connection.local.is_loopback()) continue;
    if (was.owns(connection.peer)) continue;
    Lookup old_way = way(was, connection.flow());
    Lookup new_way = way(is, connection.flow());
    if (same_way(old_way, new_way)) continue;
    moved.push_back({connection, std::move(old_way), std::move(new_way)});
  }
  return moved;
}

std::optional<Danger> endangered(const Snapshot& host, const Policy& policy, const Impact& impact) {
  for (const PathChange& path : impact.changed) {
    for (const Prefix& prefix : policy.protect) {
      if (!prefix.contains(path.destinations)) continue;
      return Danger{fmt::format("it would move what is protected ({}): from {} to {} {}",
                                prefix.str(), senders(path), path.destinations.str(),
                                instead(host, path.before, path.after)),
                    "no flow to a protected prefix may change its path, be it cured or not"};
    }
  }
  if (policy.move_established || !impact.connections || impact.connections->empty()) return {};
  const MovedConnection& first = impact.connections->front();
  const std::size_t others = impact.connections->size() - 1;
  std::string reason =
      fmt::format("it would move {}: {} {}",
                  first.connection.of_operator ? "your own login" : "an established connection",
                  describe(first.connection), instead(host, first.before, first.after));
  if (others > 0) reason += fmt::format(", and {} more", others);
  return Danger{std::move(reason),
                "TCP survives a change of NIC in general; to allow it say --move-established, and "
                "with apply --confirm-within SECS, which takes the change back by itself"};
}

}  // namespace retour
