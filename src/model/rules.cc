// SPDX-License-Identifier: Apache-2.0
#include "model/rules.h"

#include <algorithm>
#include <utility>

namespace retour {

namespace {

constexpr IfIndex no_such_link{~0U};  // a detached name: equals no index

constexpr std::uint32_t bit(Selector selector) { return 1U << static_cast<unsigned>(selector); }

/// The rules of a fresh namespace; while no other was ever added the kernel does not consult them.
bool only_default_rules(std::span<const RuleList::Entry> entries, Family family) {
  std::vector<std::pair<std::uint32_t, TableId>> seen;
  for (const RuleList::Entry& entry : entries) {
    const Rule& rule = *entry.rule;
    Rule plain;
    plain.family = family;
    plain.priority = rule.priority;
    plain.table = rule.table;
    plain.protocol = rule.protocol;
    if (rule != plain) return false;
    seen.emplace_back(rule.priority, rule.table);
  }
  std::vector<std::pair<std::uint32_t, TableId>> fresh{{0, table_local}, {32766, table_main}};
  // IPv6 does not notice that one of its own is deleted.
  if (family == Family::v6) return std::ranges::includes(fresh, seen);
  fresh.emplace_back(32767, table_default);
  return seen == fresh;
}

std::uint32_t selectors_of(const Rule& rule) {
  std::uint32_t bits = 0;
  const auto has = [&bits](bool there, Selector selector) { bits |= there ? bit(selector) : 0; };
  has(!rule.iif.empty(), Selector::iif);
  has(!rule.oif.empty(), Selector::oif);
  has(rule.fwmask != 0, Selector::fwmark);
  has(rule.tun_id != 0, Selector::tun_id);
  has(rule.l3mdev, Selector::l3mdev);
  has(rule.uid.has_value(), Selector::uid);
  has(rule.from && rule.from->length != 0, Selector::from);
  has(rule.to && rule.to->length != 0, Selector::to);
  has(rule.tos != 0, Selector::tos);
  has(rule.dscp.has_value(), Selector::dscp);
  has(rule.ip_proto != 0, Selector::ip_proto);
  has(rule.sport.has_value(), Selector::sport);
  has(rule.dport.has_value(), Selector::dport);
  has(rule.flowlabel_mask != 0, Selector::flowlabel);
  return bits;
}

bool port_matches(const Range<std::uint16_t>& range, std::uint16_t mask, std::uint16_t port) {
  if (mask != 0xffff) return ((range.first ^ port) & mask) == 0;
  return range.contains(port);
}

}  // namespace

int error_of(RouteType type) {
  switch (type) {
    case RouteType::unspec:
    case RouteType::blackhole:
    case RouteType::nat:
    case RouteType::xresolve:
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

Verdict verdict_of(RouteType type) {
  switch (type) {
    case RouteType::local:
      return Verdict::local;
    case RouteType::broadcast:
      return Verdict::broadcast;
    case RouteType::multicast:
      return Verdict::multicast;
    case RouteType::anycast:
      return Verdict::anycast;
    default:
      return Verdict::unicast;
  }
}

Verdict verdict_of_error(int errnum) {
  switch (errnum) {
    case EACCES:
      return Verdict::prohibit;
    case EINVAL:
      return Verdict::blackhole;
    default:
      return Verdict::unreachable;
  }
}

RuleList::RuleList(const Snapshot& snapshot, Family family) : snapshot_(snapshot), family_(family) {
  const auto resolve = [&](const std::string& name, bool detached) {
    const Link* link = detached ? nullptr : snapshot.link(name);
    return link != nullptr ? link->index : no_such_link;
  };
  for (std::uint32_t i = 0; i < snapshot.rules.size(); ++i) {
    const Rule& rule = snapshot.rules[i];
    if (rule.family != family) continue;
    Entry entry;
    entry.rule = &rule;
    entry.index = i;
    entry.selectors = selectors_of(rule);
    if (!rule.iif.empty()) entry.iif = resolve(rule.iif, rule.iif_detached);
    if (!rule.oif.empty()) entry.oif = resolve(rule.oif, rule.oif_detached);
    if (rule.from) {
      entry.from = rule.from->address.bits();
      entry.from_mask = mask_bits(family, rule.from->length);
    }
    if (rule.to) {
      entry.to = rule.to->address.bits();
      entry.to_mask = mask_bits(family, rule.to->length);
    }
    if (rule.action == RuleAction::lookup) {
      const auto known = std::ranges::find(tables_, rule.table);
      entry.slot = static_cast<std::uint32_t>(known - tables_.begin());
      if (known == tables_.end()) tables_.push_back(rule.table);
    }
    // Rules on protocol or ports make the kernel dissect what it receives, unless they are for lo.
    const bool dissects = rule.ip_proto != 0 || rule.sport || rule.dport;
    dissects_ = dissects_ || (dissects && rule.iif != "lo");
    if (!rule.oif.empty() || (!rule.iif.empty() && rule.iif != "lo")) blind_to_links_ = false;
    entries_.push_back(entry);
  }
  custom_ = !only_default_rules(entries_, family);
  resolve_gotos();
}

void RuleList::resolve_gotos() {
  for (Entry& entry : entries_) {
    if (entry.rule->action != RuleAction::goto_) continue;
    const auto target = std::ranges::find(entries_, entry.rule->goto_target,
                                          [](const Entry& e) { return e.rule->priority; });
    if (target != entries_.end()) {
      entry.jump = static_cast<std::size_t>(target - entries_.begin());
    }
  }
}

Selector RuleList::mismatch(const Entry& entry, const Flow& flow, bool received) const {
  const Rule& rule = *entry.rule;
  const auto asks = [&entry](Selector selector) { return (entry.selectors & bit(selector)) != 0; };
  if (asks(Selector::iif) && entry.iif != flow.iif.value_or(loopback_index)) return Selector::iif;
  if (asks(Selector::oif) && entry.oif != flow.oif.value_or(IfIndex{})) return Selector::oif;
  if (((rule.fwmark ^ flow.mark) & rule.fwmask) != 0) return Selector::fwmark;
  if (asks(Selector::tun_id) && rule.tun_id != flow.tun_id) return Selector::tun_id;
  if (asks(Selector::l3mdev)) return Selector::l3mdev;  // VRF members are not modelled
  if (asks(Selector::uid) && !rule.uid->contains(flow.uid)) return Selector::uid;
  if (asks(Selector::from)) {
    // IPv6 knows that a flow has no source yet; for IPv4 it is the number 0.0.0.0.
    const bool unset = family_ == Family::v6 && !received && flow.src.is_unspecified();
    if (unset || ((entry.from ^ flow.src.bits()) & entry.from_mask) != 0) return Selector::from;
  }
  if (((entry.to ^ flow.dst.bits()) & entry.to_mask) != 0) return Selector::to;
  if (asks(Selector::tos)) {
    const unsigned seen = family_ == Family::v4 ? flow.tos & 0x1cU : flow.tos & 0xfcU;
    if (rule.tos != seen) return Selector::tos;
  }
  if (asks(Selector::dscp) && ((*rule.dscp ^ (flow.tos >> 2U)) & rule.dscp_mask) != 0) {
    return Selector::dscp;
  }
  if (asks(Selector::ip_proto) && rule.ip_proto != flow.ip_proto) return Selector::ip_proto;
  if (asks(Selector::sport) && !port_matches(*rule.sport, rule.sport_mask, flow.sport)) {
    return Selector::sport;
  }
  if (asks(Selector::dport) && !port_matches(*rule.dport, rule.dport_mask, flow.dport)) {
    return Selector::dport;
  }
  if (((rule.flowlabel ^ flow.flowlabel) & rule.flowlabel_mask) != 0) return Selector::flowlabel;
  return Selector::none;
}

RuleList RuleList::narrowed(const Flow& flow) const {
  RuleList kept(*this);
  kept.entries_.clear();
  std::vector<std::size_t> place(entries_.size());  // in `kept`, of this rule or the next kept one
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    place[i] = kept.entries_.size();
    Entry entry = entries_[i];
    const bool by_destination = (entry.selectors & bit(Selector::to)) != 0;
    entry.to_mask = 0;
    const bool rest_matches = mismatch(entry, flow) == Selector::none;
    if (!by_destination && rest_matches == entry.rule->invert) continue;  // never matches
    if (!rest_matches && !entry.rule->invert) continue;
    if (rest_matches) {
      entry.selectors = by_destination ? bit(Selector::to) : 0;
    }
    entry.to_mask = entries_[i].to_mask;
    kept.entries_.push_back(entry);
  }
  for (Entry& entry : kept.entries_) {
    if (entry.jump) entry.jump = place[*entry.jump];
  }
  return kept;
}

Flow RuleList::seen(Flow flow) const {
  if (!flow.iif) return flow;
  flow.oif.reset();
  flow.uid = 0;
  if (dissects_) return flow;
  if (family_ == Family::v4) flow.ip_proto = 0;  // IPv6 knows it without looking into the packet
  flow.sport = 0;
  flow.dport = 0;
  return flow;
}

bool RuleList::suppressed(const Rule& rule, const Found& found) const {
  const Route& route = snapshot_.routes[found.route];
  const std::uint8_t length = found.length.value_or(route.dst.length);
  if (rule.suppress_prefixlength && length <= *rule.suppress_prefixlength) return true;
  if (!rule.suppress_ifgroup) return false;
  // IPv4 looks at the route's first leg, whichever is taken; IPv6 at the one taken.
  const bool first = family_ == Family::v4 && !found.legs.empty();
  const NextHop* leg = first ? &found.legs.front() : found.leg;
  const Link* link = leg != nullptr ? snapshot_.link(leg->link) : nullptr;
  return link != nullptr && link->group == *rule.suppress_ifgroup;
}

}  // namespace retour
