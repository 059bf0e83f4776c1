// SPDX-License-Identifier: Apache-2.0
#include "os/table_names_file_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

namespace retour {
namespace {

namespace fs = std::filesystem;

void push_stamp(const std::string& path, std::vector<std::uint64_t>& stamps) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) found = {};
  stamps.push_back(found.st_ino);
  stamps.push_back(static_cast<std::uint64_t>(found.st_size));
  stamps.push_back(static_cast<std::uint64_t>(found.st_mtim.tv_sec));
  stamps.push_back(static_cast<std::uint64_t>(found.st_mtim.tv_nsec));
}

std::vector<std::string> conf_files(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    if (path.extension() == ".conf" && path.stem() != "") names.push_back(path.filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::optional<TableId> parse_id(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  TableId id;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), id.value, hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

constexpr std::string_view blank = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blank));
  line.remove_prefix(word.size());
  return word;
}

void read_file(const std::string& path, TableNamesRead& out) {
  std::ifstream file(path);
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    std::string_view line = text;
    line = line.substr(0, line.find('#'));
    const std::string_view id_word = next_word(line);
    if (id_word.empty()) continue;
    const std::string_view name = next_word(line);
    const auto id = parse_id(id_word);
    if (!id || name.empty()) {
      out.notes.push_back(
          fmt::format("{}, line {} is not a table id and its name, and is passed over (iproute2 "
                      "ends reading there)",
                      path, number));
      continue;
    }
    out.names[*id] = std::string(name);
  }
}

}  // namespace

TableNamesReader::TableNamesReader(std::string etc, std::vector<std::string> usr)
    : etc_(std::move(etc)), usr_(std::move(usr)) {}

std::vector<std::string> TableNamesReader::find_files() const {
  std::vector<std::string> files;
  std::error_code error;
  std::vector<std::string> mains{etc_ + "/rt_tables"};
  for (const std::string& usr : usr_) mains.push_back(usr + "/rt_tables");
  const auto main =
      std::ranges::find_if(mains, [&](const auto& path) { return fs::exists(path, error); });
  if (main != mains.end()) files.push_back(*main);

  const std::vector<std::string> of_etc = conf_files(etc_ + "/rt_tables.d");
  std::set<std::string> shadowed(of_etc.begin(), of_etc.end());
  for (const std::string& usr : usr_) {
    for (const std::string& name : conf_files(usr + "/rt_tables.d")) {
      if (shadowed.insert(name).second) files.push_back(usr + "/rt_tables.d/" + name);
    }
  }
  for (const std::string& name : of_etc) files.push_back(etc_ + "/rt_tables.d/" + name);
  return files;
}

std::vector<std::uint64_t> TableNamesReader::stamps_now() const {
  std::vector<std::uint64_t> stamps;
  std::vector<std::string> places{etc_};
  places.insert(places.end(), usr_.begin(), usr_.end());
  for (const std::string& place : places) {
    push_stamp(place + "/rt_tables", stamps);
    push_stamp(place + "/rt_tables.d", stamps);
  }
  for (const std::string& file : files_) push_stamp(file, stamps);
  return stamps;
}

const TableNamesRead& TableNamesReader::read() {
  if (!stamps_.empty() && stamps_now() == stamps_) return last_;
  files_ = find_files();
  // Stamped before reading: a write in between is seen by the next read.
  stamps_ = stamps_now();
  last_ = {};
  last_.names = {{table_default, "default"}, {table_main, "main"}, {table_local, "local"}};
  for (const std::string& file : files_) read_file(file, last_);
  return last_;
}

}  // namespace retour
