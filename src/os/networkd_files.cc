// SPDX-License-Identifier: Apache-2.0
#include "os/networkd_files.h"

#include <charconv>
#include <filesystem>
#include <fstream>

namespace retour {

std::map<IfIndex, std::string> networkd_files(const std::string& root) {
  namespace fs = std::filesystem;
  constexpr std::string_view key = "NETWORK_FILE=";
  std::map<IfIndex, std::string> used;
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(root + "/run/systemd/netif/links", failed)) {
    const std::string name = each.path().filename();
    IfIndex link;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), link.value);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    std::ifstream in(each.path());
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(key) && line.size() > key.size()) used[link] = line.substr(key.size());
    }
  }
  return used;
}

}  // namespace retour
