// SPDX-License-Identifier: Apache-2.0
#include "plan/describe.h"
#include "text/export.h"
#include "text/export_parts.h"

namespace retour {

namespace {

constexpr std::string_view format = "iproute2";

/// The lines of one family. Routes first: no rule leads to an empty table.
std::string batch(const Native& all, Family family) {
  std::string lines;
  const auto add = [&](const Change& change) {
    std::string line = ip_command(change, all.host);
    // The family is an option of the whole batch.
    if (line.starts_with("-6 ")) line.erase(0, 3);
    if (line.starts_with("route add ")) line.replace(0, 10, "route replace ");
    lines += line + "\n";
  };
  for (const Route& route : all.routes) {
    if (route.family() == family) add({AddRoute{route}, ""});
  }
  for (const Rule& rule : all.rules) {
    if (rule.family == family) add({AddRule{rule}, ""});
  }
  return lines;
}

void add_batch(const Native& all, Family family, Export& out) {
  const std::string lines = batch(all, family);
  if (lines.empty()) return;
  const std::string path = family == Family::v4 ? "/etc/retour/ip.batch" : "/etc/retour/ip6.batch";
  const char* option = family == Family::v4 ? "-4" : "-6";
  out.files.push_back({path, 0644,
                       fmt::format("{}# ip {} -force -batch {}\n{}", native_text::mark(format),
                                   option, path, lines)});
}

/// What ip_command() says in a comment at the end: iproute2 has no words for it.
bool leaves_something_out(const Native& all) {
  for (const Family family : {Family::v4, Family::v6}) {
    if (batch(all, family).find(" # not said: ") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Result<Export> export_iproute2(const Native& all) {
  if (auto fine = native_text::check_names(format, all); !fine) return fail(fine.error());
  if (leaves_something_out(all)) {
    return native_text::no_word(format, "an attribute of a rule or route of this plan");
  }
  Export out;
  add_batch(all, Family::v4, out);
  add_batch(all, Family::v6, out);
  native_text::add_sysctls(format, all, out);
  std::string names;
  for (const PlannedTable& table : all.tables) {
    names += fmt::format("{} {}\n", table.id.value, table.name);
  }
  if (!names.empty()) {
    out.files.push_back(
        {"/etc/iproute2/rt_tables.d/retour-export.conf", 0644, native_text::mark(format) + names});
  }
  out.notes.emplace_back(
      "routes are replaced; a rule that is there already is an error that -force goes past");
  out.notes.emplace_back(
      "nothing runs these lines by itself: neither at boot nor when a NIC comes back");
  return out;
}

}  // namespace retour
