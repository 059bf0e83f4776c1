// SPDX-License-Identifier: Apache-2.0
#include "plan/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/answer.h"
#include "plan/flow_classes.h"

namespace retour {

namespace {

/// Nothing of it is more than one address in each innermost prefix.
constexpr std::size_t most_of_own = 8;

/// One that is in nothing longer, else its first.
Ip stand_in(const Prefix& outer, const std::set<Prefix>& all) {
  return representative(outer, all).value_or(outer.network().address);
}

class Asking {
 public:
  Asking(const Snapshot& host, const Plan& plan) : host_(host), plan_(plan) {
    for (const Snapshot* each : {&host, &plan.rehearsed}) collect(*each);
    // Of all of its own addresses some will do: the table `local` has one entry for each.
    std::size_t kept[2]{};
    for (const Prefix& prefix : inner_) {
      const bool own = owned_.contains(prefix.address) && prefix.length == width(prefix.family());
      if (own && ++kept[prefix.family() == Family::v4 ? 0 : 1] > most_of_own) continue;
      const Ip ip = stand_in(prefix, inner_);
      if (!ip.is_multicast() && !ip.is_unspecified()) destinations_.push_back(ip);
    }
  }

  /// What changes first.
  std::vector<Flow> changing() {
    for (const PathChange& path : plan_.impact.changed) add(path.before.flow);
    for (const RoundTrip& trip : plan_.after.round_trips) {
      add(from(trip.local, trip.peer));
      Flow arriving = from(trip.peer, trip.local);
      if (trip.arrives_on) arriving.iif = trip.arrives_on;
      if (arriving.iif) add(arriving);
    }
    return std::move(flows_);
  }

  std::vector<Flow> others() {
    for (const Ip& destination : destinations_) {
      add(from(Ip(destination.family(), 0), destination));
      for (const Ip& own : owned_) {
        if (own.family() == destination.family()) add(from(own, destination));
      }
      for (const Link& link : host_.links) {
        Flow bound = from(Ip(destination.family(), 0), destination);
        bound.oif = link.index;
        add(bound);
      }
    }
    for (const Snapshot* each : {&host_, &plan_.rehearsed}) {
      for (const Rule& rule : each->rules) selected_by(rule);
    }
    for (const Address& address : host_.addresses) arriving_at(address);
    return std::move(flows_);
  }

 private:
  static Flow from(const Ip& source, const Ip& destination) {
    Flow flow;
    flow.src = source;
    flow.dst = destination;
    return flow;
  }

  void collect(const Snapshot& host) {
    for (const Family family : {Family::v4, Family::v6}) inner_.insert(Prefix::all(family));
    for (const Address& address : host.addresses) owned_.insert(address.local.address);
    for (const Route& route : host.routes) inner_.insert(route.dst.network());
    for (const Rule& rule : host.rules) {
      if (rule.to) inner_.insert(rule.to->network());
    }
  }

  void add(const Flow& flow) { flows_.push_back(as_asked(flow)); }

  void selected_by(const Rule& rule) {
    Flow flow;
    if (rule.fwmask != 0) flow.mark = rule.fwmark & rule.fwmask;
    if (rule.dscp) flow.tos = static_cast<std::uint8_t>(*rule.dscp << 2U);
    if (rule.tos != 0) flow.tos = rule.tos;
    if (rule.ip_proto == proto_tcp || rule.ip_proto == proto_udp) flow.ip_proto = rule.ip_proto;
    if (rule.sport) flow.sport = rule.sport->first;
    if (rule.dport) flow.dport = rule.dport->first;
    if (rule.uid) flow.uid = rule.uid->first;
    const Link* iif = host_.link(rule.iif);
    if (iif != nullptr && !iif->loopback()) flow.iif = iif->index;
    if (const Link* oif = host_.link(rule.oif)) flow.oif = oif->index;
    flow.src = rule.from ? rule.from->address : Ip(rule.family, 0);
    if (flow.iif && flow.src.is_unspecified()) return;  // no packet arrives from nobody
    std::size_t some = 0;
    for (const Ip& destination : destinations_) {
      const bool meant =
          destination.family() == rule.family && (!rule.to || rule.to->contains(destination));
      if (!meant || ++some > most_of_own) continue;
      flow.dst = destination;
      add(flow);
    }
  }

  /// From a neighbour, by the address's own link and by the next one: the gates.
  void arriving_at(const Address& address) {
    const Link* own = host_.link(address.link);
    if (own == nullptr || own->loopback() || own->noarp()) return;
    const Ip peer = stand_in(address.subnet(), inner_);
    if (peer.is_unspecified() || owned_.contains(peer)) return;
    const auto next = std::ranges::find_if(
        host_.links, [&](const Link& link) { return link.index > own->index && !link.loopback(); });
    for (const Link* link : {own, next != host_.links.end() ? &*next : own}) {
      Flow flow = from(peer, address.local.address);
      flow.iif = link->index;
      add(flow);
    }
  }

  const Snapshot& host_;
  const Plan& plan_;
  std::set<Prefix> inner_;
  std::set<Ip> owned_;
  std::vector<Ip> destinations_;
  std::vector<Flow> flows_;
};

}  // namespace

std::vector<Flow> flows_to_ask(const Snapshot& host, const Plan& plan, std::size_t most) {
  Asking asking(host, plan);
  std::vector<Flow> flows = asking.changing();
  const std::vector<Flow> others = asking.others();
  const std::size_t room = most > flows.size() ? most - flows.size() : 0;
  if (others.size() <= room) {
    flows.insert(flows.end(), others.begin(), others.end());
    return flows;
  }
  for (std::size_t i = 0; i < room; ++i) flows.push_back(others[i * others.size() / room]);
  return flows;
}

std::string words_for(const Flow& flow, const Snapshot& host) {
  std::string text = flow.dst.str();
  if (!flow.src.is_unspecified()) text += " from " + flow.src.str();
  if (flow.iif) text += " iif " + host.link_name(*flow.iif);
  if (flow.oif) text += " oif " + host.link_name(*flow.oif);
  if (flow.mark != 0) text += fmt::format(" mark {:#x}", flow.mark);
  if (flow.tos != 0) text += fmt::format(" tos {:#x}", flow.tos);
  if (flow.uid != 0) text += fmt::format(" uid {}", flow.uid);
  // What an IPv4 question has anyway.
  const bool plain = flow.ip_proto == 0 || (flow.dst.is_v4() && flow.ip_proto == proto_udp);
  if (!plain) text += fmt::format(" ipproto {}", flow.ip_proto);
  if (flow.sport != 0) text += fmt::format(" sport {}", flow.sport);
  if (flow.dport != 0) text += fmt::format(" dport {}", flow.dport);
  return text;
}

std::string objection(const Rehearsal& rehearsal) {
  if (rehearsal.differences.empty()) return {};
  const Difference& first = rehearsal.differences.front();
  const std::size_t more = rehearsal.differences.size() - 1;
  return fmt::format(
      "in the rehearsal a kernel {} does not do what the model says, {} the changes: {}: the model "
      "says {}, the kernel {}{}; please report it with `retour snapshot`",
      rehearsal.kernel, first.after ? "after" : "before", first.what, first.model, first.kernel,
      more == 0 ? "" : fmt::format(" (and {} more)", more));
}

}  // namespace retour
