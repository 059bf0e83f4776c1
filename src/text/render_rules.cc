// SPDX-License-Identifier: Apache-2.0
#include "text/render_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "text/explain_words.h"
#include "text/lines.h"
#include "text/printable.h"
#include "text/remedy_words.h"

namespace retour {

namespace {

constexpr std::size_t many_rules = 8;    // in a row that do not match: one line
constexpr std::size_t shown_routes = 2;  // that lost for the same reason

/// Rules in a row that do not match, by the selector that they fail.
void folded(Page& page, const Snapshot& host, std::span<const Step> run) {
  std::map<Selector, std::size_t> by_selector;
  for (const Step& step : run) ++by_selector[step.selector];
  std::string why;
  for (const auto& [selector, count] : by_selector) {
    why += fmt::format("{}{} by {}", why.empty() ? "" : ", ", count, selector_name(selector));
  }
  page.line(fmt::format("rules {} to {}: none of these {} matches ({})",
                        host.rules[run.front().rule].priority, host.rules[run.back().rule].priority,
                        run.size(), why),
            0, Ink::dim);
}

/// Routes that were not taken, those that lost for one reason together.
void losers(Page& page, const Snapshot& host, std::span<const Considered> routes,
            const Considered* taken, const ExplanationView& view) {
  std::vector<std::pair<std::string_view, std::vector<const Route*>>> groups;
  for (const Considered& route : routes) {
    const std::string_view reason = route_reason(host, route, taken);
    auto group = std::ranges::find(groups, reason, [](const auto& g) { return g.first; });
    if (group == groups.end()) group = groups.insert(groups.end(), {reason, {}});
    group->second.push_back(&host.routes[route.route]);
  }
  for (const auto& group : groups) {
    const auto& list = group.second;
    const bool fits = view.all || list.size() <= shown_routes + 1;
    const std::size_t shown = fits ? list.size() : shown_routes;
    for (std::size_t i = 0; i < shown; ++i) {
      page.line(fmt::format("not {}: {}", route_short(host, *list[i]), group.first), 2, Ink::dim,
                4);
    }
    if (!fits) {
      page.line(fmt::format("nor {} more: {}", list.size() - shown, group.first), 2, Ink::dim, 4);
    }
  }
}

/// Rules tried for one lookup and what the tables answered.
class Walk {
 public:
  Walk(Page& page, const Snapshot& host, const Flow& seen, std::span<const Step> steps,
       std::span<const TableAsked> tables, const ExplanationView& view)
      : page_(page), host_(host), seen_(seen), steps_(steps), tables_(tables), view_(view) {}

  void print() {
    for (std::size_t i = 0; i < steps_.size();) {
      std::size_t end = i;
      while (end < steps_.size() && steps_[end].outcome == RuleOutcome::no_match) ++end;
      if (end - i > many_rules && !view_.all) {
        folded(page_, host_, steps_.subspan(i, end - i));
        i = end;
      } else {
        step(i++);
      }
    }
  }

 private:
  void step(std::size_t i) {
    const Step& step = steps_[i];
    const Rule& rule = host_.rules[step.rule];
    const std::string head = fmt::format("rule {}: {}", rule.priority, rule_line(host_, rule));
    if (step.outcome == RuleOutcome::no_match) {
      const std::string why = "no, " + mismatch_words(host_, rule, step.selector, seen_);
      if (Page::fits(head + ": " + why)) return page_.line(head + ": " + why, 0, Ink::dim);
      page_.line(head, 0, Ink::dim);
      return page_.line(why, 2, Ink::dim);
    }
    page_.line(head);
    const auto asked = std::ranges::find(tables_, i, &TableAsked::step);
    if (step.outcome == RuleOutcome::jumped) return page_.line("goes on there", 2);
    if (step.outcome == RuleOutcome::passed) {
      return page_.line(rule.action == RuleAction::goto_ ? "there is no such rule: goes on"
                                                         : "nothing to do: goes on",
                        2);
    }
    if (asked == tables_.end()) return page_.line("=> this decides", 2, Ink::bold);
    table(step, rule, *asked);
  }

  void table(const Step& step, const Rule& rule, const TableAsked& asked) {
    const Considered* taken = taken_of(asked);
    const std::span<const Considered> routes(asked.routes);
    const auto before = static_cast<std::size_t>(taken != nullptr ? taken - asked.routes.data()
                                                                  : std::ptrdiff_t{0});
    const bool fresh = told_.insert(asked.table).second;
    if (fresh && taken != nullptr) losers(page_, host_, routes.first(before), taken, view_);
    if (taken == nullptr) {
      page_.line(nothing(rule, asked), 2);
    } else {
      std::string text = "=> " + route_line(host_, host_.routes[taken->route]);
      if (step.outcome == RuleOutcome::suppressed) text += suppressed(rule);
      if (step.outcome == RuleOutcome::no_entry) text += ": the next rule is tried";
      page_.line(text, 2, step.outcome == RuleOutcome::decided ? Ink::bold : Ink::plain, 3);
    }
    if (!fresh) return;
    losers(page_, host_, taken != nullptr ? routes.subspan(before + 1) : routes, taken, view_);
  }

  [[nodiscard]] std::string nothing(const Rule& rule, const TableAsked& asked) const {
    const bool exists =
        std::ranges::find(host_.routes, rule.table, &Route::table) != host_.routes.end();
    if (!exists) {
      // Pasted texts rarely show every table: of this one nobody knows that it is empty.
      const std::string table = table_label(host_, rule.table);
      return host_.source == "import" ? fmt::format("no routes of table {} were given", table)
                                      : fmt::format("table {} is empty", table);
    }
    return fmt::format("no {} to {} there", asked.routes.empty() ? "route" : "usable route",
                       seen_.dst.str());
  }

