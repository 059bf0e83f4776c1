// SPDX-License-Identifier: Apache-2.0
//
// One rule of `ip rule`, in the words of iproute2's print_rule().
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/import_parts.h"
#include "text/json_reader.h"
#include "text/route_attributes.h"

namespace retour {
namespace {

template <class T>
Range<T> read_range(Cursor& in, std::string_view text, std::string_view expected) {
  constexpr std::uint64_t max = static_cast<T>(~T{0});
  const auto dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash), max);
  const auto last =
      dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1), max);
  if (!first || !last || *first > *last) {
    in.fail(text, expected);
    return {};
  }
  return {static_cast<T>(*first), static_cast<T>(*last)};
}

class RuleParser {
 public:
  RuleParser(Cursor& in, const TableIds& tables, Notes& notes)
      : in_(in), tables_(tables), notes_(notes) {}
  ImportedRule parse();

 private:
  void priority();
  bool selector();
  bool port_selector();
  bool action();
  bool suppressor();
  void prefix(std::optional<Prefix>& out);
  void device(std::string& name, bool& detached);
  void port(std::optional<Range<std::uint16_t>>& range, std::uint16_t& mask);
  void dscp();
  void ip_protocol();
  void flow_label();
  void mark();
  void lookup();
  void realms(std::string_view text);
  void jump();
  bool bare_word();
  void settle_protocol();

  Cursor& in_;
  const TableIds& tables_;
  Notes& notes_;
  ImportedRule out_;
  bool protocol_seen_{};
  bool action_seen_{};
  bool table_seen_{};
};

ImportedRule RuleParser::parse() {
  priority();
  while (!in_.done()) {
    if (!selector() && !port_selector() && !suppressor() && !action() && !bare_word()) {
      in_.fail(in_.peek(), "a rule selector or action (from, to, iif, fwmark, lookup, goto, …)");
    }
  }
  if (!in_.error() && !action_seen_) {
    in_.fail("", "an action (lookup TABLE, goto, nop, blackhole, unreachable, prohibit)");
  }
  settle_protocol();
  return out_;
}

void RuleParser::priority() {
  std::string_view text = in_.value("a priority and a colon");
  const std::string_view whole = text;
  out_.where = in_.where();
  const bool colon = text.ends_with(':');
  if (colon) text.remove_suffix(1);
  const auto number = parse_number(text, 0xffffffffU);
  if (!colon || !number) return in_.fail(whole, "a priority and a colon");
  out_.rule.priority = static_cast<std::uint32_t>(*number);
}

void RuleParser::prefix(std::optional<Prefix>& out) {
  if (in_.take_if("all")) return;
  std::string text(in_.value("a prefix or `all`"));
  if (in_.peek().starts_with('/')) text += in_.take();  // "10.0.0.0 /8": iproute2 4.17 to 4.20
  out = Prefix::parse(text);
  if (!out) return in_.fail(text, "a prefix or `all`");
  if (out_.family_known && out_.rule.family != out->family()) {
    return in_.fail(text, "an address of the same family as the rule's other one");
  }
  out_.family_known = true;
  out_.rule.family = out->family();
}

void RuleParser::device(std::string& name, bool& detached) {
  name = in_.device();
  detached = in_.take_if("[detached]");
}

void RuleParser::mark() {
  const std::string_view text = in_.value("a mark, or mark/mask");
  const auto slash = text.find('/');
  const auto mark = parse_number(text.substr(0, slash), 0xffffffffU);
  const auto mask = slash == std::string_view::npos
                        ? std::optional<std::uint64_t>(0xffffffffU)
                        : parse_number(text.substr(slash + 1), 0xffffffffU);
  if (!mark || !mask) return in_.fail(text, "a mark, or mark/mask");
  out_.rule.fwmark = static_cast<std::uint32_t>(*mark);
  out_.rule.fwmask = static_cast<std::uint32_t>(*mask);
}

void RuleParser::dscp() {
  std::string_view text = in_.value("a DSCP of 0 to 63");
  const std::string_view whole = text;
  const auto slash = text.find('/');
  std::optional<std::uint64_t> mask = 0x3f;
  if (slash != std::string_view::npos) mask = parse_number(text.substr(slash + 1), 0x3f);
  text = text.substr(0, slash);
  std::optional<std::uint64_t> value = parse_number(text, 63);
  if (const auto named = value_of(dsfield_words(), text)) value = *named >> 2;
  if (!value || !mask) return in_.fail(whole, "a DSCP of 0 to 63, or dscp/mask");
  out_.rule.dscp = static_cast<std::uint8_t>(*value);
  out_.rule.dscp_mask = static_cast<std::uint8_t>(*mask);
}

