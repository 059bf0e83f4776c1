// SPDX-License-Identifier: Apache-2.0
#include "text/render_explanation.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/explain_words.h"
#include "text/lines.h"
#include "text/page.h"
#include "text/printable.h"
#include "text/remedy_words.h"
#include "text/render_rules.h"

namespace retour {

namespace {

Ink ink_of(const Lookup& lookup) { return lookup.ok() ? Ink::green : Ink::red; }

}  // namespace

std::string render(const Snapshot& host, const Explanation& found, const ExplanationView& view,
                   const Style& style) {
  const Lookup& lookup = found.lookup;
  Page page(style);
  page.label("asked");
  page.line(flow_words(host, lookup.flow), 0, Ink::bold);
  page.label("answer");
  page.line(outcome_words(host, lookup), 0, ink_of(lookup));
  if (const std::string reason = outcome_reason(host, lookup); !reason.empty()) {
    page.line(reason, 0, Ink::plain, 0);
  }
  print_ways(page, host, lookup);
  print_decided_by(page, host, lookup);
  if (found.socket) {
    page.label("socket");
    page.line("a socket gets another answer: " + outcome_words(host, *found.socket), 0,
              ink_of(*found.socket));
  }
  if (!found.if_set.empty()) {
    page.label("unknown");
    for (const Remedy& remedy : found.if_set) {
      page.line(fmt::format("if {}: {}", setting_words(host, remedy.settings.front()),
                            then_words(host, remedy, lookup.flow.iif.has_value())));
    }
  }
  if (!lookup.steps.empty()) {
    page.label("rules");
    print_rules(page, host, found.seen, lookup.steps, found.tables, view);
    print_merged(page, host, found);
  }
  print_way_back(page, host, found, view);
  print_gates(page, host, lookup);
  if (!found.remedies.empty())
    print_changes(page, host, found.remedies, lookup.flow.iif.has_value());
  print_notes(page, host, view.all);
  return page.take();
}

std::string render_check(const Snapshot& host, const Lookup& lookup, const KernelCheck& check,
                         const Style& style) {
  Page page(style);
  page.label("check");
  const std::string kernel = printable(describe(host, check.answer));
  // Asked of a received IPv6 packet, it judges neither addresses nor forwarding.
  const bool tables_only = lookup.flow.iif && !lookup.flow.dst.is_v4();
  if (!check.differs) {
    page.line("not compared: the kernel can be asked of tcp, udp and icmp only");
  } else if (check.differs->empty()) {
    page.line(fmt::format("the kernel {}says the same: {}",
                          tables_only ? "(asked of rules and tables alone) " : "", kernel),
              0, Ink::green);
  } else {
    page.line("THE KERNEL DIFFERS: " + printable(*check.differs), 0, Ink::red);
    page.line("its answer: " + kernel);
    page.line(
        "Unless an ICMP redirect taught it so (no table shows that; ip route get does), "
        "retour is wrong: please report it, with retour snapshot.",
        0, Ink::plain, 0);
  }
  return page.take();
}

}  // namespace retour
