// SPDX-License-Identifier: Apache-2.0
#include "plan/networkd_conf.h"

#include <algorithm>
#include <map>
#include <optional>

namespace retour {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// parse_boolean() of systemd.
std::optional<bool> parse_boolean(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  for (const char* yes : {"1", "yes", "y", "true", "t", "on"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"0", "no", "n", "false", "f", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

std::size_t rank_of(std::string_view path) {
  for (std::size_t i = 0; i < systemd_directories.size(); ++i) {
    if (path.starts_with(systemd_directories[i]) &&
        path.substr(systemd_directories[i].size()).starts_with("/networkd.conf")) {
      return i;
    }
  }
  return systemd_directories.size();
}

void read_file(const ConfigFile& file, NetworkdConf& conf) {
  std::string_view rest = file.text;
  bool in_network = false;
  std::string line;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    const std::string_view bare = trim(part);
    // A comment between the lines of a continued one is passed over.
    if (bare.starts_with('#') || bare.starts_with(';')) continue;
    if (part.ends_with('\\')) {
      line += std::string(part.substr(0, part.size() - 1)) + " ";
      continue;
    }
    line += part;
    const std::string whole(trim(line));
    line.clear();
    if (whole.starts_with('[')) {
      in_network = whole == "[Network]";
      continue;
    }
    const auto equals = whole.find('=');
    if (!in_network || equals == std::string::npos) continue;
    const std::string_view key = trim(std::string_view(whole).substr(0, equals));
    const auto value = parse_boolean(trim(std::string_view(whole).substr(equals + 1)));
    if (!value) continue;
    if (key == "ManageForeignRoutingPolicyRules") conf.rules = {*value, file.path};
    if (key == "ManageForeignRoutes") conf.routes = {*value, file.path};
    if (key == "ManageForeignNextHops") conf.next_hops = {*value, file.path};
  }
}

}  // namespace

NetworkdConf read_networkd_conf(std::span<const ConfigFile> files) {
  const ConfigFile* main = nullptr;
  std::map<std::string, const ConfigFile*> drop_ins;
  for (const ConfigFile& file : files) {
    const std::size_t rank = rank_of(file.path);
    if (rank == systemd_directories.size()) continue;
    const std::string name = file.path.substr(file.path.find_last_of('/') + 1);
    const bool is_main = file.path.ends_with("/networkd.conf");
    const ConfigFile*& place = is_main ? main : drop_ins[name];
    if (place == nullptr || rank < rank_of(place->path)) place = &file;
  }
  NetworkdConf conf;
  if (main != nullptr) read_file(*main, conf);
  for (const auto& [name, file] : drop_ins) {
    if (name.ends_with(".conf")) read_file(*file, conf);
  }
  return conf;
}

}  // namespace retour
