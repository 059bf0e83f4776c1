// SPDX-License-Identifier: Apache-2.0
#include "text/remedy_words.h"

#include <fmt/format.h>

#include "text/explain_words.h"
#include "text/lines.h"

namespace retour {

namespace {

constexpr std::size_t shown_settings = 4;

std::string own_table_words(const Snapshot& host, const OwnTable& own) {
  return fmt::format("a rule \"from {}\" to a table with {}{} dev {}", own.from.str(),
                     own.to.length == 0 ? "default" : own.to.str(),
                     own.gateway ? " via " + own.gateway->str() : "", link_label(host, own.link));
}

}  // namespace

std::string change_words(const Snapshot& host, const Remedy& remedy) {
  std::string text = remedy.own_table ? own_table_words(host, *remedy.own_table) : "";
  for (std::size_t i = 0; i < remedy.settings.size(); ++i) {
    if (i == shown_settings && remedy.settings.size() > shown_settings + 1) {
      return text + fmt::format(" and {} more links", remedy.settings.size() - i);
    }
    // Of many links with the same value the value is said once.
    const bool same = i > 0 && remedy.settings[i].link && remedy.settings[i - 1].link &&
                      remedy.settings[i].conf == remedy.settings[i - 1].conf;
    const std::string words =
        same ? link_label(host, *remedy.settings[i].link) : setting_words(host, remedy.settings[i]);
    text += (text.empty() ? "" : same ? ", " : " and ") + words;
  }
  return text;
}

std::string then_words(const Snapshot& host, const Remedy& remedy, bool received) {
  if (remedy.door) {
    std::string text(name(*remedy.door));
    if (remedy.cause != Cause::none) text += fmt::format(" ({})", name(remedy.cause));
    return text;
  }
  switch (remedy.verdict) {
    case Verdict::local:
      return received ? "it would be delivered" : "it would stay on this host";
    case Verdict::unicast:
      return fmt::format("it would {} by {}", received ? "be forwarded" : "leave",
                         link_label(host, remedy.link));
    case Verdict::broadcast:
    case Verdict::multicast:
    case Verdict::anycast:
      return fmt::format("it would pass as {}", name(remedy.verdict));
    case Verdict::rp_filter:
      return "it would be dropped by rp_filter";
    default:
      return fmt::format("it would be {}: {}", received ? "dropped" : "refused",
                         name(remedy.verdict));
  }
}

}  // namespace retour
