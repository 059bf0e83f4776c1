// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "text/export.h"
#include "text/json_lists.h"

namespace retour {

std::string render(const Export& files) {
  std::string out;
  for (const NativeFile& file : files.files) {
    out += fmt::format("{}# ---- {} ({:04o})\n{}", out.empty() ? "" : "\n", file.path, file.mode,
                       file.text);
  }
  return out;
}

std::string json_export(const Snapshot& host, std::string_view format, const Export& files) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const NativeFile& file : files.files) {
    list.push_back(
        {{"path", file.path}, {"mode", fmt::format("{:04o}", file.mode)}, {"text", file.text}});
  }
  const Json document{{"schema", "retour.export/1"},
                      {"host", printable(host.host)},
                      {"format", format},
                      {"files", std::move(list)},
                      {"notes", texts_json(files.notes)}};
  return document.dump(2) + "\n";
}

}  // namespace retour
