// SPDX-License-Identifier: Apache-2.0
#include "differential/query.h"

#include <fmt/format.h>

#include <cstdlib>

#include "differential/pool.h"

namespace retour::differential {
namespace {

/// What rules and routes ask for, and what lies just beside it.
struct Interests {
  std::vector<Ip> own;
  std::vector<Ip> gateways;
  std::vector<Prefix> prefixes;
  std::vector<Prefix> sources;
  std::vector<std::string> links;
  std::vector<std::uint32_t> marks{0, 1, 5};
  std::vector<std::uint8_t> tos{0x10, 0x04, 0xb8};
  std::vector<std::uint32_t> uids{0, 1000};
  std::vector<std::uint8_t> protocols;
  std::vector<std::uint16_t> sports{1000, 1};
  std::vector<std::uint16_t> dports{53, 80};
  std::vector<std::uint32_t> flowlabels{1, 2, 0xfffff};

  Interests(const Snapshot& snapshot, Family family) {
    protocols = family == Family::v4 ? std::vector<std::uint8_t>{17, 17, 6, 1}
                                     : std::vector<std::uint8_t>{0, 0, 17, 6, 58};
    for (const Link& link : snapshot.links) links.push_back(link.name);
    for (const Address& address : snapshot.addresses) {
      if (address.local.family() != family) continue;
      own.push_back(address.local.address);
      prefixes.push_back(address.subnet());
    }
    for (const Route& route : snapshot.routes) {
      if (route.family() != family) continue;
      prefixes.push_back(route.dst);
      if (route.src) sources.push_back(*route.src);
      if (route.prefsrc) own.push_back(*route.prefsrc);
      if (route.tos != 0) tos.push_back(route.tos);
      for (const NextHop& leg : route.next_hops) {
        if (leg.gateway && leg.gateway->family() == family) gateways.push_back(*leg.gateway);
      }
    }
    for (const Rule& rule : snapshot.rules) {
      if (rule.family == family) note(rule);
    }
  }