void RuleParser::ip_protocol() {
  std::string_view text = in_.value("an IP protocol");
  const std::string_view whole = text;
  if (text.starts_with("ipproto-")) text.remove_prefix(8);  // one without a name
  const auto number = parse_word(ip_protocol_words(), text, 255);
  if (!number) in_.fail(whole, "an IP protocol name or number (ip -N prints numbers)");
  out_.rule.ip_proto = static_cast<std::uint8_t>(number.value_or(0));
}

void RuleParser::flow_label() {
  constexpr std::uint64_t most = 0xfffff;
  const std::string_view text = in_.value("a flow label, or label/mask");
  const auto slash = text.find('/');
  const auto label = parse_number(text.substr(0, slash), most);
  const auto mask = slash == std::string_view::npos ? std::optional<std::uint64_t>(most)
                                                    : parse_number(text.substr(slash + 1), most);
  if (!label || !mask) return in_.fail(text, "a flow label of 20 bits, or label/mask");
  if (out_.family_known && out_.rule.family == Family::v4) {
    return in_.fail(text, "no flow label in a rule of IPv4");
  }
  out_.family_known = true;  // only IPv6 has it
  out_.rule.family = Family::v6;
  out_.rule.flowlabel = static_cast<std::uint32_t>(*label);
  out_.rule.flowlabel_mask = static_cast<std::uint32_t>(*mask);
}

bool RuleParser::selector() {
  Rule& rule = out_.rule;
  if (in_.take_if("not")) {
    rule.invert = true;
  } else if (in_.take_if("from")) {
    prefix(rule.from);
  } else if (in_.take_if("to")) {
    prefix(rule.to);
  } else if (in_.take_if("iif") || in_.take_if("dev")) {
    device(rule.iif, rule.iif_detached);
  } else if (in_.take_if("oif")) {
    device(rule.oif, rule.oif_detached);
  } else if (in_.take_if("fwmark")) {
    mark();
  } else if (in_.take_if("tos") || in_.take_if("dsfield")) {
    rule.tos = static_cast<std::uint8_t>(in_.word(dsfield_words(), "a TOS name or number", 255));
  } else if (in_.take_if("dscp")) {
    dscp();
  } else if (in_.take_if("flowlabel")) {
    flow_label();
  } else if (in_.take_if("ipproto")) {
    ip_protocol();
  } else if (in_.take_if("uidrange")) {
    rule.uid = read_range<std::uint32_t>(in_, in_.value("a range of user ids"), "FIRST-LAST");
  } else if (in_.take_if("tun_id")) {
    rule.tun_id = in_.number("a tunnel id", ~std::uint64_t{0});
  } else if (in_.take_if("l3mdev")) {
    rule.l3mdev = true;
    action_seen_ = true;
  } else {
    return false;
  }
  return true;
}

void RuleParser::port(std::optional<Range<std::uint16_t>>& range, std::uint16_t& mask) {
  constexpr std::string_view expected = "a port, FIRST-LAST or port/mask";
  const std::string_view text = in_.value(expected);
  const auto slash = text.find('/');
  range = read_range<std::uint16_t>(in_, text.substr(0, slash), expected);
  if (slash == std::string_view::npos) return;
  const auto number = parse_number(text.substr(slash + 1), 0xffff);
  if (!number) return in_.fail(text, expected);
  mask = static_cast<std::uint16_t>(*number);
}

bool RuleParser::port_selector() {
  Rule& rule = out_.rule;
  if (in_.take_if("sport")) {
    port(rule.sport, rule.sport_mask);
  } else if (in_.take_if("dport")) {
    port(rule.dport, rule.dport_mask);
  } else {
    return false;
  }
  return true;
}

