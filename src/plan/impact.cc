// SPDX-License-Identifier: Apache-2.0
//
// Which flows a plan moves. One representative stands for each class of flows (plan/flow_classes),
// and only what the changes can reach is looked up before and after (plan/touched). Per source and
// selector that is the whole address space, exactly.
#include "plan/impact.h"

#include <algorithm>
#include <set>

#include "model/fib.h"
#include "plan/flow_classes.h"
#include "plan/touched.h"

namespace retour {

namespace {

bool decided_by_ours(const Snapshot& host, const Lookup& way) {
  return std::ranges::any_of(host.rules, [&](const Rule& rule) {
    return rule.ours() && rule.from && rule.priority == way.rule_priority &&
           rule.family == way.flow.dst.family();
  });
}

/// A rule that someone else made for these flows is policy: none of our business.
bool by_policy(const Snapshot& before, const Lookup& way) {
  return way.table.value != 0 && way.table != table_main && way.table != table_default &&
         !decided_by_ours(before, way);
}

/// What main may know of these destinations without knowing better than the subnet: a route to it,
/// or of what is behind gateways to the wire of a member.
std::uint8_t no_better(const SharedSubnet& subnet, const Prefix& destinations) {
  std::uint8_t length = subnet.prefix.length;
  for (const SharedSubnet::Member& member : subnet.members) {
    if (!subnet.routed() || member.subnet.contains(destinations)) {
      length = std::max(length, member.subnet.length);
    }
  }
  return length;
}

/// What is being cured: flows of an address in our care to what is in our care that now take the
/// address's own door, as long as main decided them, and by nothing better; and what went by a
/// route or rule of ours that is taken back.
bool is_cure(const Snapshot& before, const Snapshot& after, std::span<const SharedSubnet> cured,
             const std::optional<Ip>& source, const Prefix& destinations, const Lookup& old_way,
             const Lookup& new_way) {
  if (!source || by_policy(before, old_way)) return false;
  const bool ours = decided_by_ours(before, old_way);
  if (ours && !decided_by_ours(after, new_way)) return true;
  const std::uint8_t known = old_way.route ? before.routes[*old_way.route].dst.length : 0;
  const auto no_better_known = [&](const SharedSubnet& subnet) {
    return subnet.prefix.contains(destinations) && known <= no_better(subnet, destinations);
  };
  const auto own_door = [&](const SharedSubnet& subnet) {
    return std::ranges::any_of(subnet.members, [&](const SharedSubnet::Member& member) {
      return member.address == source && member.link == new_way.link;
    });
  };
  // A gateway of main is a better way than none.
  const bool loses_gateway = !ours && old_way.gateway && !new_way.gateway;
  return !loses_gateway && std::ranges::any_of(cured, no_better_known) &&
         std::ranges::any_of(cured, own_door);
}

class Comparison {
 public:
  Comparison(const Snapshot& before, const Snapshot& after, std::span<const SharedSubnet> cured)
      : before_(before), after_(after), was_(before), is_(after), cured_(cured) {}

  void run(const FlowClasses& classes, const Touched& touched) {
    impact.classes += classes.count();
    for (const Flow& kind : classes.sent()) {
      for (const FlowClasses::Sender& sender : classes.senders())
        sent(classes, touched, kind, sender);
    }
    for (const Flow& kind : classes.forwarded()) {
      for (const FlowClasses::Origin& origin : classes.origins()) {
        Flow flow = kind;
        flow.src = origin.address;
        flow.dst = Ip(origin.address.family(), 0);
        each(classes, touched, touched.by(flow), flow,
             [&](const Prefix& to, Lookup old_way, Lookup new_way) {
               // What is delivered here is for diagnose(); this is about where packets go.
               if (old_way.verdict == Verdict::local) return;
               impact.changed.push_back(
                   {flow.src, origin.prefix, to, std::move(old_way), std::move(new_way), false});
             });
      }
    }
  }

  Impact impact;

 private:
  void sent(const FlowClasses& classes, const Touched& touched, const Flow& kind,
            const FlowClasses::Sender& sender) {
    const Family family = classes.destinations().front().prefix.family();
    Flow flow = kind;
    flow.src = sender.address.value_or(Ip(family, 0));
    flow.dst = Ip(family, 0);
    std::vector<const Touched::Part*> parts = touched.by(flow);
    if (!sender.address && family == Family::v6) {
      // A socket without a source that gets no answer is given one and asks again.
      for (const FlowClasses::Sender& other : classes.senders()) {
        if (!other.address) continue;
        Flow again = flow;
        again.src = *other.address;
        const auto more = touched.by(again);
        parts.insert(parts.end(), more.begin(), more.end());
      }
    }
    const auto note = [&](const Prefix& to, Lookup old_way, Lookup new_way) {
      const bool cure = is_cure(before_, after_, cured_, sender.address, to, old_way, new_way);
      impact.changed.push_back(
          {sender.address, std::nullopt, to, std::move(old_way), std::move(new_way), cure});
    };
    if (!sender.only_bound) each(classes, touched, parts, flow, note);
    for (const IfIndex device : classes.devices()) {
      if (sender.only_bound && device != *sender.only_bound) continue;
      flow.oif = device;
      each(classes, touched, parts, flow, note);
    }
  }

