// SPDX-License-Identifier: Apache-2.0
#include "diagnose/remedies.h"

#include <algorithm>
#include <array>

#include "model/fib.h"
#include "model/scope6.h"

namespace retour {

namespace {

constexpr std::uint32_t usual_priority = 31000;  // as plans have it

std::optional<std::int32_t> told(const Snapshot& host, const std::optional<IfIndex>& link,
                                 Conf conf) {
  const Link* found = link ? host.link(*link) : nullptr;
  return found != nullptr ? found->conf.get(conf) : host.conf_all.get(conf);
}

std::optional<std::int32_t> told(const Snapshot& host, const std::optional<IfIndex>& link,
                                 Conf6 conf) {
  const Link* found = link ? host.link(*link) : nullptr;
  return found != nullptr ? found->conf6.get(conf) : host.conf6_all.get(conf);
}

template <class Key>
std::int32_t value_of(const Snapshot& host, const std::optional<IfIndex>& link, Key conf) {
  return told(host, link, conf).value_or(info(conf).kernel_value);
}

void set(Snapshot& host, const Setting& setting) {
  Link* link = nullptr;
  if (setting.link) {
    const auto it = std::ranges::find(host.links, *setting.link, &Link::index);
    if (it == host.links.end()) return;
    link = &*it;
  }
  if (const Conf* conf = std::get_if<Conf>(&setting.conf)) {
    (link != nullptr ? link->conf : host.conf_all).set(*conf, setting.after);
  } else {
    const Conf6 conf6 = std::get<Conf6>(setting.conf);
    (link != nullptr ? link->conf6 : host.conf6_all).set(conf6, setting.after);
  }
}

/// An id that no rule and no route has; the model does not care which.
TableId unused_table(const Snapshot& host) {
  TableId id{100};
  const auto used = [&](TableId table) {
    return std::ranges::find(host.rules, table, &Rule::table) != host.rules.end() ||
           std::ranges::find(host.routes, table, &Route::table) != host.routes.end();
  };
  while (used(id)) ++id.value;
  return id;
}

/// The longest prefix of the host's own subnets inside this one: no longer route of main is any
/// better knowledge.
std::uint8_t longest_within(const Snapshot& host, const Prefix& prefix) {
  std::uint8_t longest = prefix.length;
  if (longest == 0) return longest;
  for (const Address& address : host.addresses) {
    const Prefix subnet = address.subnet();
    const bool alone = subnet.length == width(subnet.family());
    if (!alone && prefix.contains(subnet)) longest = std::max(longest, subnet.length);
  }
  return longest;
}

void add(Snapshot& host, const OwnTable& own) {
  const Family family = own.from.family();
  const TableId table = unused_table(host);
  Route route;
  route.dst = own.to;
  route.table = table;
  route.scope = own.gateway ? scope_global : scope_link;
  route.prefsrc = own.from;
  route.next_hops.push_back(NextHop{own.link, own.gateway, 0, 1});
  host.routes.push_back(route);
  // Behind the rules for local addresses, and where there is room before most of the others.
  Rule rule;
  rule.family = family;
  rule.priority = usual_priority;
  auto place = host.rules.begin();
  for (auto it = host.rules.begin(); it != host.rules.end(); ++it) {
    if (it->family != family) continue;
    const bool local = it->action == RuleAction::lookup && it->table == table_local;
    if (it->priority < usual_priority || local) place = std::next(it);
    if (local) rule.priority = std::max(rule.priority, it->priority);
  }
  Rule guard = rule;
  guard.to = own.to;
  guard.table = table_main;
  guard.suppress_prefixlength = longest_within(host, own.to);
  rule.from = Prefix::host(own.from);
  rule.table = table;
  host.rules.insert(place, {guard, rule});
  (family == Family::v4 ? host.hidden.custom_rules_v4 : host.hidden.custom_rules_v6) = true;
}

/// The link that alone has this address.
std::optional<IfIndex> owner(const Snapshot& host, const Ip& ip) {
  std::optional<IfIndex> only;
  for (const Address& address : host.addresses) {
    if (address.local.address != ip) continue;
    if (only && *only != address.link) return std::nullopt;
    only = address.link;
  }
  return only;
}

/// Links of routes that were passed over for want of carrier.
std::vector<IfIndex> without_carrier(const Snapshot& host, const Explanation& found) {
  std::vector<IfIndex> links;
  for (const auto* tables : {&found.tables, &found.way_back}) {
    for (const TableAsked& asked : *tables) {
      for (const Considered& route : asked.routes) {
        if (route.outcome != RouteOutcome::linkdown) continue;
        for (const NextHop& leg : host.routes[route.route].next_hops) {
          if (std::ranges::find(links, leg.link) == links.end()) links.push_back(leg.link);
        }
      }
    }
  }
  return links;
}

class Trial {
 public:
  Trial(const Snapshot& now, const Explanation& found)
      : now_(now), flow_(found.lookup.flow), before_(found.lookup) {}

