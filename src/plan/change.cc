// SPDX-License-Identifier: Apache-2.0
#include "plan/change.h"

#include <algorithm>

#include "base/overloaded.h"

namespace retour {

namespace {

constexpr std::uint8_t rtnh_linkdown = 16;

/// State that the kernel computes and that identifies nothing.
Rule identity(Rule rule) {
  rule.iif_detached = false;
  rule.oif_detached = false;
  rule.goto_unresolved = false;
  return rule;
}

void touch_rules(Snapshot& now, Family family) {
  auto& bit = family == Family::v4 ? now.hidden.custom_rules_v4 : now.hidden.custom_rules_v6;
  bit = true;  // sticky in the kernel, too
}

void add(Snapshot& now, Route route) {
  for (NextHop& leg : route.next_hops) {
    const Link* link = now.link(leg.link);
    if (link != nullptr && !link->carrier()) leg.flags |= rtnh_linkdown;
  }
  now.routes.push_back(std::move(route));
}

void remove(Snapshot& now, const Route& route) {
  const auto it =
      std::ranges::find_if(now.routes, [&](const Route& r) { return same_route(r, route); });
  if (it != now.routes.end()) now.routes.erase(it);
}

// fib_newrule(): behind every rule of the same priority.
void add(Snapshot& now, const Rule& rule) {
  touch_rules(now, rule.family);
  const auto it = std::ranges::find_if(now.rules, [&](const Rule& other) {
    return other.family == rule.family && other.priority > rule.priority;
  });
  now.rules.insert(it, rule);
}

void remove(Snapshot& now, const Rule& rule) {
  touch_rules(now, rule.family);
  const auto it =
      std::ranges::find_if(now.rules, [&](const Rule& other) { return same_rule(other, rule); });
  if (it != now.rules.end()) now.rules.erase(it);
}

bool holds(const Snapshot& now, const Route& route) {
  return std::ranges::any_of(now.routes, [&](const Route& r) { return same_route(r, route); });
}

bool holds(const Snapshot& now, const Rule& rule) {
  return std::ranges::any_of(now.rules, [&](const Rule& r) { return same_rule(r, rule); });
}

/// A value of ours still; the NIC may have another name by now.
std::optional<SetConf> still_set(const Snapshot& now, const SetConf& set) {
  const Link* link = now.link(set.link);
  if (link == nullptr || link->conf.get(set.conf) != set.after) return std::nullopt;
  return SetConf{set.link, link->name, set.conf, set.before, set.after};
}

}  // namespace

bool same_route(const Route& a, const Route& b) {
  const auto legs_equal =
      std::ranges::equal(a.next_hops, b.next_hops, [](const NextHop& x, const NextHop& y) {
        return x.link == y.link && x.gateway == y.gateway;
      });
  return a.dst == b.dst && a.table == b.table && a.tos == b.tos && a.metric == b.metric &&
         a.type == b.type && a.protocol == b.protocol && a.prefsrc == b.prefsrc && legs_equal;
}

bool same_rule(const Rule& a, const Rule& b) {
  // Most differ here; the rest is a comparison of two copies.
  return a.priority == b.priority && a.family == b.family && identity(a) == identity(b);
}

std::vector<Change> way_back(const Snapshot& now, std::span<const Change> changes) {
  std::vector<Change> list;
  for (std::size_t i = changes.size(); i > 0; --i) {
    const Change& change = changes[i - 1];
    const auto undo = [&](const auto& operation) {
      list.push_back(inverse({operation, change.why}));
    };
    std::visit(Overloaded{
                   [&](const AddRoute& c) {
                     if (holds(now, c.route)) undo(c);
                   },
                   [&](const DeleteRoute& c) {
                     if (!holds(now, c.route)) undo(c);
                   },
                   [&](const AddRule& c) {
                     if (holds(now, c.rule)) undo(c);
                   },
                   [&](const DeleteRule& c) {
                     if (!holds(now, c.rule)) undo(c);
                   },
                   [&](const SetConf& c) {
                     if (const auto set = still_set(now, c)) undo(*set);
                   },
               },
               change.operation);
  }
  return list;
}

Change inverse(const Change& change) {
  Change back;
  back.why = "undo: " + change.why;
  back.operation = std::visit(
      Overloaded{
          [](const AddRoute& c) -> decltype(back.operation) { return DeleteRoute{c.route}; },
          [](const DeleteRoute& c) -> decltype(back.operation) { return AddRoute{c.route}; },
          [](const AddRule& c) -> decltype(back.operation) { return DeleteRule{c.rule}; },
          [](const DeleteRule& c) -> decltype(back.operation) { return AddRule{c.rule}; },
          [](const SetConf& c) -> decltype(back.operation) {
            return SetConf{c.link, c.link_name, c.conf, c.after, c.before};
          },
      },
      change.operation);
  return back;
}

std::vector<Change> inverses(std::span<const Change> done) {
  std::vector<Change> list;
  list.reserve(done.size());
  for (std::size_t i = done.size(); i > 0; --i) list.push_back(inverse(done[i - 1]));
  return list;
}

Snapshot rehearse(Snapshot now, std::span<const Change> changes) {
  for (const Change& change : changes) {
    std::visit(Overloaded{
                   [&](const AddRoute& c) { add(now, c.route); },
                   [&](const DeleteRoute& c) { remove(now, c.route); },
                   [&](const AddRule& c) { add(now, c.rule); },
                   [&](const DeleteRule& c) { remove(now, c.rule); },
                   [&](const SetConf& c) {
                     const auto it = std::ranges::find(now.links, c.link, &Link::index);
                     if (it != now.links.end()) it->conf.set(c.conf, c.after);
                   },
               },
               change.operation);
  }
  return now;
}

}  // namespace retour
