// SPDX-License-Identifier: Apache-2.0
#include "text/render_impact.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "plan/protection.h"
#include "text/printable.h"

namespace retour {

namespace {

constexpr std::size_t shown_rows = 16;  // of each kind: what is expected, and what is not
constexpr std::size_t screen = 80;

struct Row {
  std::vector<std::string> from;
  std::vector<std::string> to;
  std::string selectors;
  std::string before;
  std::string after;
  bool expected{};
};

/// What else a flow that is not being cured has; of those that are it does not matter.
std::string selectors(const Snapshot& host, const PathChange& path) {
  const Flow& flow = path.before.flow;
  if (path.expected) return {};
  std::string text;
  if (flow.iif) text += " iif " + printable(host.link_name(*flow.iif));
  if (flow.oif) text += " oif " + printable(host.link_name(*flow.oif));
  if (flow.mark != 0) text += fmt::format(" mark {:#x}", flow.mark);
  if (flow.tos != 0) text += fmt::format(" tos {:#x}", flow.tos);
  if (flow.ip_proto != 0) text += fmt::format(" ipproto {}", flow.ip_proto);
  if (flow.sport != 0) text += fmt::format(" sport {}", flow.sport);
  if (flow.dport != 0) text += fmt::format(" dport {}", flow.dport);
  if (flow.uid != 0) text += fmt::format(" uid {}", flow.uid);
  return text;
}

std::string sender(const PathChange& path) {
  if (path.senders) return path.senders->length == 0 ? "anyone" : path.senders->str();
  return path.source ? path.source->str() : "unbound";
}

std::string receivers(const Prefix& prefix) {
  return prefix.length == 0 ? "any other" : prefix.str();
}

/// Rows that are alike but for one member are one, which has all of theirs; in order of the first.
template <class Member, class Key>
std::vector<Row> merge(std::vector<Row> rows, Member member, const Key& key) {
  std::vector<Row> merged;
  std::map<decltype(key(rows.front())), std::size_t> known;
  for (Row& row : rows) {
    const auto [it, fresh] = known.try_emplace(key(row), merged.size());
    if (fresh) {
      merged.push_back(std::move(row));
      continue;
    }
    auto& all = merged[it->second].*member;
    for (std::string& text : row.*member) {
      if (std::ranges::find(all, text) == all.end()) all.push_back(std::move(text));
    }
  }
  return merged;
}

std::vector<Row> rows_of(const Snapshot& host, const Impact& impact) {
  std::vector<Row> rows;
  // An ordinary flow stands for the same one with a mark or a port.
  std::map<std::tuple<std::string, std::string, std::string, std::string, bool>, std::size_t> known;
  for (const PathChange& path : impact.changed) {
    Row row{{sender(path)},
            {receivers(path.destinations)},
            selectors(host, path),
            printable(describe_way(host, path.before)),
            printable(describe_way(host, path.after)),
            path.expected};
    const auto [it, fresh] = known.try_emplace(
        {row.from.front(), row.to.front(), row.before, row.after, row.expected}, rows.size());
    if (fresh) {
      rows.push_back(std::move(row));
    } else if (row.selectors.size() < rows[it->second].selectors.size()) {
      rows[it->second].selectors = std::move(row.selectors);
    }
  }
  if (rows.empty()) return rows;
  rows = merge(std::move(rows), &Row::to, [](const Row& row) {
    return std::tuple(row.from, row.selectors, row.before, row.after, row.expected);
  });
  return merge(std::move(rows), &Row::from, [](const Row& row) {
    return std::tuple(row.to, row.selectors, row.before, row.after, row.expected);
  });
}

/// Many addresses that each get their own door are one line for each door they leave by now.
std::vector<Row> own_doors(std::vector<Row> rows) {
  if (rows.size() <= shown_rows) return rows;
  for (Row& row : rows) row.after = "each its own NIC";
  return merge(std::move(rows), &Row::from,
               [](const Row& row) { return std::tuple(row.to, row.before, row.selectors); });
}

std::string few(const std::vector<std::string>& all) {
  if (all.size() == 1) return all.front();
  if (all.size() == 2) return all.front() + ", " + all.back();
  return fmt::format("{} and {} more", all.front(), all.size() - 1);
}

/// A table where its lines fit, else a line or two for each row.
std::string diff(const std::vector<Row>& rows, const Style& style) {
  std::vector<std::vector<std::string>> texts;
  std::array<std::size_t, 5> widths{4, 2, 6, 5, 0};
  const std::size_t count = std::min(rows.size(), shown_rows);
  for (std::size_t i = 0; i < count; ++i) {
    const Row& row = rows[i];
    texts.push_back({few(row.from) + row.selectors, few(row.to), row.before, row.after,
                     row.expected ? "" : "UNEXPECTED"});
    for (std::size_t k = 0; k < widths.size(); ++k) {
      widths[k] = std::max(widths[k], columns(texts.back()[k]));
    }
  }
  std::size_t width = 2;
  for (const std::size_t one : widths) width += one + (one > 0 ? 2 : 0);
  std::string out;
  if (width - 2 <= screen) {
    Table table;
    table.row(
        {{"from", Ink::dim}, {"to", Ink::dim}, {"before", Ink::dim}, {"after", Ink::dim}, {}});
    for (const auto& text : texts) {
      table.row({{text[0]}, {text[1]}, {text[2]}, {text[3]}, {text[4], Ink::red}});
    }
    out = table.str(style);
  } else {
    for (const auto& text : texts) {
      out += "  " + (text[4].empty() ? "" : style.paint(Ink::red, text[4]) + " ") +
             wrap(fmt::format("from {}", text[0]), 4, screen - 14) + "\n    " +
             wrap(fmt::format("to {}: {} -> {}", text[1], text[2], text[3]), 6, screen - 4) + "\n";
    }
  }
  if (rows.size() > count) {
    out += fmt::format("  and {} more lines like these (--json lists all)\n", rows.size() - count);
  }
  return out;
}

std::string connections_text(const Snapshot& host, const Impact& impact, const Style& style) {
  if (!impact.connections) {
    return "  Open TCP connections are not known here, and so not protected.\n";
  }
  const auto& moved = *impact.connections;
  if (moved.empty()) return "  No established TCP connection moves.\n";
  std::string out = fmt::format("  {} established TCP connection{}:\n", moved.size(),
                                moved.size() == 1 ? " moves" : "s move");
  for (std::size_t i = 0; i < std::min(moved.size(), shown_rows); ++i) {
    const MovedConnection& one = moved[i];
    const std::string line = fmt::format("{}{}: {} -> {}", describe(one.connection),
                                         one.connection.of_operator ? ", your own login" : "",
                                         printable(describe_way(host, one.before)),
                                         printable(describe_way(host, one.after)));
    const std::string folded = wrap(line, 6, screen - 4);
    out += "    " + (one.connection.of_operator ? style.paint(Ink::yellow, folded) : folded) + "\n";
  }
  if (moved.size() > shown_rows) {
    out += fmt::format("    and {} more (--json lists all)\n", moved.size() - shown_rows);
  }
  return out;
}

}  // namespace

std::string render(const Snapshot& host, const Impact& impact, const Style& style) {
  if (impact.changed.empty()) {
    return fmt::format("Impact: no flow changes its path ({} classes compared).\n",
                       impact.classes) +
           connections_text(host, impact, style);
  }
  std::string out = fmt::format("Impact: {} of {} classes of flows change their path:\n",
                                impact.changed.size(), impact.classes);
  std::vector<Row> unexpected = rows_of(host, impact);
  std::vector<Row> cures;
  std::ranges::copy_if(unexpected, std::back_inserter(cures), &Row::expected);
  std::erase_if(unexpected, [](const Row& row) { return row.expected; });
  if (!unexpected.empty()) out += diff(unexpected, style);
  if (!cures.empty()) {
    if (!unexpected.empty()) out += "  and what is being cured:\n";
    out += diff(own_doors(std::move(cures)), style);
  }
  if (unexpected.empty()) {
    out +=
        "  Nothing else moves: no other address, no unbound, device-bound, forwarded or\n"
        "  marked flow.\n";
  }
  return out + connections_text(host, impact, style);
}

}  // namespace retour
