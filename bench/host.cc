// SPDX-License-Identifier: Apache-2.0
#include "bench/host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "bench/process.h"
#include "plan/describe.h"

namespace retour::bench {

namespace {

constexpr std::uint32_t first_index = 100;

std::string build_text(const std::vector<Nic>& nics, const std::string& far) {
  std::string text = "link set lo up\n";
  const auto pair = [&](const std::string& name, std::uint32_t index) {
    text += fmt::format("link add {} index {} type veth peer name {} netns {}\nlink set {} up\n",
                        name, index, name, far, name);
  };
  pair("mgmt0", first_index - 1);
  text += "address add 10.80.0.2/24 dev mgmt0\n";
  std::uint32_t metric = 105;
  for (const Nic& nic : nics) {
    pair(nic.name, nic.index.value);
    text += fmt::format("address add {}/{} dev {} noprefixroute\n", nic.address.str(),
                        fabric.length, nic.name);
    text += fmt::format("route add {} dev {} scope link src {} metric {}\n", fabric.str(), nic.name,
                        nic.address.str(), metric++);
    text += fmt::format("neighbour add {} lladdr 02:00:00:00:00:01 dev {} nud permanent\n",
                        fabric_peer.str(), nic.name);
  }
  return text;
}

std::string raise_text(const std::vector<Nic>& nics) {
  std::string text = "link set mgmt0 up\n";
  for (const Nic& nic : nics) text += fmt::format("link set {} up\n", nic.name);
  return text;
}

}  // namespace

BenchHost::BenchHost(unsigned nics)
    : netns_(fmt::format("rt-bench-{}-host", getpid())),
      far_(fmt::format("rt-bench-{}-far", getpid())) {
  for (std::uint32_t i = 0; i < nics; ++i) {
    nics_.push_back({fmt::format("nic{}", i), IfIndex{first_index + i},
                     Ip::v4(fabric.address.v4_bits() + 256 + i), TableId{1000 + i}, 2000 + i});
  }
}

BenchHost::BenchHost(BenchHost&& other) noexcept
    : netns_(std::exchange(other.netns_, {})),
      far_(std::exchange(other.far_, {})),
      nics_(std::move(other.nics_)) {}

BenchHost::~BenchHost() {
  // A veth goes with its other end, so the first removal already empties the second namespace. An
  // error here is said by ip itself; there is nobody left to tell.
  for (const auto& name : {netns_, far_}) {
    if (!name.empty()) (void)run({"ip", "netns", "delete", name});
  }
}

Result<BenchHost> BenchHost::build(unsigned nics) {
  BenchHost host(nics);
  // A new namespace takes its sysctls from the initial one, which may have any; with these the host
  // is ill on flat segments and on rails.
  const std::vector<std::string> settings{
      "sh", "-c",
      "cd /proc/sys/net && for c in all default; do"
      " [ ! -d ipv6 ] || echo 1 >ipv6/conf/$c/disable_ipv6; echo 1 >ipv4/conf/$c/rp_filter;"
      " echo 1 >ipv4/conf/$c/arp_ignore; echo 0 >ipv4/conf/$c/arp_filter; done"};
  for (const auto& name : {host.far_, host.netns_}) {
    auto done = run_well({"ip", "netns", "add", name});
    if (!done) return fail(done.error());
    std::vector<std::string> inside{"ip", "netns", "exec", name};
    inside.insert(inside.end(), settings.begin(), settings.end());
    done = run_well(inside);
    if (!done) return fail(done.error());
  }
  // Routes need carrier to be found by lookups, so the far ends go up before the cure is measured.
  auto done = run_well({"ip", "-n", host.netns_, "-batch", "-"}, build_text(host.nics_, host.far_));
  if (!done) return fail(done.error());
  done = run_well({"ip", "-n", host.far_, "-batch", "-"}, raise_text(host.nics_));
  if (!done) return fail(done.error());
  done = run_well({"ip", "-n", host.netns_, "route", "add", "default", "via", "10.80.0.1"});
  if (!done) return fail(done.error());
  return host;
}

std::vector<Change> BenchHost::cure() const {
  std::vector<Change> changes;
  for (const Nic& nic : nics_) {
    Route connected{.dst = fabric,
                    .src = {},
                    .table = nic.table,
                    .scope = scope_link,
                    .protocol = protocol_retour,
                    .prefsrc = nic.address,
                    .next_hops = {NextHop{.link = nic.index, .gateway = {}}},
                    .other = {}};
    Route gateway = connected;
    gateway.dst = Prefix::all(Family::v4);
    gateway.scope = scope_global;
    gateway.next_hops[0].gateway = fabric_gateway;
    changes.push_back({AddRoute{std::move(connected)}, {}});
    changes.push_back({AddRoute{std::move(gateway)}, {}});
  }
  for (const Nic& nic : nics_) {
    Rule rule;
    rule.priority = nic.priority;
    rule.from = Prefix::host(nic.address);
    rule.table = nic.table;
    rule.protocol = protocol_retour;
    changes.push_back({AddRule{std::move(rule)}, {}});
  }
  return changes;
}

std::string batch_text(const std::vector<Change>& changes, const std::vector<Nic>& nics) {
  Snapshot names;
  for (const Nic& nic : nics) {
    Link& link = names.links.emplace_back();
    link.index = nic.index;
    link.name = nic.name;
  }
  std::string text;
  for (const Change& change : changes) text += ip_command(change, names) + "\n";
  return text;
}

std::vector<Change> inverses(const std::vector<Change>& changes) {
  std::vector<Change> result;
  std::transform(changes.rbegin(), changes.rend(), std::back_inserter(result), inverse);
  return result;
}

}  // namespace retour::bench