bool RuleParser::suppressor() {
  Rule& rule = out_.rule;
  if (in_.take_if("suppress_prefixlength") || in_.take_if("sup_pl")) {
    rule.suppress_prefixlength =
        static_cast<std::uint32_t>(in_.number("a prefix length of at most 128", 128));
  } else if (in_.take_if("suppress_ifgroup") || in_.take_if("sup_group")) {
    static constexpr std::array<Word, 1> groups{{{"default", 0}}};
    rule.suppress_ifgroup =
        in_.word(groups, "the number of a device group (ip -N prints numbers)", 0x7fffffffU);
  } else if (in_.take_if("realms") || in_.take_if("realm")) {
    realms(in_.value("realms"));
  } else if (in_.take_if("proto") || in_.take_if("protocol")) {
    rule.protocol = read_protocol(in_, notes_);
    protocol_seen_ = true;
  } else {
    return false;
  }
  return true;
}

void RuleParser::realms(std::string_view text) {
  if (auto attribute = read_realms(text)) {
    out_.rule.other.push_back(std::move(*attribute));
  } else if (!in_.error()) {
    notes_.not_represented(in_.where(), fmt::format("realms {}, of unknown number", text));
  }
}

void RuleParser::lookup() {
  action_seen_ = true;
  table_seen_ = true;
  if (in_.take_if("[l3mdev-table]")) {
    out_.rule.l3mdev = true;
    return;
  }
  out_.rule.table = tables_.read(in_);
}

void RuleParser::jump() {
  action_seen_ = true;
  out_.rule.action = RuleAction::goto_;
  if (in_.take_if("none")) return;
  std::string_view text = in_.value("a priority");
  const std::string_view whole = text;
  constexpr std::string_view glued = "unresolved";  // "goto 400unresolved": iproute2 4.17 to 4.20
  out_.rule.goto_unresolved = text.ends_with(glued);
  if (out_.rule.goto_unresolved) text.remove_suffix(glued.size());
  const auto target = parse_number(text, 0xffffffffU);
  if (!target) return in_.fail(whole, "a priority");
  out_.rule.goto_target = static_cast<std::uint32_t>(*target);
}

bool RuleParser::action() {
  Rule& rule = out_.rule;
  if (in_.take_if("lookup") || in_.take_if("table")) {
    lookup();
    return true;
  }
  if (in_.take_if("goto")) {
    jump();
    return true;
  }
  if (in_.take_if("[unresolved]")) {
    rule.goto_unresolved = true;
    return true;
  }
  auto action = value_of(rule_action_words(), in_.peek());
  // Those the kernel has no name for are printed as if they were types of routes.
  if (!action) action = value_of(route_type_words(), in_.peek());
  if (!action || *action == 1 || *action == 2) return false;
  in_.take();
  action_seen_ = true;
  rule.action = static_cast<RuleAction>(*action);
  return true;
}

// A number by itself: behind a table the realm, which iproute2 4.x put there unmarked; otherwise
// an action, as `ip -N` prints it.
bool RuleParser::bare_word() {
  const auto number = parse_number(in_.peek(), 255);
  if (!number || (action_seen_ && !table_seen_)) return false;
  const std::string_view text = in_.take();
  if (table_seen_) {
    realms(text);
    return true;
  }
  action_seen_ = true;
  out_.rule.action = static_cast<RuleAction>(*number);
  return true;
}

// print_rule() writes neither `proto kernel` nor `proto unspec`; the kernel itself makes just the
// default rules and the one of VRFs.
void RuleParser::settle_protocol() {
  if (protocol_seen_) return;
  Rule like = out_.rule;
  like.family = Family::v4;  // which has all that IPv6 has
  like.protocol = protocol_kernel;
  const auto defaults = default_rules(Family::v4);
  const bool of_kernel =
      std::ranges::find(defaults, like) != defaults.end() || (like.l3mdev && like.priority == 1000);
  if (of_kernel) out_.rule.protocol = protocol_kernel;
}

}  // namespace

Result<std::vector<ImportedRule>> parse_rules(const NamedText& from, const TableIds& tables,
                                              Notes& notes) {
  std::vector<ImportedRule> rules;
  if (!is_json(from.text)) {
    for (const Line& line : split_lines(from.text)) {
      Cursor in(from.file, line.words);
      rules.push_back(RuleParser(in, tables, notes).parse());
      if (in.error()) return fail(*in.error());
    }
    return rules;
  }
  auto elements = read_json_arrays(from.text, from.file);
  if (!elements) return fail(std::move(elements.error()));
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const TokenList list = rule_tokens((*elements)[i], {&from.file, i, true}, notes);
    Cursor in(from.file, list.tokens(), i);
    rules.push_back(RuleParser(in, tables, notes).parse());
    if (in.error()) return fail(*in.error());
  }
  return rules;
}

}  // namespace retour