  /// Kept when the flow then passes.
  template <class Key>
  bool conf(IfIndex link, Key conf, std::int32_t wanted) {
    Remedy remedy;
    remedy.settings = settings_for(now_, link, conf, wanted);
    return !remedy.settings.empty() &&
           keep(std::move(remedy), [](const Lookup& then) { return then.ok(); });
  }
  bool everywhere(Conf6 conf, std::int32_t wanted) {
    Remedy remedy;
    remedy.settings = {{conf, std::nullopt, value_of(now_, std::nullopt, conf), wanted}};
    return remedy.settings.front().before != wanted &&
           keep(std::move(remedy), [](const Lookup& then) { return then.ok(); });
  }
  /// Kept when the flow then passes, or leaves by the table's link.
  void own(const std::optional<OwnTable>& table) {
    if (!table) return;
    Remedy remedy;
    remedy.own_table = table;
    keep(std::move(remedy), [&](const Lookup& then) {
      return then.ok() && (flow_.iif || (then.link == table->link && then.one_link()));
    });
  }
  /// Kept when the verdict is then another.
  void otherwise(IfIndex link, Conf conf, std::int32_t value) {
    Remedy remedy;
    remedy.settings = {{conf, link, value_of(now_, link, conf), value}};
    keep(std::move(remedy), [&](const Lookup& then) { return then.verdict != before_.verdict; });
  }
  [[nodiscard]] std::vector<Remedy> take() { return std::move(kept_); }

 private:
  template <class Good>
  bool keep(Remedy remedy, const Good& good) {
    const Snapshot host = with(now_, remedy);
    const Lookup then = Fib(host).look(flow_);
    if (!good(then)) return false;
    remedy.verdict = then.verdict;
    remedy.link = then.link;
    kept_.push_back(std::move(remedy));
    return true;
  }

