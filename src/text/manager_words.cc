// SPDX-License-Identifier: Apache-2.0
#include "text/manager_words.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "text/printable.h"

namespace retour {

namespace {

std::string paragraph(const Configurator& manager, const Style& style) {
  std::string out =
      fmt::format("  {} ({})\n", style.paint(Ink::bold, manager.name), printable(manager.evidence));
  out += "    " +
         style.paint(manager.removes ? Ink::yellow : Ink::plain,
                     wrap(printable(manager.effect), 4, 76)) +
         "\n";
  for (const auto& [key, value] : manager.settings) {
    out += "    " + wrap(fmt::format("{}={}", key, printable(value)), 6, 76) + "\n";
  }
  if (manager.drop_in) {
    out += "    " +
           wrap(fmt::format("{} would stop it: retour apply --persist writes it",
                            manager.drop_in->path),
                4, 76) +
           "\n";
  }
  return out;
}

}  // namespace

std::string render(const std::vector<Configurator>& managers, const Style& style) {
  std::string out;
  for (const Configurator& manager : managers) out += paragraph(manager, style);
  return out;
}

std::string render_threats(const std::vector<Configurator>& managers, const Style& style) {
  std::string out;
  for (const Configurator& manager : managers) {
    if (manager.removes) out += paragraph(manager, style);
  }
  return out.empty() ? out : "It does not last beside:\n" + out;
}

nlohmann::ordered_json managers_json(const std::optional<std::vector<Configurator>>& managers) {
  using Json = nlohmann::ordered_json;
  if (!managers) return nullptr;
  Json list = Json::array();
  for (const Configurator& manager : *managers) {
    Json settings = Json::object();
    for (const auto& [key, value] : manager.settings) settings[key] = printable(value);
    list.push_back({{"name", manager.name},
                    {"running", manager.running},
                    {"evidence", printable(manager.evidence)},
                    {"effect", printable(manager.effect)},
                    {"removes_ours", manager.removes},
                    {"settings", std::move(settings)},
                    {"drop_in", manager.drop_in ? Json{{"path", manager.drop_in->path},
                                                       {"text", manager.drop_in->text},
                                                       {"then", manager.then}}
                                                : Json(nullptr)}});
  }
  return list;
}

}  // namespace retour
