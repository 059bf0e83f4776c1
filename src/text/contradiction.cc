// SPDX-License-Identifier: Apache-2.0
#include "text/contradiction.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <unordered_map>

#include "text/printable.h"
#include "text/snapshot_json.h"

namespace retour {
namespace {

class Check {
 public:
  explicit Check(const Snapshot& snapshot) : now_(snapshot) {}

  std::optional<Contradiction> run() {
    const Contradict contradict = [this](Part part, std::size_t index, std::string why) {
      if (!found_) found_ = Contradiction{part, index, std::move(why)};
    };
    links(contradict);
    addresses(contradict);
    neighbors(contradict);
    groups(contradict);
    check_nexthops(now_, contradict);
    check_routes(now_, contradict);
    check_rules(now_, contradict);
    segments(contradict);
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool known(IfIndex index) const { return now_.link(index) != nullptr; }
  [[nodiscard]] std::string name(IfIndex index) const { return printable(now_.link_name(index)); }

  void links(const Contradict& contradict);
  void addresses(const Contradict& contradict);
  void neighbors(const Contradict& contradict);
  void groups(const Contradict& contradict);
  void segments(const Contradict& contradict);

  const Snapshot& now_;
  std::optional<Contradiction> found_;
};

void Check::links(const Contradict& contradict) {
  std::unordered_map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < now_.links.size(); ++i) {
    const Link& link = now_.links[i];
    const std::string text = printable(link.name);
    if (link.index.value == 0) contradict(Part::links, i, text + " has the index 0, which is none");
    if (i > 0 && now_.links[i - 1].index == link.index) {
      contradict(Part::links, i,
                 fmt::format("{} and {} have the same index {}", printable(now_.links[i - 1].name),
                             text, link.index.value));
    }
    if (i > 0 && link.index < now_.links[i - 1].index) {
      contradict(Part::links, i, text + " is not in the order of the indexes");
    }
    const auto [it, fresh] = names.emplace(link.name, i);
    if (!fresh) {
      contradict(Part::links, i,
                 fmt::format("links {} and {} have the same name {}",
                             now_.links[it->second].index.value, link.index.value, text));
    }
    // A master may sit in another namespace; a link that is its own master may not.
    if (link.master == link.index && link.index.value != 0) {
      contradict(Part::links, i, text + " is its own master");
    }
  }
}

// inet_insert_ifa() compares the subnets and the local addresses, ipv6_add_addr() the local
// addresses alone.
void Check::addresses(const Contradict& contradict) {
  std::set<std::tuple<IfIndex, Ip, std::optional<Prefix>>> seen;
  for (std::size_t i = 0; i < now_.addresses.size(); ++i) {
    const Address& address = now_.addresses[i];
    const Family family = address.local.family();
    const std::string text = address.local.str();
    if (!known(address.link)) {
      contradict(
          Part::addresses, i,
          fmt::format("{} is on link {}, and there is no such link", text, name(address.link)));
    }
    for (const auto& other : {address.peer, address.broadcast}) {
      if (other && other->family() != family) {
        contradict(Part::addresses, i,
                   fmt::format("{} and its {} are of different families", text, other->str()));
        return;
      }
    }
    const auto subnet = family == Family::v4 ? std::optional(address.subnet()) : std::nullopt;
    if (!seen.emplace(address.link, address.local.address, subnet).second) {
      contradict(Part::addresses, i,
                 fmt::format("{} is twice on link {}", text, name(address.link)));
    }
  }
}

void Check::neighbors(const Contradict& contradict) {
  for (std::size_t i = 0; i < now_.neighbors.size(); ++i) {
    const Neighbor& neighbor = now_.neighbors[i];
    // A proxy entry may be for any link.
    if (neighbor.link.value != 0 && !known(neighbor.link)) {
      contradict(Part::neighbors, i,
                 fmt::format("{} is on link {}, and there is no such link", neighbor.address.str(),
                             name(neighbor.link)));
    }
  }
}

void Check::groups(const Contradict& contradict) {
  for (std::size_t i = 0; now_.groups && i < now_.groups->size(); ++i) {
    const Membership& each = (*now_.groups)[i];
    if (!known(each.link)) {
      contradict(Part::groups, i,
                 fmt::format("{} is joined on link {}, and there is no such link", each.group.str(),
                             name(each.link)));
    }
  }
}

void Check::segments(const Contradict& contradict) {
  if (!now_.segments) return;
  std::unordered_map<std::uint32_t, std::size_t> member;
  for (std::size_t i = 0; i < now_.segments->size(); ++i) {
    for (const IfIndex link : (*now_.segments)[i]) {
      if (!known(link)) {
        contradict(Part::segments, i,
                   fmt::format("it has link {}, and there is no such link", name(link)));
      }
      const auto [it, fresh] = member.emplace(link.value, i);
      if (!fresh) {
        contradict(Part::segments, i,
                   fmt::format("link {} is in segments[{}] already", name(link), it->second));
      }
    }
  }
}

}  // namespace

std::string_view name(Part part) {
  static constexpr std::array<std::string_view, part_count> names{
      "links", "addresses", "neighbors", "groups", "routes", "rules", "nexthops", "segments"};
  return names[static_cast<std::size_t>(part)];
}

std::optional<Contradiction> find_contradiction(const Snapshot& snapshot) {
  return Check(snapshot).run();
}

Result<void> contradiction_in(const Snapshot& snapshot, std::string_view file) {
  const auto found = find_contradiction(snapshot);
  if (!found) return {};
  return fail(
      Error{.kind = ErrorKind::contradiction,
            .errnum = 0,
            .doing = "read " + printable(file),
            .why = fmt::format("{}[{}]: {}", name(found->part), found->index, found->why),
            .hint = "no kernel holds such a host; is the document whole and of one moment?"});
}

}  // namespace retour