 private:
  static void edges(const std::optional<Range<std::uint16_t>>& range, std::uint16_t mask,
                    std::vector<std::uint16_t>& out) {
    if (!range) return;
    out.insert(out.end(), {range->first, range->last});
    out.push_back(static_cast<std::uint16_t>(range->first - 1));
    out.push_back(static_cast<std::uint16_t>(range->last + 1));
    out.push_back(static_cast<std::uint16_t>(range->first | static_cast<std::uint16_t>(~mask)));
  }
  void note(const Rule& rule) {
    if (rule.from) sources.push_back(*rule.from);
    if (rule.to) prefixes.push_back(*rule.to);
    if (rule.fwmask != 0) {
      marks.insert(marks.end(),
                   {rule.fwmark, rule.fwmark, rule.fwmark | ~rule.fwmask, rule.fwmark ^ 1U});
    }
    if (rule.tos != 0) {
      tos.insert(tos.end(), {rule.tos, static_cast<std::uint8_t>(rule.tos | 0xe3U)});
    }
    if (rule.dscp) {
      tos.push_back(static_cast<std::uint8_t>(*rule.dscp << 2U));
      tos.push_back(static_cast<std::uint8_t>((*rule.dscp | (~rule.dscp_mask & 0x3fU)) << 2U));
    }
    if (rule.uid) {
      uids.insert(uids.end(), {rule.uid->first, rule.uid->last, rule.uid->last + 1});
    }
    if (rule.ip_proto == 6 || rule.ip_proto == 17) {
      protocols.insert(protocols.end(), 3, rule.ip_proto);
    }
    if (rule.flowlabel_mask != 0) flowlabels.insert(flowlabels.end(), {rule.flowlabel, 0x13});
    edges(rule.sport, rule.sport_mask, sports);
    edges(rule.dport, rule.dport_mask, dports);
  }
};

Ip destination(Random& random, const Interests& interests, Family family) {
  const auto kind = random.below(100);
  if (kind < 16 && !interests.own.empty()) return random.of(interests.own);
  if (kind < 68 && !interests.prefixes.empty()) return near(random, random.of(interests.prefixes));
  if (kind < 72 && !interests.gateways.empty()) return random.of(interests.gateways);
  if (kind < 76 && !interests.sources.empty()) return near(random, random.of(interests.sources));
  if (kind < 90) return pool_address(random, family);
  return special_address(random, family);
}

/// Of a packet that this host sends: its own, or nothing yet.
Ip local_source(Random& random, const Interests& interests, Family family) {
  const auto kind = random.below(100);
  if (kind < 38) return Ip(family, 0);
  if (kind < 89 && !interests.own.empty()) return random.of(interests.own);
  if (kind < 94 && !interests.prefixes.empty()) return near(random, random.of(interests.prefixes));
  if (kind < 98) return pool_address(random, family);
  return special_address(random, family);
}

Ip remote_source(Random& random, const Interests& interests, Family family) {
  const auto kind = random.below(100);
  if (kind < 4) return Ip(family, 0);
  if (kind < 7 && !interests.own.empty()) return random.of(interests.own);
  if (kind < 24 && !interests.sources.empty()) return near(random, random.of(interests.sources));
  if (kind < 70 && !interests.prefixes.empty()) return near(random, random.of(interests.prefixes));
  if (kind < 75 && !interests.gateways.empty()) return random.of(interests.gateways);
  if (kind < 96) return pool_address(random, family);
  return special_address(random, family);
}

Query make_query(Random& random, const Interests& interests, Family family) {
  Query query;
  Flow& flow = query.flow;
  const bool input = random.chance(48);
  flow.dst = destination(random, interests, family);
  flow.src =
      input ? remote_source(random, interests, family) : local_source(random, interests, family);
  const std::string link = random.chance(1) ? "#999" : random.of(interests.links);
  if (input) {
    query.iif = link;
  } else if (random.chance(22)) {
    query.oif = link;
  }
  if (random.chance(40)) flow.mark = random.of(interests.marks);
  if (random.chance(35)) flow.tos = random.of(interests.tos);
  if (random.chance(30)) flow.uid = random.of(interests.uids);
  flow.ip_proto = random.of(interests.protocols);
  if (random.chance(45)) flow.sport = random.of(interests.sports);
  if (random.chance(45)) flow.dport = random.of(interests.dports);
  if (family == Family::v6 && random.chance(40)) flow.flowlabel = random.of(interests.flowlabels);
  return query;
}

std::optional<IfIndex> index_of(const Snapshot& snapshot, const std::string& name) {
  if (name.front() == '#') {
    return IfIndex{static_cast<std::uint32_t>(std::strtoul(name.c_str() + 1, nullptr, 10))};
  }
  const Link* link = snapshot.link(std::string_view(name));
  return link != nullptr ? std::optional(link->index) : std::nullopt;
}

}  // namespace

std::string words(const Query& query) {
  const Flow& flow = query.flow;
  std::string text = "ip route get " + flow.dst.str();
  if (!flow.src.is_unspecified()) text += " from " + flow.src.str();
  if (!query.iif.empty()) text += " iif " + query.iif;
  if (!query.oif.empty()) text += " oif " + query.oif;
  if (flow.mark != 0) text += fmt::format(" mark {:#x}", flow.mark);
  if (flow.tos != 0) text += fmt::format(" tos {:#04x}", flow.tos);
  if (flow.uid != 0) text += fmt::format(" uid {}", flow.uid);
  if (flow.ip_proto != 0) text += fmt::format(" ipproto {}", flow.ip_proto);
  if (flow.flowlabel != 0) text += fmt::format(" flowlabel {:#x}", flow.flowlabel);
  if (flow.sport != 0) text += fmt::format(" sport {}", flow.sport);
  if (flow.dport != 0) text += fmt::format(" dport {}", flow.dport);
  return text;
}

std::optional<Flow> flow_of(const Snapshot& snapshot, const Query& query) {
  Flow flow = query.flow;
  if (!query.iif.empty()) flow.iif = index_of(snapshot, query.iif);
  if (!query.oif.empty()) flow.oif = index_of(snapshot, query.oif);
  if (flow.iif.has_value() == query.iif.empty() || flow.oif.has_value() == query.oif.empty()) {
    return std::nullopt;
  }
  return flow;
}

std::vector<Query> make_queries(Random& random, const Snapshot& snapshot, Family family,
                                std::size_t count) {
  std::vector<Query> queries;
  const Interests interests(snapshot, family);
  if (interests.links.empty()) return queries;
  queries.reserve(count);
  while (queries.size() < count) queries.push_back(make_query(random, interests, family));
  return queries;
}

}  // namespace retour::differential
