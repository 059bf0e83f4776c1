// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "os/clone_parts.h"
#include "plan/likeness.h"

namespace retour {
namespace {

constexpr std::uint8_t onlink = 4;

/// Routes that stand or fall together: their order is part of the host.
using Group = std::vector<const Route*>;

bool by_others(const Route& route) {
  return route.nexthop_id != 0 || std::ranges::any_of(route.next_hops, [](const NextHop& leg) {
           return leg.gateway.has_value();
         });
}

/// Adding one by hand would set a bit of the kernel that the host may not have; what IPv6 makes for
/// its addresses has a metric (0) that nobody else can give.
bool set_by_hand(const Route& route, const HiddenBits& hidden) {
  if (route.family() == Family::v6 && route.metric == 0) return false;
  return route.type != RouteType::local || route.family() == Family::v6 ||
         route.protocol != protocol_kernel || hidden.custom_local_routes_v4.value_or(false);
}

Route with_onlink(Route route) {
  for (NextHop& leg : route.next_hops) {
    if (leg.gateway) leg.flags |= onlink;
  }
  return route;
}

void delete_routes(const CloneSite& site, const std::vector<const Route*>& routes) {
  CloneMessages messages(site.socket);
  for (const Route* route : routes) {
    messages.add(encoded_bound(*route), [&](MessageBatch& batch, std::uint32_t sequence) {
      batch.delete_route(*route, sequence);
    });
  }
  static_cast<void>(messages.finish());
}

/// A group at a time or not at all; why not, by the group.
std::map<const Group*, std::vector<std::string>> add_groups(const CloneSite& site,
                                                            const std::vector<const Group*>& groups,
                                                            bool with_link) {
  CloneMessages messages(site.socket);
  for (const Group* group : groups) {
    for (const Route* route : *group) {
      messages.add(encoded_bound(*route), [&](MessageBatch& batch, std::uint32_t sequence) {
        batch.append_route(with_link ? with_onlink(*route) : *route, sequence);
      });
    }
  }
  const auto outcomes = messages.finish();
  std::map<const Group*, std::vector<std::string>> refused;
  std::vector<const Route*> taken_of_refused;
  std::size_t next = 0;
  for (const Group* group : groups) {
    const std::vector<std::string> of_group(
        outcomes.begin() + static_cast<std::ptrdiff_t>(next),
        outcomes.begin() + static_cast<std::ptrdiff_t>(next + group->size()));
    next += group->size();
    if (std::ranges::all_of(of_group, &std::string::empty)) continue;
    refused[group] = of_group;
    for (std::size_t i = 0; i < group->size(); ++i) {
      if (of_group[i].empty()) taken_of_refused.push_back((*group)[i]);
    }
  }
  delete_routes(site, taken_of_refused);
  return refused;
}

/// Again as long as it helps: a gateway may be reached by a route that comes later.
void add_until_done(const CloneSite& site, std::vector<const Group*> groups) {
  bool with_link = false;
  while (!groups.empty()) {
    const auto refused = add_groups(site, groups, with_link);
    const bool helped = refused.size() < groups.size();
    if (!helped && with_link) {
      for (const auto& [group, why] : refused) {
        // Each by itself: the order is lost, but no more than that.
        for (const Route* route : *group) {
          const Group alone{route};
          const auto failed = add_groups(site, {&alone}, true);
          if (failed.empty()) continue;
          site.decline(words_for(*route, site.host), failed.begin()->second.front());
        }
      }
      return;
    }
    with_link = !helped;
    std::erase_if(groups, [&](const Group* group) { return !refused.contains(group); });
  }
}

void clone_nexthops(const CloneSite& site) {
  // Groups are made of those that are there already.
  std::vector<const NextHopObject*> objects;
  for (const bool groups : {false, true}) {
    for (const NextHopObject& object : site.host.nexthops) {
      if (object.group.empty() != groups) objects.push_back(&object);
    }
  }
  for (const bool with_link : {false, true}) {
    CloneMessages messages(site.socket);
    for (const NextHopObject* object : objects) {
      messages.add(encoded_bound(*object), [&](MessageBatch& batch, std::uint32_t sequence) {
        NextHopObject wanted = *object;
        if (with_link && wanted.leg.gateway) wanted.leg.flags |= onlink;
        batch.add_nexthop(wanted, sequence);
      });
    }
    const auto outcomes = messages.finish();
    std::vector<const NextHopObject*> refused;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].empty()) continue;
      refused.push_back(objects[i]);
      if (with_link) site.decline(words_for(*objects[i], site.host), outcomes[i]);
    }
    objects = std::move(refused);
  }
}

