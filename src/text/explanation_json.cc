// SPDX-License-Identifier: Apache-2.0
#include "text/explanation_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "text/explain_words.h"
#include "text/json_text.h"
#include "text/lines.h"
#include "text/printable.h"
#include "text/remedy_words.h"
#include "text/report_json.h"

namespace retour {

namespace {

constexpr std::size_t many_rules = 8;  // in a row that do not match: one step

}  // namespace

/// One explanation, or one line of a batch, into a string.
class ExplanationWriter {
 public:
  ExplanationWriter(std::string& out, BatchJson& words)
      : json_(out), words_(words), host_(words.host_) {}

  JsonText& json() { return json_; }

  void query(const Flow& flow) {
    json_.key("query");
    json_.open('{');
    json_.field("dst", flow.dst.str());
    if (!flow.src.is_unspecified()) json_.field("src", flow.src.str());
    if (flow.iif) json_.field("iif", words_.link(*flow.iif));
    if (flow.oif) json_.field("oif", words_.link(*flow.oif));
    number("mark", flow.mark);
    number("tos", flow.tos);
    number("ipproto", flow.ip_proto);
    number("sport", flow.sport);
    number("dport", flow.dport);
    number("uid", flow.uid);
    number("flowlabel", flow.flowlabel);
    json_.close('}');
  }

  /// The fields of a decision, up to its steps.
  void answer(const Lookup& lookup) {
    json_.field("verdict", name(lookup.verdict));
    optional("errno", lookup.errnum != 0, [&] { json_.value(errno_name(lookup.errnum)); });
    optional("dev", lookup.link.value != 0, [&] { json_.value(words_.link(lookup.link)); });
    ip("gateway", lookup.gateway);
    ip("source", lookup.source);
    optional("table", lookup.table.value != 0, [&] { json_.value(lookup.table.value); });
    optional("rule_priority", lookup.rule_priority.has_value(),
             [&] { json_.value(*lookup.rule_priority); });
    optional("route", lookup.route.has_value(), [&] { json_.value(words_.route(*lookup.route)); });
    if (lookup.or_errnum != 0) json_.field("or_errno", errno_name(lookup.or_errnum));
    if (lookup.candidates.size() < 2) return;
    if (const auto links = lookup.links(); links.size() > 1) {
      json_.key("candidates");
      json_.open('[');
      for (const IfIndex link : links) json_.value(words_.link(link));
      json_.close(']');
    }
    json_.key("ways");
    json_.open('[');
    for (const Way& way : lookup.candidates) {
      json_.open('{');
      json_.field("dev", words_.link(way.link));
      ip("gateway", way.gateway);
      ip("source", way.source);
      json_.close('}');
    }
    json_.close(']');
  }

  void steps(const Flow& seen, std::span<const Step> steps, std::span<const TableAsked> tables,
             bool fold) {
    json_.key("steps");
    json_.open('[');
    for (std::size_t i = 0; i < steps.size();) {
      std::size_t end = i;
      while (fold && end < steps.size() && steps[end].outcome == RuleOutcome::no_match) ++end;
      if (end - i > many_rules) {
        json_.open('{');
        json_.field("rule_priority", host_.rules[steps[i].rule].priority);
        json_.field("last_priority", host_.rules[steps[end - 1].rule].priority);
        json_.field("rules", end - i);
        json_.field("outcome", outcome_name(RuleOutcome::no_match));
        json_.close('}');
        i = end;
      } else {
        step(seen, steps[i], tables, i);
        ++i;
      }
    }
    json_.close(']');
  }

  void source_check(const Explanation& found) {
    json_.key("source_check");
    if (!found.lookup.source_check) return json_.null();
    const SourceCheck& check = *found.lookup.source_check;
    json_.open('{');
    json_.field("passed", check.passed);
    conf("rp_filter", check.rp_filter);
    conf("accept_local", check.accept_local);
    json_.field("looked_up", check.looked_up);
    if (check.looked_up) {
      json_.field("dst", check.flow.dst.str());
      json_.field("src", check.flow.src.str());
      json_.field("verdict", name(check.way_back));
      json_.key("dev");
      json_.open('[');
      for (const IfIndex link : check.links) json_.value(words_.link(link));
      json_.close(']');
      optional("table", check.table.value != 0, [&] { json_.value(check.table.value); });
      optional("rule_priority", check.rule_priority.has_value(),
               [&] { json_.value(*check.rule_priority); });
      steps(check.flow, check.steps, found.way_back, false);
    }
    json_.close('}');
  }

