// SPDX-License-Identifier: Apache-2.0
#include "os/table_names_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <string_view>

#include "os/durable_file.h"

namespace retour {
namespace {

constexpr std::string_view header = "# made by retour; removed by retour undo\n";
// The file remembers for its removal which directories were made for it: "." is iproute2's own.
constexpr std::string_view created_prefix = "# created:";
constexpr std::string_view created_root = " .";
constexpr std::string_view created_below = " rt_tables.d";

struct Created {
  bool root{};
  bool below{};
};

Created created_by(std::string_view content) {
  const auto start = content.find(created_prefix);
  if (start == std::string_view::npos) return {};
  const std::string_view line = content.substr(start, content.find('\n', start) - start);
  return {line.find(created_root) != std::string_view::npos,
          line.find(created_below) != std::string_view::npos};
}

bool safe(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

std::string render(std::span<const PlannedTable> tables, Created created) {
  std::string text(header);
  if (created.root || created.below) {
    text += fmt::format("{}{}{}\n", created_prefix, created.root ? created_root : "",
                        created.below ? created_below : "");
  }
  for (const PlannedTable& table : tables) {
    text += fmt::format("{} {}\n", table.id.value, table.name);
  }
  return text;
}

bool is_directory(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace

TableNamesPlace table_names_place(const Netns& netns, const std::optional<std::string>& netns_name,
                                  const std::string& etc) {
  if (netns.initial()) return {etc + "/iproute2", "retour"};
  if (netns_name) {
    const std::string own = fmt::format("{}/netns/{}/iproute2", etc, *netns_name);
    if (is_directory(own)) return {own, "retour"};
  }
  return {etc + "/iproute2", fmt::format("retour-{:x}", netns.cookie())};
}

TableNamesFile::TableNamesFile(TableNamesPlace place)
    : root_(std::move(place.directory)),
      directory_(root_ + "/rt_tables.d"),
      path_(fmt::format("{}/{}.conf", directory_, place.stem)) {}

Result<std::optional<std::string>> TableNamesFile::read() const {
  auto present = read_file(path_);
  if (present && *present && !(*present)->starts_with(header)) {
    return fail({ErrorKind::contradiction, EEXIST, fmt::format("write {}", path_),
                 "the file is there and not of retour's making",
                 "move it away if names for the tables are wanted"});
  }
  return present;
}

Result<std::vector<PlannedTable>> TableNamesFile::load() {
  const auto present = read();
  if (!present) return fail(present.error());
  std::vector<PlannedTable> tables;
  std::istringstream lines(present->value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc{} || *end != ' ') continue;  // a comment
    tables.push_back({TableId{number}, std::string(end + 1), {}});
  }
  return tables;
}

Result<void> TableNamesFile::write(std::span<const PlannedTable> tables) {
  const auto present = read();
  if (!present) return fail(present.error());
  if (tables.empty()) return remove(*present);
  for (const PlannedTable& table : tables) {
    if (safe(table.name)) continue;
    return fail({ErrorKind::usage, EINVAL, fmt::format("write {}", path_),
                 fmt::format("table {} has a name that rt_tables cannot hold", table.id.value)});
  }
  Created created = *present ? created_by(**present) : Created{};
  auto root = make_directory(root_, 0755);
  if (!root) return fail(root.error());
  auto below = make_directory(directory_, 0755);
  if (!below) return fail(below.error());
  created = {created.root || *root, created.below || *below};
  const std::string content = render(tables, created);
  if (*present == content) return {};
  auto written = write_durably(path_, content, 0644);
  if (!written && *below) rmdir(directory_.c_str());
  if (!written && *root) rmdir(root_.c_str());
  return written;
}

Result<void> TableNamesFile::remove(const std::optional<std::string>& present) {
  if (!present) return {};
  const Created created = created_by(*present);
  if (auto removed = remove_durably(path_); !removed) return removed;
  // A directory that others use by now is not empty and stays.
  if (created.below) rmdir(directory_.c_str());
  if (created.root) rmdir(root_.c_str());
  return {};
}

}  // namespace retour
