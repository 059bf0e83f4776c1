// SPDX-License-Identifier: Apache-2.0
#include "differential/arp_trial.h"

#include <fmt/format.h>

#include <algorithm>

#include "differential/arp_wire.h"
#include "differential/pool.h"
#include "model/arp.h"
#include "model/fib.h"
#include "os/kernel_netlink.h"

namespace retour::differential {
namespace {

/// The wire of "n3" is "m3".
const Link* wire_of(const Snapshot& snapshot, const Link& link) {
  if (link.name.front() != 'n') return nullptr;
  const Link* far = snapshot.link(std::string_view("m" + link.name.substr(1)));
  const bool works = far != nullptr && link.up() && link.carrier() && far->up() && far->carrier();
  return works ? far : nullptr;
}

/// A word, so that mismatches under different modes are of different kinds.
std::string_view ignore_words(const Fib& fib, IfIndex link) {
  switch (fib.conf(link, Conf::arp_ignore).value) {
    case 0:
      return "nothing";
    case 1:
      return "other links";
    case 2:
      return "other links and subnets";
    case 3:
      return "scope host";
    case 8:
      return "everything";
    default:
      return "nothing known";
  }
}

Result<std::vector<Mismatch>> compare(const Snapshot& snapshot, const std::vector<Query>& queries,
                                      Tally& tally) {
  std::vector<WireRequest> requests;
  std::vector<const Query*> asked;
  for (const Query& query : queries) {
    const Link* link = snapshot.link(std::string_view(query.iif));
    const Link* far = link != nullptr ? wire_of(snapshot, *link) : nullptr;
    if (far == nullptr) continue;
    requests.push_back({link->index, far->index, query.flow.src, query.flow.dst});
    asked.push_back(&query);
  }
  auto wire = ArpWire::open();
  if (!wire) return fail(wire.error());
  const auto answered = wire->ask(requests);
  if (!answered) return fail(answered.error());
  if (auto forgotten = forget_neighbors(); !forgotten) return fail(forgotten.error());
  const Fib fib(snapshot);
  std::vector<IfIndex> links;
  for (const Link& link : snapshot.links) links.push_back(link.index);
  std::vector<Mismatch> mismatches;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const WireRequest& request = requests[i];
    const bool answers = (*answered)[i];
    const ArpRequest broadcast{request.sender, request.target};
    const ArpReception heard = hear_arp(fib, broadcast, {request.link}).front();
    const auto on_all = hear_arp(fib, broadcast, links);
    if (std::ranges::find(on_all, heard) == on_all.end()) {
      mismatches.push_back({*asked[i], "arp", "the link says otherwise when all hear it", "", ""});
    }
    ++tally.arp_requests;
    if (answers) ++tally.arp_answered;
    if (answers && heard.proxy) ++tally.arp_proxied;
    if (!heard.certain) ++tally.arp_undetermined;
    ++tally.arp_silent[heard.answers ? 0 : static_cast<std::size_t>(heard.silent_because)];
    if (heard.answers == answers || !heard.certain) continue;
    const auto said = [](bool does) { return does ? "answers" : "is silent"; };
    mismatches.push_back(
        {*asked[i], "arp",
         fmt::format("the link {} ({}), the kernel's {}{} (ignore {})", said(heard.answers),
                     name(heard.silent_because), said(answers),
                     request.sender.is_unspecified() ? ", a probe for duplicates" : "",
                     ignore_words(fib, request.link)),
         said(heard.answers), said(answers)});
  }
  return mismatches;
}

}  // namespace

std::string arp_words(const Query& query) {
  return fmt::format("arp on {}: who has {} tell {}", query.iif, query.flow.dst.str(),
                     query.flow.src.str());
}

std::vector<Query> make_arp_queries(Random& random, const Snapshot& snapshot, std::size_t count) {
  std::vector<std::string> links;
  for (const Link& link : snapshot.links) {
    if (wire_of(snapshot, link) != nullptr) links.push_back(link.name);
  }
  if (links.empty()) return {};
  // The flows of a routing test ask about the same addresses; few senders, for each is learnt.
  std::vector<Query> queries = make_queries(random, snapshot, Family::v4, count);
  std::vector<Ip> senders;
  for (const Query& query : make_queries(random, snapshot, Family::v4, 5)) {
    senders.push_back(query.flow.dst);
  }
  for (const Address& address : snapshot.addresses) {
    if (address.local.family() == Family::v4) senders.push_back(near(random, address.subnet()));
  }
  std::vector<Ip> own;
  for (const Address& address : snapshot.addresses) {
    if (address.local.family() == Family::v4) own.push_back(address.local.address);
  }
  for (Query& query : queries) {
    Query request;
    request.flow.src = random.chance(6) ? Ip{} : random.of(senders);
    request.flow.dst = !own.empty() && random.chance(50) ? random.of(own) : query.flow.dst;
    request.iif = random.of(links);
    query = std::move(request);
  }
  return queries;
}

Result<Tried> try_arp_host(const Script& script, const AskAbout& queries, Tally* tally) {
  auto built = build_in_new_namespace(script);
  if (!built) return fail(built.error());
  if (auto settled = settle_carriers(); !settled) return fail(settled.error());
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(kernel.error());
  const auto snapshot = (*kernel)->snapshot();
  if (!snapshot) return fail(snapshot.error());
  Tally counted;
  auto mismatches = compare(*snapshot, queries(*snapshot), counted);
  if (!mismatches) return fail(mismatches.error());
  counted.mismatches = mismatches->size();
  if (tally != nullptr) tally->add(counted);
  return Tried{std::move(*mismatches), {}, std::move(*built)};
}

}  // namespace retour::differential
