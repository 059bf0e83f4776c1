// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "text/lines.h"
#include "text/printable.h"
#include "text/render_report.h"

namespace retour {

namespace {

std::string way(const Snapshot& host, const Lookup& lookup) {
  if (!lookup.ok()) return std::string(name(lookup.verdict));
  std::string text = printable(host.link_name(lookup.link));
  if (lookup.gateway) text += " via " + lookup.gateway->str();
  return text;
}

/// One heading for a run of changes that mean the same.
const char* meaning(const Change& change) {
  if (const auto* add = std::get_if<AddRoute>(&change.operation)) {
    return add->route.next_hops.front().gateway ? "and what is behind its own gateway:"
                                                : "each NIC reaches the subnet by itself:";
  }
  if (const auto* rule = std::get_if<AddRule>(&change.operation)) {
    if (rule->rule.action != RuleAction::lookup) {
      return "what the NICs reach on their wires passes by the wider guards:";
    }
    return rule->rule.from ? "what an address sends leaves by its own NIC:"
                           : "what main knows better than the subnet stays with main, also later:";
  }
  if (std::holds_alternative<SetConf>(change.operation)) {
    return "no NIC answers ARP for another one's address:";
  }
  return std::holds_alternative<DeleteRoute>(change.operation) ? "ours, and out of date:"
                                                               : "ours, and no longer of use:";
}

/// Without the "from all" that says nothing.
std::string brief(const Snapshot& host, const Rule& rule) {
  constexpr std::string_view idle = "from all ";
  std::string line = rule_line(host, rule);
  if (rule.to && line.starts_with(idle)) line.erase(0, idle.size());
  return line;
}

std::string short_form(const Snapshot& host, const Change& change) {
  if (const auto* c = std::get_if<AddRoute>(&change.operation)) {
    return fmt::format("+ route {} table {}", route_line(host, c->route), c->route.table.value);
  }
  if (const auto* c = std::get_if<DeleteRoute>(&change.operation)) {
    return fmt::format("- route {} table {}", route_line(host, c->route), c->route.table.value);
  }
  if (const auto* c = std::get_if<AddRule>(&change.operation)) {
    return fmt::format("+ rule {}: {}", c->rule.priority, brief(host, c->rule));
  }
  if (const auto* c = std::get_if<DeleteRule>(&change.operation)) {
    return fmt::format("- rule {}: {}", c->rule.priority, brief(host, c->rule));
  }
  const auto& c = std::get<SetConf>(change.operation);
  return fmt::format("~ net.ipv4.conf.{}.{}: {} -> {}", printable(c.link_name), info(c.conf).name,
                     c.before, c.after);
}

std::size_t count(const Plan& plan, std::size_t kind) {
  return static_cast<std::size_t>(std::ranges::count_if(
      plan.changes, [&](const Change& change) { return change.operation.index() == kind; }));
}

std::string plural(std::size_t n, const char* noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string summary(const Plan& plan) {
  std::string text;
  const auto add = [&](std::size_t n, const std::string& what) {
    if (n > 0) text += (text.empty() ? "" : ", ") + what;
  };
  const std::size_t routes = count(plan, 0);
  const auto guards =
      static_cast<std::size_t>(std::ranges::count_if(plan.changes, [](const Change& change) {
        const auto* add_rule = std::get_if<AddRule>(&change.operation);
        return add_rule != nullptr && !add_rule->rule.from;
      }));
  const std::size_t rules = count(plan, 2) - guards;
  add(routes, plural(routes, "route"));
  add(rules, plural(rules, "rule"));
  add(guards, plural(guards, "guard rule"));
  add(count(plan, 4), plural(count(plan, 4), "sysctl"));
  const std::size_t removals = count(plan, 1) + count(plan, 3);
  add(removals, plural(removals, "removal"));
  return text;
}

/// What else a flow that is not being cured has; of those that are it does not matter.
std::string selectors(const Snapshot& host, const PathChange& path) {
  const Flow& flow = path.before.flow;
  if (path.expected) return {};
  std::string text;
  if (flow.iif) text += " iif " + printable(host.link_name(*flow.iif));
  if (flow.mark != 0) text += fmt::format(" mark {:#x}", flow.mark);
  if (flow.tos != 0) text += fmt::format(" tos {:#x}", flow.tos);
  if (flow.ip_proto != 0) text += fmt::format(" ipproto {}", flow.ip_proto);
  if (flow.sport != 0) text += fmt::format(" sport {}", flow.sport);
  if (flow.dport != 0) text += fmt::format(" dport {}", flow.dport);
  if (flow.uid != 0) text += fmt::format(" uid {}", flow.uid);
  return text;
}

std::string impact_text(const Snapshot& host, const Plan& plan, const Style& style) {
  if (plan.impact.changed.empty()) {
    return fmt::format("Impact: no flow changes its path ({} classes compared).\n",
                       plan.impact.classes);
  }
  std::string out = fmt::format("Impact: {} of {} classes of flows change their path:\n",
                                plan.impact.changed.size(), plan.impact.classes);
  Table table;
  table.row({{"from", Ink::dim}, {"to", Ink::dim}, {"before", Ink::dim}, {"after", Ink::dim}, {}});
  constexpr std::size_t shown = 32;
  std::size_t rows = 0;
  std::set<std::vector<std::string>> known;
  for (const PathChange& path : plan.impact.changed) {
    std::vector<std::string> row{
        (path.source ? path.source->str() : "unbound") + selectors(host, path),
        path.destinations.length == 0 ? "any other" : path.destinations.str(),
        way(host, path.before), way(host, path.after)};
    if (!known.insert(row).second) continue;
    if (++rows > shown) continue;
    std::vector<Table::Cell> cells;
    cells.reserve(row.size() + 1);
    for (std::string& text : row) cells.push_back({std::move(text)});
    cells.push_back({path.expected ? "" : "UNEXPECTED", Ink::red});
    table.row(std::move(cells));
  }
  out += table.str(style);
  if (rows > shown) {
    out += fmt::format("  and {} more (--json lists all)\n", rows - shown);
  }
  if (std::ranges::all_of(plan.impact.changed, &PathChange::expected)) {
    out += "  Nothing else moves: no unbound, forwarded or marked flow, no other address.\n";
  }
  return out;
}

}  // namespace

std::string render(const Snapshot& host, const Plan& plan, const Style& style) {
  std::string out;
  if (!plan.pending() && !plan.refused) return "Nothing to do.\n";
  if (!plan.tables.empty()) {
    out += "Tables, one per NIC:\n";
    Table tables;
    for (const PlannedTable& table : plan.tables) {
      tables.row({{std::to_string(table.id.value)},
                  {table.name},
                  {printable(host.link_name(table.link)), Ink::dim}});
    }
    out += tables.str(style) + "\n";
  }
  if (plan.pending()) {
    out += fmt::format("Changes ({}), in this order:\n", summary(plan));
    const char* heading = nullptr;
    for (const Change& change : plan.changes) {
      const char* what = meaning(change);
      if (what != heading) out += "  " + style.paint(Ink::dim, what) + "\n";
      heading = what;
      out += fmt::format("  {}\n", wrap(short_form(host, change), 6));
    }
    out += "\n" + impact_text(host, plan, style) + "\n";
    const auto same =
        std::ranges::count(plan.after.round_trips, DoorVerdict::same_door, &RoundTrip::verdict);
    out += fmt::format("After it, in the model: {} of {} round trips by the same door.\n", same,
                       plan.after.round_trips.size());
  }
  if (plan.refused) {
    out += style.paint(Ink::red, wrap("Refused: " + printable(*plan.refused), 2)) + "\n";
  }
  return out;
}

}  // namespace retour