  const Snapshot& now_;
  const Flow& flow_;
  const Lookup& before_;
  std::vector<Remedy> kept_;
};

void try_carrier(const Snapshot& now, const Explanation& found, Trial& trial) {
  for (const IfIndex down : without_carrier(now, found)) {
    if (found.lookup.flow.dst.is_v4()) {
      trial.conf(down, Conf::ignore_routes_with_linkdown, 0);
    } else {
      trial.conf(down, Conf6::ignore_routes_with_linkdown, 0);
    }
  }
}

void try_input4(const Snapshot& now, const Explanation& found, Trial& trial) {
  const Flow& flow = found.lookup.flow;
  const IfIndex link = flow.iif.value_or(loopback_index);
  // Loose where it suffices: no filter at all is the lesser remedy.
  if (!trial.conf(link, Conf::rp_filter, 2)) trial.conf(link, Conf::rp_filter, 0);
  for (const Conf conf : {Conf::accept_local, Conf::route_localnet, Conf::forwarding}) {
    trial.conf(link, conf, 1);
  }
  if (flow.mark != 0) trial.conf(link, Conf::src_valid_mark, 1);
  if (!flow.src.is_unspecified()) trial.own(own_table(now, flow.dst, link, flow.src));
}

void try_input6(const Snapshot& now, const Explanation& found, Trial& trial) {
  const IfIndex link = found.lookup.flow.iif.value_or(loopback_index);
  trial.conf(link, Conf6::disable_ipv6, 0);
  // Packets go by that of `all`, whatever the device's own says.
  trial.everywhere(Conf6::forwarding, 1);
  if (now.release() >= Release{6, 17}) trial.conf(link, Conf6::force_forwarding, 1);
}

void try_output(const Snapshot& now, const Explanation& found, Trial& trial) {
  const Flow& flow = found.lookup.flow;
  if (!found.lookup.ok()) {
    try_carrier(now, found, trial);
    if (found.lookup.route && flow.src.is_v4() && flow.src.is_loopback()) {
      for (const NextHop& leg : now.routes[*found.lookup.route].next_hops) {
        trial.conf(leg.link, Conf::route_localnet, 1);
      }
    }
  }
  if (flow.oif || flow.src.is_unspecified()) return;
  const auto mine = owner(now, flow.src);
  if (!mine || (found.lookup.ok() && found.lookup.link == *mine && found.lookup.one_link())) return;
  if (found.lookup.ok() && found.lookup.verdict != Verdict::unicast) return;
  trial.own(own_table(now, flow.src, *mine, flow.dst));
}

/// The scopes to write for an effective value, fewest first.
template <class Key>
std::vector<Setting> settings(const Snapshot& now, IfIndex link, Key conf, std::int32_t wanted) {
  if (now.effective(link, conf).value == wanted) return {};
  const std::int32_t of_device = value_of(now, link, conf);
  const std::int32_t of_all = value_of(now, std::nullopt, conf);
  const Setting device{conf, link, of_device, wanted};
  const Setting all{conf, std::nullopt, of_all, wanted};
  // Of what `all` and the device say together, each may have to move.
  bool both = false;
  switch (info(conf).combine) {
    case Combine::device:
      break;
    case Combine::max:  // the device alone can raise it
      both = of_all > wanted;
      break;
    case Combine::either:
      both = wanted == 0;
      break;
    case Combine::both:
      both = wanted != 0;
      break;
  }
  if (!both) return {device};
  std::vector<Setting> moved;
  if (of_all != wanted) moved.push_back(all);
  const bool low_enough = info(conf).combine == Combine::max && of_device <= wanted;
  if (of_device != wanted && !low_enough) moved.push_back(device);
  return moved;
}

}  // namespace

std::vector<Setting> settings_for(const Snapshot& now, IfIndex link, Conf conf,
                                  std::int32_t wanted) {
  return settings(now, link, conf, wanted);
}

std::vector<Setting> settings_for(const Snapshot& now, IfIndex link, Conf6 conf,
                                  std::int32_t wanted) {
  return settings(now, link, conf, wanted);
}

std::optional<OwnTable> own_table(const Snapshot& now, const Ip& from, IfIndex link, const Ip& to) {
  // The kernel takes no route by a link that is down, and what is sent without carrier is lost.
  const Link* door = now.link(link);
  if (door == nullptr || !door->up() || !door->carrier()) return std::nullopt;
  std::optional<Prefix> subnet;
  for (const Address& address : now.addresses) {
    if (address.link != link || address.local.address != from) continue;
    subnet = address.subnet();
    if (subnet->contains(to)) return OwnTable{from, *subnet, link, std::nullopt};
  }
  if (!subnet) return std::nullopt;  // not an address of that link
  for (const Route& route : now.routes) {
    if (!route.dst.contains(to)) continue;
    for (const NextHop& leg : route.next_hops) {
      if (leg.link != link || !leg.gateway) continue;
      if (subnet->contains(*leg.gateway) || is_link_local6(*leg.gateway)) {
        return OwnTable{from, Prefix::all(from.family()), link, leg.gateway};
      }
    }
  }
  return std::nullopt;
}

void forget_untold(const Snapshot& now, std::vector<Remedy>& remedies) {
  for (Remedy& remedy : remedies) {
    for (Setting& setting : remedy.settings) {
      const auto known =
          std::visit([&](auto conf) { return told(now, setting.link, conf); }, setting.conf);
      if (!known) setting.before.reset();
    }
  }
}

Snapshot with(Snapshot host, const Remedy& remedy) {
  for (const Setting& setting : remedy.settings) set(host, setting);
  if (remedy.own_table) add(host, *remedy.own_table);
  return host;
}

std::vector<Remedy> remedies(const Snapshot& now, const Explanation& found) {
  Trial trial(now, found);
  if (found.lookup.flow.iif) {
    if (!found.lookup.ok()) {
      try_carrier(now, found, trial);
      found.lookup.flow.dst.is_v4() ? try_input4(now, found, trial) : try_input6(now, found, trial);
    }
  } else {
    try_output(now, found, trial);
  }
  std::vector<Remedy> kept = trial.take();
  forget_untold(now, kept);
  return kept;
}

std::vector<Remedy> if_set(const Snapshot& now, const Explanation& found) {
  const Flow& flow = found.lookup.flow;
  Trial trial(now, found);
  if (!flow.iif || !flow.dst.is_v4()) return {};
  constexpr std::array switches{Conf::accept_local, Conf::route_localnet, Conf::forwarding};
  if (const EffectiveConf filter = now.effective(*flow.iif, Conf::rp_filter); !filter.known) {
    for (const std::int32_t value : {0, 1, 2}) {
      if (value != filter.value) trial.otherwise(*flow.iif, Conf::rp_filter, value);
    }
  }
  for (const Conf conf : switches) {
    if (!now.effective(*flow.iif, conf).known) trial.otherwise(*flow.iif, conf, 1);
  }
  std::vector<Remedy> kept = trial.take();
  forget_untold(now, kept);
  return kept;
}

}  // namespace retour