  void remedies(std::string_view key, const std::vector<Remedy>& remedies, bool received) {
    json_.key(key);
    json_.open('[');
    for (const Remedy& remedy : remedies) {
      json_.open('{');
      json_.field("change", change_words(host_, remedy));
      json_.key("sysctls");
      json_.open('[');
      for (const Setting& setting : remedy.settings) {
        json_.open('{');
        json_.field("dev", setting.link ? words_.link(*setting.link) : std::string("all"));
        json_.field("family", setting.family() == Family::v4 ? "ipv4" : "ipv6");
        json_.field("key", setting.name());
        optional("before", setting.before.has_value(), [&] { json_.value(*setting.before); });
        json_.field("after", setting.after);
        json_.close('}');
      }
      json_.close(']');
      json_.key("own_table");
      if (remedy.own_table) {
        json_.open('{');
        json_.field("from", remedy.own_table->from.str());
        json_.field("dst", remedy.own_table->to.str());
        json_.field("dev", words_.link(remedy.own_table->link));
        ip("gateway", remedy.own_table->gateway);
        json_.close('}');
      } else {
        json_.null();
      }
      json_.field("then", then_words(host_, remedy, received));
      json_.field("verdict", remedy.door ? name(*remedy.door) : name(remedy.verdict));
      if (remedy.door) {
        optional("cause", remedy.cause != Cause::none, [&] { json_.value(name(remedy.cause)); });
      } else {
        optional("dev", remedy.link.value != 0, [&] { json_.value(words_.link(remedy.link)); });
      }
      json_.close('}');
    }
    json_.close(']');
  }

  void check(const KernelCheck& check) {
    json_.key("check");
    json_.open('{');
    optional("agrees", check.differs.has_value(), [&] { json_.value(check.differs->empty()); });
    json_.field("kernel", printable(describe(host_, check.answer)));
    optional("differs", check.differs && !check.differs->empty(),
             [&] { json_.value(printable(*check.differs)); });
    json_.close('}');
  }

  void gates(const std::vector<Gate>& gates) {
    json_.key("gates");
    json_.open('[');
    for (const Gate& gate : gates) {
      json_.open('{');
      json_.field("dev", words_.link(gate.link));
      json_.field("key", info(gate.conf).name);
      value(gate.value);
      json_.close('}');
    }
    json_.close(']');
  }

  /// What a batch has instead: the gates that nobody told and that decide.
  void assumed(const Lookup& lookup) {
    json_.key("assumed");
    json_.open('[');
    for (const Gate& gate : gates_of(host_, lookup)) {
      if (!gate.value.known && gate.matters) json_.value(info(gate.conf).name);
    }
    json_.close(']');
  }

  /// A lookup with its tables and the way back, as an object's fields.
  void whole(const Explanation& found) {
    answer(found.lookup);
    steps(found.seen, found.lookup.steps, found.tables, false);
    source_check(found);
  }

 private:
  template <class T>
  void number(std::string_view key, T value) {
    if (value != 0) json_.field(key, value);
  }
  template <class Write>
  void optional(std::string_view key, bool there, const Write& write) {
    json_.key(key);
    if (there) {
      write();
    } else {
      json_.null();
    }
  }
  void ip(std::string_view key, const std::optional<Ip>& ip) {
    optional(key, ip.has_value(), [&] { json_.value(ip->str()); });
  }
  void conf(std::string_view key, const EffectiveConf& value) {
    json_.key(key);
    json_.open('{');
    this->value(value);
    json_.close('}');
  }
  void value(const EffectiveConf& value) {
    json_.field("value", value.value);
    json_.field("from", value.from_all ? "all" : "dev");
    json_.field("known", value.known);
  }

  void step(const Flow& seen, const Step& step, std::span<const TableAsked> tables,
            std::size_t position) {
    const Rule& rule = host_.rules[step.rule];
    json_.open('{');
    json_.field("rule_priority", rule.priority);
    json_.field("rule", words_.rule(step.rule));
    json_.field("outcome", outcome_name(step.outcome));
    if (step.outcome == RuleOutcome::no_match) {
      json_.field("selector", selector_name(step.selector));
      json_.field("why", mismatch_words(host_, rule, step.selector, seen));
    }
    if (rule.action == RuleAction::lookup) json_.field("table", rule.table.value);
    optional("route", step.route.has_value(), [&] { json_.value(words_.route(*step.route)); });
    const auto asked = std::ranges::find(tables, position, &TableAsked::step);
    if (asked != tables.end()) {
      json_.key("considered");
      json_.open('[');
      const Considered* taken = taken_of(*asked);
      for (const Considered& route : asked->routes) {
        json_.open('{');
        json_.field("route", words_.route(route.route));
        json_.field("outcome", name(route.outcome));
        json_.field("why", route_reason(host_, route, taken));
        json_.close('}');
      }
      json_.close(']');
    }
    json_.close('}');
  }

