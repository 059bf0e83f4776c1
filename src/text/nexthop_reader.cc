// SPDX-License-Identifier: Apache-2.0
//
// `ip nexthop`, in the words of iproute2's __print_nexthop_entry().
#include <fmt/format.h>

#include <array>

#include "plan/raw_attributes.h"
#include "text/import_parts.h"
#include "text/json_reader.h"
#include "text/route_attributes.h"

namespace retour {
namespace {

class NexthopParser {
 public:
  NexthopParser(Cursor& in, Notes& notes) : in_(in), notes_(notes) {}
  ImportedNexthop parse();

 private:
  void group();
  bool leg_word();
  bool group_word();
  void settle_family();

  Cursor& in_;
  Notes& notes_;
  ImportedNexthop out_;
  Scope scope_{};
};

ImportedNexthop NexthopParser::parse() {
  NextHopObject& object = out_.object;
  if (!in_.take_if("id")) in_.fail(in_.peek(), "`id NUMBER`");
  object.id = static_cast<std::uint32_t>(in_.number("the id of a nexthop object", 0xffffffffU));
  out_.where = in_.where();
  while (!in_.done()) {
    if (in_.take_if("group")) {
      group();
    } else if (in_.take_if("blackhole")) {
      object.blackhole = true;
    } else if (in_.take_if("proto")) {
      object.protocol = read_protocol(in_, notes_);
    } else if (!leg_word() && !group_word()) {
      in_.fail(in_.peek(),
               "via, dev, scope, blackhole, group, proto or a flag of a nexthop object");
    }
  }
  settle_family();
  if (object.group.empty() && !object.blackhole && out_.device.empty() && object.other.empty()) {
    in_.fail("", "`dev NAME`, `group …` or `blackhole`");
  }
  return std::move(out_);
}

// "1,5/2": ids, each with a weight unless it is 1.
void NexthopParser::group() {
  constexpr std::string_view expected = "the members of a group, ID[,WEIGHT][/ID…]";
  const std::string_view whole = in_.value(expected);
  std::string_view rest = whole;
  while (!in_.error()) {
    const auto slash = rest.find('/');
    const std::string_view member = rest.substr(0, slash);
    const auto comma = member.find(',');
    const auto id = parse_number(member.substr(0, comma), 0xffffffffU);
    const auto weight = comma == std::string_view::npos
                            ? std::optional<std::uint64_t>(1)
                            : parse_number(member.substr(comma + 1), 0xffff);
    if (!id || !weight) return in_.fail(whole, expected);
    out_.object.group.emplace_back(static_cast<std::uint32_t>(*id),
                                   static_cast<std::uint16_t>(*weight));
    if (slash == std::string_view::npos) return;
    rest = rest.substr(slash + 1);
  }
}

bool NexthopParser::leg_word() {
  NextHop& leg = out_.object.leg;
  if (in_.take_if("via")) {
    leg.gateway = in_.ip("a gateway address");
  } else if (in_.take_if("dev")) {
    out_.device = in_.device();
  } else if (in_.take_if("scope")) {
    scope_ = static_cast<Scope>(in_.word(scope_words(), "a scope name or number", 255));
  } else if (const auto flag = value_of(route_flag_words(), in_.peek()); flag) {
    in_.take();
    leg.flags = static_cast<std::uint8_t>(leg.flags | *flag);
  } else if (in_.take_if("encap")) {
    std::string words = "encap";
    while (!in_.done() && in_.peek() != "via" && in_.peek() != "dev") {
      words += fmt::format(" {}", in_.take());
    }
    notes_.not_represented(in_.where(), words);
  } else {
    return false;
  }
  return true;
}

bool NexthopParser::group_word() {
  constexpr std::uint16_t resilient = 1;  // NEXTHOP_GRP_TYPE_RES
  if (in_.take_if("type")) {
    const std::string_view kind = in_.value("a kind of group");
    if (kind == "resilient") {
      out_.object.other.push_back(number_attribute(attribute_group_type, resilient));
    } else if (kind != "mpath") {
      in_.fail(kind, "mpath or resilient");
    }
  } else if (in_.take_if("fdb")) {
    out_.object.other.push_back({attribute_fdb, {}});
  } else if (in_.peek() == "buckets" || in_.peek() == "idle_timer" ||
             in_.peek() == "unbalanced_timer" || in_.peek() == "unbalanced_time") {
    const std::string_view word = in_.take();
    const std::string_view value = in_.value("a number");
    if (word != "unbalanced_time") {
      notes_.not_represented(in_.where(), fmt::format("{} {}", word, value));
    }
  } else if (in_.take_if("hw_stats") || in_.take_if("used")) {
    in_.value("on or off");
  } else {
    return false;
  }
  return true;
}

// The kernel gives a nexthop without a gateway the scope host in IPv4 and link in IPv6. A group has
// no family of its own, and what a blackhole has shows nowhere.
void NexthopParser::settle_family() {
  NextHopObject& object = out_.object;
  out_.family_known = !object.blackhole;
  if (object.leg.gateway) {
    object.family = object.leg.gateway->family();
  } else if (!out_.device.empty()) {
    object.family = scope_ == scope_link ? Family::v6 : Family::v4;
  }
}

// Those of the members, which `ip -s` puts below a group: "stats:", "id 1 packets 0".
bool counters(const Line& line) {
  return line.words.front().text == "stats:" ||
         (line.words.size() > 2 && line.words[2].text == "packets");
}

}  // namespace

Result<std::vector<ImportedNexthop>> read_nexthops(const NamedText& from, Notes& notes) {
  std::vector<ImportedNexthop> nexthops;
  if (!is_json(from.text)) {
    for (const Line& line : split_lines(from.text)) {
      if (counters(line)) continue;
      Cursor in(from.file, line.words);
      nexthops.push_back(NexthopParser(in, notes).parse());
      if (in.error()) return fail(*in.error());
    }
    return nexthops;
  }
  auto elements = read_json_arrays(from.text, from.file);
  if (!elements) return fail(std::move(elements.error()));
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const Where where{&from.file, i, true};
    const TokenList list = nexthop_tokens((*elements)[i], where, notes);
    Cursor in(from.file, list.tokens(), i);
    nexthops.push_back(NexthopParser(in, notes).parse());
    if (in.error()) return fail(*in.error());
  }
  return nexthops;
}

}  // namespace retour
