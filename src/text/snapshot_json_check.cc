// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "text/printable.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

class Check {
 public:
  Check(const Snapshot& snapshot, std::string_view file) : now_(snapshot), file_(file) {}

  Result<void> run() {
    links();
    addresses();
    neighbors();
    groups();
    routes();
    rules();
    nexthops();
    segments();
    if (error_) return fail(std::move(*error_));
    return {};
  }

 private:
  void contradict(std::string why) {
    if (error_) return;
    error_ = Error{.kind = ErrorKind::contradiction,
                   .errnum = 0,
                   .doing = "read " + printable(file_),
                   .why = std::move(why),
                   .hint = "the two cannot both be so on one host"};
  }
  [[nodiscard]] bool known(IfIndex index) const { return now_.link(index) != nullptr; }
  [[nodiscard]] std::string name(IfIndex index) const { return printable(now_.link_name(index)); }

  void links();
  void addresses();
  void neighbors();
  void groups();
  void routes();
  void rules();
  void nexthops();
  void segments();
  void leg(const NextHop& hop, Family family, const std::string& what);

  const Snapshot& now_;
  std::string_view file_;
  std::optional<Error> error_;
};

void Check::links() {
  std::unordered_map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < now_.links.size(); ++i) {
    const Link& link = now_.links[i];
    if (link.index.value == 0) contradict(fmt::format("links[{}]: index 0 is no link", i));
    if (i > 0 && now_.links[i - 1].index == link.index) {
      contradict(fmt::format("links {} and {} have the same index {}",
                             printable(now_.links[i - 1].name), printable(link.name),
                             link.index.value));
    }
    if (i > 0 && link.index < now_.links[i - 1].index) {
      contradict(
          fmt::format("links[{}] and links[{}] are not in the order of their indexes", i - 1, i));
    }
    const auto [it, fresh] = names.emplace(link.name, i);
    if (!fresh) {
      contradict(fmt::format("links {} and {} have the same name {}",
                             now_.links[it->second].index.value, link.index.value,
                             printable(link.name)));
    }
    // A master may sit in another namespace; a link that is its own master may not.
    if (link.master == link.index && link.index.value != 0) {
      contradict(
          fmt::format("link {} is its own master {}", printable(link.name), printable(link.name)));
    }
  }
}

void Check::addresses() {
  std::set<std::tuple<IfIndex, Ip, std::uint8_t, std::optional<Ip>>> seen;
  for (const Address& address : now_.addresses) {
    const std::string text = address.local.str();
    if (!known(address.link)) {
      contradict(fmt::format("address {} is on link {}, and there is no such link", text,
                             name(address.link)));
    }
    const Family family = address.local.family();
    for (const auto& other : {address.peer, address.broadcast}) {
      if (other && other->family() != family) {
        contradict(
            fmt::format("address {} and its {} are of different families", text, other->str()));
      }
    }
    if (!seen.emplace(address.link, address.local.address, address.local.length, address.peer)
             .second) {
      contradict(fmt::format("address {} is twice on link {}", text, name(address.link)));
    }
  }
}

void Check::neighbors() {
  for (const Neighbor& neighbor : now_.neighbors) {
    if (neighbor.link.value != 0 && !known(neighbor.link)) {
      contradict(fmt::format("neighbour {} is on link {}, and there is no such link",
                             neighbor.address.str(), name(neighbor.link)));
    }
  }
}

void Check::groups() {
  for (const Membership& each : now_.groups.value_or(std::vector<Membership>{})) {
    if (!known(each.link)) {
      contradict(fmt::format("group {} is joined on link {}, and there is no such link",
                             each.group.str(), name(each.link)));
    }
  }
}

void Check::leg(const NextHop& hop, Family family, const std::string& what) {
  if (hop.link.value != 0 && !known(hop.link)) {
    contradict(fmt::format("{} goes by link {}, and there is no such link", what, name(hop.link)));
  }
  if (hop.gateway && family == Family::v6 && hop.gateway->is_v4()) {
    contradict(
        fmt::format("{} and its gateway {} are of different families", what, hop.gateway->str()));
  }
  if (hop.weight == 0 || hop.weight > 256) {
    contradict(
        fmt::format("{} and the weight {} of its leg: weights are 1 to 256", what, hop.weight));
  }
}

void Check::routes() {
  for (std::size_t i = 0; i < now_.routes.size() && !error_; ++i) {
    const Route& route = now_.routes[i];
    const auto what = [&] { return fmt::format("routes[{}] to {}", i, route.dst.str()); };
    if (route.dst.network() != route.dst) {
      contradict(fmt::format("{} has address bits beyond its length {}", what(), route.dst.length));
    }
    if (route.prefsrc && route.prefsrc->family() != route.family()) {
      contradict(fmt::format("{} and its source {} are of different families", what(),
                             route.prefsrc->str()));
    }
    if (route.src && route.src->family() != route.family()) {
      contradict(fmt::format("{} and its source prefix {} are of different families", what(),
                             route.src->str()));
    }
    for (const NextHop& hop : route.next_hops) {
      // The text is needed only when something is wrong with the leg.
      const bool plain = known(hop.link) && hop.weight == 1 &&
                         (!hop.gateway || hop.gateway->family() == route.family());
      if (!plain) leg(hop, route.family(), what());
    }
  }
}

void Check::rules() {
  const Rule* before[2] = {};
  for (std::size_t i = 0; i < now_.rules.size(); ++i) {
    const Rule& rule = now_.rules[i];
    const auto what = [&] { return fmt::format("rules[{}] of priority {}", i, rule.priority); };
    const Rule*& last = before[static_cast<std::size_t>(rule.family)];
    if (last != nullptr && rule.priority < last->priority) {
      contradict(fmt::format("{} stands behind the rule of priority {} of the same family", what(),
                             last->priority));
    }
    last = &rule;
    for (const auto& prefix : {rule.from, rule.to}) {
      if (prefix && prefix->family() != rule.family) {
        contradict(fmt::format("{} and its {} are of different families", what(), prefix->str()));
      }
    }
    if (rule.action == RuleAction::goto_ && rule.goto_target <= rule.priority &&
        !rule.goto_unresolved) {
      contradict(fmt::format("{} goes back to {}", what(), rule.goto_target));
    }
  }
}

void Check::nexthops() {
  std::unordered_set<std::uint32_t> ids;
  for (const NextHopObject& nexthop : now_.nexthops) {
    const std::string what = fmt::format("nexthop {}", nexthop.id);
    if (!ids.insert(nexthop.id).second) contradict(what + " and another have the same id");
    leg(nexthop.leg, nexthop.family, what);
  }
}

void Check::segments() {
  if (!now_.segments) return;
  std::unordered_map<std::uint32_t, std::size_t> member;
  for (std::size_t i = 0; i < now_.segments->size(); ++i) {
    for (const IfIndex link : (*now_.segments)[i]) {
      if (!known(link)) {
        contradict(
            fmt::format("segments[{}] has link {}, and there is no such link", i, name(link)));
      }
      const auto [it, fresh] = member.emplace(link.value, i);
      if (!fresh) {
        contradict(fmt::format("link {} is in segments[{}] and in segments[{}]", name(link),
                               it->second, i));
      }
    }
  }
}

}  // namespace

Result<void> contradiction_in(const Snapshot& snapshot, std::string_view file) {
  return Check(snapshot, file).run();
}

}  // namespace retour