/// Deletes what the host has not, or not in that order, and tells what is left to be added.
std::vector<Group> make_room(const CloneSite& site, const Snapshot& there) {
  const auto theirs = route_groups(there);
  const auto ours = route_groups(site.host);
  std::vector<const Route*> surplus;
  std::vector<Group> wanted;
  for (const auto& [key, indices] : theirs) {
    if (ours.contains(key)) continue;
    for (const std::size_t i : indices) surplus.push_back(&there.routes[i]);
  }
  for (const auto& [key, indices] : ours) {
    Group group;
    for (const std::size_t i : indices) group.push_back(&site.host.routes[i]);
    const auto it = theirs.find(key);
    Group is;
    if (it != theirs.end()) {
      for (const std::size_t i : it->second) is.push_back(&there.routes[i]);
    }
    const auto same = [](const Route* a, const Route* b) { return same_entry(*a, *b); };
    if (std::ranges::equal(group, is, same)) continue;
    const bool all_by_hand = std::ranges::all_of(
        group, [&](const Route* route) { return set_by_hand(*route, site.host.hidden); });
    for (const Route* route : is) {
      const bool ours_too =
          std::ranges::any_of(group, [&](const Route* each) { return same_entry(*each, *route); });
      if (all_by_hand || !ours_too) surplus.push_back(route);
    }
    if (!all_by_hand) {
      std::erase_if(group, [&](const Route* route) {
        return !set_by_hand(*route, site.host.hidden) ||
               std::ranges::any_of(is, [&](const Route* each) { return same(each, route); });
      });
    }
    if (!group.empty()) wanted.push_back(std::move(group));
  }
  delete_routes(site, surplus);
  return wanted;
}

std::vector<Rule> rules_of(const Snapshot& host, Family family) {
  std::vector<Rule> rules;
  std::ranges::copy_if(host.rules, std::back_inserter(rules),
                       [&](const Rule& rule) { return rule.family == family; });
  return rules;
}

bool among(const Rule& rule, const std::vector<Rule>& rules) {
  return std::ranges::find(rules, rule) != rules.end();
}

/// Adds it and takes it away: the kernel remembers that there was one.
void touch(const CloneSite& site, const Rule& rule) {
  CloneMessages messages(site.socket);
  messages.add(encoded_bound(rule), [&](MessageBatch& batch, std::uint32_t sequence) {
    batch.add_rule(rule, sequence, Exclusive::no);
  });
  messages.add(encoded_bound(rule), [&](MessageBatch& batch, std::uint32_t sequence) {
    batch.delete_rule(rule, sequence);
  });
  static_cast<void>(messages.finish());
}

}  // namespace

void clone_routes(const CloneSite& site) {
  const auto there = site.kernel.snapshot();
  if (!there) return site.decline("routes", there.error().why);
  const std::vector<Group> wanted = make_room(site, *there);
  std::vector<const Group*> direct;
  std::vector<const Group*> indirect;
  for (const Group& group : wanted) {
    const bool any =
        std::ranges::any_of(group, [](const Route* route) { return by_others(*route); });
    (any ? indirect : direct).push_back(&group);
  }
  add_until_done(site, direct);
  clone_nexthops(site);
  add_until_done(site, indirect);
}

void clone_rules(const CloneSite& site) {
  const auto there = site.kernel.snapshot();
  if (!there) return site.decline("rules", there.error().why);
  for (const Family family : {Family::v4, Family::v6}) {
    const std::vector<Rule> wanted = rules_of(site.host, family);
    const std::vector<Rule> is = rules_of(*there, family);
    if (wanted == is) continue;
    // A rule that is added sets a bit of the kernel that the host may not have.
    std::vector<Rule> kept = is;
    std::erase_if(kept, [&](const Rule& rule) { return !among(rule, wanted); });
    const bool fewer = kept == wanted;
    CloneMessages messages(site.socket);
    for (const Rule& rule : is) {
      if (fewer && among(rule, wanted)) continue;
      messages.add(encoded_bound(rule), [&](MessageBatch& batch, std::uint32_t sequence) {
        batch.delete_rule(rule, sequence);
      });
    }
    if (fewer) {
      static_cast<void>(messages.finish());
      continue;
    }
    for (const Rule& rule : wanted) {
      messages.add(encoded_bound(rule), [&](MessageBatch& batch, std::uint32_t sequence) {
        batch.add_rule(rule, sequence, Exclusive::no);
      });
    }
    const auto outcomes = messages.finish();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::string& why = outcomes[is.size() + i];
      if (!why.empty()) site.decline(words_for(wanted[i], site.host), why);
    }
  }
}

void clone_hidden(const CloneSite& site) {
  const HiddenBits& hidden = site.host.hidden;
  Rule rule;
  rule.priority = 1;
  rule.table = table_main;
  if (hidden.custom_rules_v4.value_or(false)) touch(site, rule);
  rule.family = Family::v6;
  if (hidden.custom_rules_v6.value_or(false)) touch(site, rule);
  if (!hidden.custom_local_routes_v4.value_or(false)) return;
  Route route;
  route.type = RouteType::local;
  route.table = TableId{0x7fffffff};
  route.dst = Prefix::host(Ip::v4(0xc0000201));  // 192.0.2.1, of nobody
  route.scope = scope_host;
  route.protocol = protocol_kernel;
  route.next_hops.push_back({loopback_index, std::nullopt, 0, 1});
  CloneMessages messages(site.socket);
  messages.add(encoded_bound(route), [&](MessageBatch& batch, std::uint32_t sequence) {
    batch.append_route(route, sequence);
  });
  messages.add(encoded_bound(route), [&](MessageBatch& batch, std::uint32_t sequence) {
    batch.delete_route(route, sequence);
  });
  static_cast<void>(messages.finish());
}

}  // namespace retour