  /// note(destinations, before, after) for each class of destinations whose way differs.
  template <class Note>
  void each(const FlowClasses& classes, const Touched& touched,
            const std::vector<const Touched::Part*>& parts, Flow flow, const Note& note) {
    const auto all = classes.destinations();
    std::vector<std::size_t> reached;
    const auto reach = [&](const Prefix& prefix) {
      const auto [first, last] = classes.within(prefix);
      for (std::size_t i = first; i < last; ++i) reached.push_back(i);
    };
    if (touched.everything()) reach(Prefix::all(flow.dst.family()));
    for (const Touched::Part* part : parts) {
      if (part->concerns(flow.oif)) reach(part->prefix);
    }
    if (reached.empty()) return;
    std::ranges::sort(reached);
    reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
    const auto was = was_.decider(flow);
    const auto is = is_.decider(flow);
    // Of a socket bound to a device. An IPv6 one without a source that gets no answer is given one
    // that depends on the destination: then no class stands for another.
    const bool has_source = flow.dst.is_v4() || !flow.src.is_unspecified();
    std::set<std::size_t> same;
    for (const std::size_t i : reached) {
      if (all[i].of_link && !flow.oif) continue;
      flow.dst = all[i].address;
      const bool known = flow.oif && all[i].as_around(*flow.oif) && same.contains(*all[i].around);
      const bool stays = known || (!touched.everything() &&
                                   same_decision(touched, was(flow.dst), is(flow.dst), flow));
      if (stays) {
        if (flow.oif) same.insert(i);
        continue;
      }
      Lookup old_way = way(was_, flow);
      Lookup new_way = way(is_, flow);
      if (same_way(old_way, new_way)) {
        if (flow.oif && has_source) same.insert(i);
      } else {
        note(all[i].prefix, std::move(old_way), std::move(new_way));
      }
    }
  }

  /// One route of a table that is what it was, or two of one leg that is the same for a sender who
  /// is known: all that follows from it is the same.
  [[nodiscard]] static bool same_decision(const Touched& touched, const Decision& was,
                                          const Decision& is, const Flow& flow) {
    if (touched.forgets() || was.errnum != is.errnum || was.verdict != is.verdict) return false;
    if (was.errnum != 0) return flow.dst.is_v4() || !flow.src.is_unspecified();
    const auto alone = [&](const Decision& decision) {
      return decision.verdict == Verdict::unicast && decision.legs.size() == 1 &&
             !decision.leg->gateway && decision.route->nexthop_id == 0;
    };
    if (!flow.iif && flow.oif && !flow.src.is_unspecified() && alone(was) && alone(is) &&
        was.leg->link == is.leg->link) {
      return true;
    }
    // The table is that of the route: while local and main are one, a decision names the latter.
    return touched.same_table(was.route->table) && *was.route == *is.route &&
           was.route->nexthop_id == 0;
  }

  [[nodiscard]] static Lookup way(const Fib& fib, const Flow& flow) {
    if (flow.iif) return fib.forward(flow);
    return flow.dst.is_v4() ? fib.output(flow) : fib.v6().connect(flow);
  }

  const Snapshot& before_;
  const Snapshot& after_;
  Fib was_;
  Fib is_;
  std::span<const SharedSubnet> cured_;
};

}  // namespace

// Routes are not compared: their numbers are those of two snapshots.
bool same_way(const Lookup& a, const Lookup& b) {
  const auto like = [](const Way& x, const Way& y) {
    return x.link == y.link && x.gateway == y.gateway && x.source == y.source;
  };
  const auto all_in = [&](const std::vector<Way>& some, const std::vector<Way>& others) {
    return std::ranges::all_of(some, [&](const Way& x) {
      return std::ranges::any_of(others, [&](const Way& y) { return like(x, y); });
    });
  };
  return a.verdict == b.verdict && a.errnum == b.errnum && a.or_errnum == b.or_errnum &&
         a.link == b.link && a.gateway == b.gateway && a.source == b.source &&
         all_in(a.candidates, b.candidates) && all_in(b.candidates, a.candidates);
}

Impact impact(const Snapshot& before, const Snapshot& after, std::span<const SharedSubnet> cured,
              std::span<const Prefix> apart) {
  Comparison comparison(before, after, cured);
  for (const Family family : {Family::v4, Family::v6}) {
    const auto asked = [family](const Rule& rule) { return rule.family == family; };
    if (std::ranges::none_of(before.rules, asked)) continue;
    comparison.run(FlowClasses(before, after, family, apart), Touched(before, after, family));
  }
  std::ranges::stable_sort(comparison.impact.changed, {}, &PathChange::expected);
  return std::move(comparison.impact);
}

}  // namespace retour