  JsonText json_;
  BatchJson& words_;
  const Snapshot& host_;
};

BatchJson::BatchJson(const Snapshot& host, bool all)
    : host_(host), all_(all), rules_(host.rules.size()), routes_(host.routes.size()) {
  for (const Link& link : host.links) links_.emplace_back(link.index, escape(link.name));
}

const std::string& BatchJson::rule(std::uint32_t index) {
  if (rules_[index].empty()) rules_[index] = rule_line(host_, host_.rules[index]);
  return rules_[index];
}

const std::string& BatchJson::route(std::uint32_t index) {
  if (routes_[index].empty()) routes_[index] = route_line(host_, host_.routes[index]);
  return routes_[index];
}

const std::string& BatchJson::link(IfIndex index) {
  auto it = std::ranges::find(links_, index, [](const auto& link) { return link.first; });
  if (it == links_.end()) it = links_.insert(it, {index, host_.link_name(index)});
  return it->second;
}

void BatchJson::append(std::string& out, const Lookup& lookup, const KernelCheck* check) {
  ExplanationWriter writer(out, *this);
  writer.json().open('{');
  writer.query(lookup.flow);
  writer.answer(lookup);
  writer.assumed(lookup);
  writer.steps(lookup.flow, lookup.steps, {}, !all_);
  if (check != nullptr) writer.check(*check);
  writer.json().close('}');
  writer.json().end_line();
}

void BatchJson::append_error(std::string& out, std::size_t line, const Error& error) {
  JsonText json(out);
  json.open('{');
  json.field("error", printable(error.message()));
  json.field("hint", printable(error.hint));
  json.field("line", line);
  json.close('}');
  json.end_line();
}

namespace {

/// Written flat, read again, printed for people: one writer for both forms.
std::string indented(const std::string& text) {
  return nlohmann::ordered_json::parse(text).dump(2) + "\n";
}

void head(JsonText& json, const Snapshot& host) {
  json.open('{');
  json.field("schema", "retour.explain/1");
  json.field("host", printable(host.host));
}

void notes(JsonText& json, const Snapshot& host) {
  json.key("notes");
  json.open('[');
  for (const std::string& note : host.notes) json.value(printable(note));
  json.close(']');
}

}  // namespace

std::string json_report(const Snapshot& host, const Explanation& found, const KernelCheck* check) {
  std::string text;
  BatchJson words(host, true);
  ExplanationWriter writer(text, words);
  const bool received = found.lookup.flow.iif.has_value();
  head(writer.json(), host);
  writer.query(found.lookup.flow);
  writer.whole(found);
  if (found.socket) {
    writer.json().key("socket");
    writer.json().open('{');
    writer.answer(*found.socket);
    writer.json().close('}');
  }
  writer.gates(gates_of(host, found.lookup));
  writer.remedies("remedies", found.remedies, received);
  writer.remedies("if_set", found.if_set, received);
  if (check != nullptr) writer.check(*check);
  notes(writer.json(), host);
  writer.json().close('}');
  writer.json().end_line();
  return indented(text);
}

std::string json_report(const Snapshot& host, const TripExplanation& found) {
  std::string text;
  BatchJson words(host, true);
  ExplanationWriter writer(text, words);
  JsonText& json = writer.json();
  head(json, host);
  writer.query(found.trip.request.flow);
  writer.whole(found.request);
  writer.gates(gates_of(host, found));
  json.field("segments_known", name(found.segments_known));
  json.key("reply");
  json.open('{');
  writer.query(found.trip.reply.flow);
  writer.whole(found.reply);
  json.close('}');
  writer.remedies("remedies", found.remedies, true);
  writer.remedies("if_set", {}, true);
  notes(json, host);
  json.close('}');
  json.end_line();
  auto document = nlohmann::ordered_json::parse(text);
  document["round_trip"] = nlohmann::ordered_json::parse(json_round_trip(host, found.trip));
  return document.dump(2) + "\n";
}

}  // namespace retour