  static std::string suppressed(const Rule& rule) {
    return rule.suppress_prefixlength
               ? fmt::format(": not taken (suppress_prefixlength {})", *rule.suppress_prefixlength)
               : std::string(": not taken (suppress_ifgroup)");
  }

  Page& page_;
  const Snapshot& host_;
  const Flow& seen_;
  std::span<const Step> steps_;
  std::span<const TableAsked> tables_;
  const ExplanationView& view_;
  std::set<TableId> told_;
};

}  // namespace

void print_rules(Page& page, const Snapshot& host, const Flow& seen, std::span<const Step> steps,
                 std::span<const TableAsked> tables, const ExplanationView& view) {
  Walk(page, host, seen, steps, tables, view).print();
}

void print_way_back(Page& page, const Snapshot& host, const Explanation& found,
                    const ExplanationView& view) {
  if (!found.lookup.source_check) return;
  const SourceCheck& check = *found.lookup.source_check;
  page.label("way back");
  if (!check.looked_up) {
    return page.line(check.passed ? "not looked up: the source is let in unseen"
                                  : "not looked up: own addresses are not let in");
  }
  std::string asked = check.flow.dst.str();
  if (!check.flow.src.is_unspecified()) asked += " from " + check.flow.src.str();
  if (check.flow.iif && *check.flow.iif != loopback_index) {
    asked += ", as if it came in by " + link_label(host, *check.flow.iif);
  }
  page.line(asked + ":");
  print_rules(page, host, check.flow, check.steps, found.way_back, view);
}

void print_decided_by(Page& page, const Snapshot& host, const Lookup& lookup) {
  const bool by_rules = lookup.ok() || lookup.verdict == Verdict::unreachable ||
                        lookup.verdict == Verdict::prohibit || lookup.verdict == Verdict::blackhole;
  if (!by_rules || !lookup.rule_priority) return;
  std::string text = fmt::format("by rule {}", *lookup.rule_priority);
  if (lookup.route) {
    const Route& route = host.routes[*lookup.route];
    text += fmt::format(", table {}, {}{}", table_label(host, route.table),
                        route.dst.length == 0 ? "default" : route.dst.str(),
                        route.metric != 0 ? fmt::format(" metric {}", route.metric) : "");
  }
  page.line(text);
}

void print_ways(Page& page, const Snapshot& host, const Lookup& lookup) {
  if (lookup.candidates.size() < 2) return;
  for (const Way& way : lookup.candidates) {
    std::string text = link_label(host, way.link);
    if (way.gateway) text += " via " + way.gateway->str();
    if (way.source && lookup.flow.src.is_unspecified()) text += ", source " + way.source->str();
    page.line(text, 2);
  }
}

void print_merged(Page& page, const Snapshot& host, const Explanation& found) {
  if (!found.merged || found.lookup.steps.size() < 2) return;
  // No dump tells it; where nobody asked the kernel, the default rules do.
  page.line(host.hidden.custom_rules_v4
                ? "(no rule was ever added here: tables local and main are still one)"
                : "(only the kernel's own rules: tables local and main taken to be one)",
            0, Ink::dim);
}

void print_gates(Page& page, const Snapshot& host, const Lookup& lookup) {
  std::string told;
  std::string unknown;
  for (const Gate& gate : gates_of(host, lookup)) {
    std::string& text = gate.value.known ? told : unknown;
    text += text.empty() ? "" : ", ";
    text += gate.value.known ? gate_words(host, gate)
                             : fmt::format("{}={}", info(gate.conf).name, gate.value.value);
  }
  if (told.empty() && unknown.empty()) return;
  page.label("gates");
  if (!told.empty()) page.line(told, 0, Ink::plain, 0);
  if (!unknown.empty()) page.line("not known, assumed: " + unknown);
}

namespace {

/// What `retour plan` may make too: of a subnet that several links share.
bool planned(const Snapshot& host, const OwnTable& own) {
  return own.to.length != 0 && own.from.is_v4() &&
         std::ranges::any_of(host.addresses, [&](const Address& address) {
           return address.link != own.link && address.local.family() == Family::v4 &&
                  (own.to.contains(address.subnet()) || address.subnet().contains(own.to));
         });
}

}  // namespace

void print_notes(Page& page, const Snapshot& host, bool all) {
  constexpr std::size_t most = 4;
  const std::size_t size = host.notes.size();
  const std::size_t shown = all || size <= most + 1 ? size : most;
  if (size > 0) page.label("notes");
  for (std::size_t i = 0; i < shown; ++i) page.line(printable(host.notes[i]), 0, Ink::dim);
  if (shown < size) page.line(fmt::format("{} more; --all shows them", size - shown), 0, Ink::dim);
}

void print_changes(Page& page, const Snapshot& host, const std::vector<Remedy>& remedies,
                   bool received) {
  page.label("change");
  for (const Remedy& remedy : remedies) {
    page.line(
        fmt::format("with {}: {}", change_words(host, remedy), then_words(host, remedy, received)));
  }
  if (std::ranges::any_of(remedies, [&](const Remedy& remedy) {
        return remedy.own_table && planned(host, *remedy.own_table);
      })) {
    page.line("(retour plan says whether it would, and what would move)", 0, Ink::dim);
  }
}

}  // namespace retour
