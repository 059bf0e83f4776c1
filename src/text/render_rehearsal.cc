// SPDX-License-Identifier: Apache-2.0
#include "text/render_rehearsal.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "text/printable.h"

namespace retour {

namespace {

using Json = nlohmann::ordered_json;

std::string milliseconds(std::chrono::microseconds took) {
  return fmt::format("{:.1f} ms", static_cast<double>(took.count()) / 1000);
}

/// Another kernel than the host's says little about that one where they differ.
std::string of_another(const Snapshot& host, const Rehearsal& rehearsal) {
  if (host.kernel.empty() || host.kernel == rehearsal.kernel) return {};
  return fmt::format(" (the host runs {})", host.kernel);
}

}  // namespace

std::string render(const Snapshot& host, const Rehearsal& rehearsal, const Style& style) {
  const bool fine = rehearsal.differences.empty();
  const std::size_t judged = rehearsal.flows - rehearsal.unlike;
  const std::string result =
      fine ? fmt::format("{} flows {}, all as the model says", judged,
                         rehearsal.changes > 0 ? "before and after" : "asked")
           : fmt::format("{} of {} flows as the model says", rehearsal.agreed, judged);
  std::string text = fmt::format("Rehearsed on kernel {}{} in a throw-away namespace: {}",
                                 rehearsal.kernel, of_another(host, rehearsal), result);
  if (rehearsal.changes > 0) {
    text += fmt::format("; {} changes took {}", rehearsal.changes, milliseconds(rehearsal.took));
  }
  std::string out =
      style.paint(fine ? Ink::green : Ink::red, wrap(printable(text) + ".", 2)) + "\n";
  constexpr std::size_t shown = 8;
  for (std::size_t i = 0; i < rehearsal.differences.size() && i < shown; ++i) {
    const Difference& each = rehearsal.differences[i];
    out += "  " +
           wrap(printable(fmt::format("{}, {}: the model says {}, the kernel {}",
                                      each.after ? "after" : "before", each.what, each.model,
                                      each.kernel)),
                6, 78) +
           "\n";
  }
  if (rehearsal.not_cloned.empty()) return out;
  std::string lacking = fmt::format("Not cloned ({}", rehearsal.not_cloned.size());
  lacking += rehearsal.unlike == 0
                 ? ")"
                 : fmt::format("; {} flows for that judge nothing)", rehearsal.unlike);
  for (std::size_t i = 0; i < rehearsal.not_cloned.size() && i < shown; ++i) {
    lacking += (i == 0 ? ": " : "; ") + rehearsal.not_cloned[i];
  }
  if (rehearsal.not_cloned.size() > shown) lacking += "; … (--json lists all)";
  return out + wrap(printable(lacking), 2) + "\n";
}

std::string with_rehearsal(const std::string& document, const Rehearsal& rehearsal) {
  Json differences = Json::array();
  for (const Difference& each : rehearsal.differences) {
    differences.push_back({{"what", printable(each.what)},
                           {"when", each.after ? "after" : "before"},
                           {"model", printable(each.model)},
                           {"kernel", printable(each.kernel)}});
  }
  Json not_cloned = Json::array();
  for (const std::string& each : rehearsal.not_cloned) not_cloned.push_back(printable(each));
  Json whole = Json::parse(document);
  whole["rehearsal"] = {{"kernel", printable(rehearsal.kernel)},
                        {"flows", rehearsal.flows},
                        {"agreed", rehearsal.agreed},
                        {"unlike", rehearsal.unlike},
                        {"changes", rehearsal.changes},
                        {"changes_us", rehearsal.took.count()},
                        {"differences", std::move(differences)},
                        {"not_cloned", std::move(not_cloned)}};
  return whole.dump(2) + "\n";
}

}  // namespace retour
