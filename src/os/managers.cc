// SPDX-License-Identifier: Apache-2.0
#include "os/managers.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace retour {

namespace {

namespace fs = std::filesystem;

std::set<std::string> processes(const std::string& root) {
  std::set<std::string> names;
  std::error_code failed;
  const fs::path own = fs::read_symlink(root + "/proc/self/ns/net", failed);
  for (const auto& each : fs::directory_iterator(root + "/proc", failed)) {
    const std::string pid = each.path().filename();
    if (!std::ranges::all_of(pid, [](char c) { return c >= '0' && c <= '9'; })) continue;
    const fs::path theirs = fs::read_symlink(each.path() / "ns/net", failed);
    if (!own.empty() && !theirs.empty() && own != theirs) continue;
    std::ifstream in(each.path() / "comm");
    std::string name;
    if (std::getline(in, name) && !name.empty()) names.insert(name);
  }
  return names;
}

void read_into(const std::string& root, const std::string& path, std::vector<ConfigFile>& files) {
  std::ifstream in(root + path);
  if (!in) return;
  files.push_back({path, {std::istreambuf_iterator<char>(in), {}}});
}

std::vector<ConfigFile> networkd_conf(const std::string& root) {
  std::vector<ConfigFile> files;
  for (const std::string_view directory : systemd_directories) {
    const std::string main = std::string(directory) + "/networkd.conf";
    read_into(root, main, files);
    std::error_code failed;
    for (const auto& each : fs::directory_iterator(root + main + ".d", failed)) {
      read_into(root, main + ".d/" + each.path().filename().string(), files);
    }
  }
  return files;
}

}  // namespace

ManagerTraces look_for_managers(const std::string& root) {
  ManagerTraces traces;
  for (const std::string_view pattern : manager_paths()) {
    glob_t found{};
    if (glob((root + std::string(pattern)).c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) {
        traces.paths.insert(std::string(found.gl_pathv[i]).substr(root.size()));
      }
    }
    globfree(&found);
  }
  traces.processes = processes(root);
  traces.networkd = networkd_conf(root);
  return traces;
}

}  // namespace retour
