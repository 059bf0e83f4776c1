// SPDX-License-Identifier: Apache-2.0
//
// `sysctl -a` and rt_tables.
#include <algorithm>
#include <charconv>

#include "text/import_parts.h"

namespace retour {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

struct Key {
  std::string device;
  Conf conf{};
};

// "eth0.rp_filter" or, written with slashes, "eth0/rp_filter". sysctl(8) swaps the two characters
// in the dotted form, so a VLAN's eth0.100 reads "eth0/100.rp_filter" there.
std::optional<Key> parse_key(std::string_view key, char separator) {
  const auto end = key.rfind(separator);
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const auto conf = conf_by_name(key.substr(end + 1));
  if (!conf) return std::nullopt;
  std::string device(key.substr(0, end));
  if (separator == '.') std::ranges::replace(device, '/', '.');
  return Key{.device = std::move(device), .conf = *conf};
}

std::optional<std::int32_t> parse_value(std::string_view text) {
  std::int32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

ConfValues& values_of(std::vector<ImportedConf>& scopes, const std::string& device) {
  // sysctl(8) sorts, so the scope is nearly always the last one.
  if (!scopes.empty() && scopes.back().device == device) return scopes.back().values;
  const auto it = std::ranges::find(scopes, device, &ImportedConf::device);
  if (it != scopes.end()) return it->values;
  scopes.push_back({.device = device, .values = {}});
  return scopes.back().values;
}

template <class Take>
std::optional<Error> each_line(const NamedText& from, Take take) {
  std::string_view text = from.text;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto error = take(trimmed(text.substr(0, end)), Where{&from.file, number, false});
    if (error) return error;
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<ImportedConf>> read_sysctl(const NamedText& from) {
  std::vector<ImportedConf> scopes;
  auto error =
      each_line(from, [&](std::string_view line, const Where& where) -> std::optional<Error> {
        const bool dotted = line.starts_with("net.ipv4.conf.");
        if (!dotted && !line.starts_with("net/ipv4/conf/")) return std::nullopt;
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) return parse_error(where, line, "KEY = VALUE");
        const std::string_view name = trimmed(line.substr(0, equals));
        const auto key =
            name.size() < 14 ? std::nullopt : parse_key(name.substr(14), dotted ? '.' : '/');
        if (!key || key->device == "default") return std::nullopt;
        const std::string_view text = trimmed(line.substr(equals + 1));
        const auto value = parse_value(text);
        if (!value) return parse_error(where, text, "a number after `=`");
        values_of(scopes, key->device).set(key->conf, *value);
        return std::nullopt;
      });
  if (error) return fail(std::move(*error));
  return scopes;
}

Result<std::map<TableId, std::string>> read_rt_tables(const NamedText& input) {
  std::map<TableId, std::string> names;
  auto error =
      each_line(input, [&](std::string_view line, const Where& where) -> std::optional<Error> {
        line = line.substr(0, line.find('#'));
        const std::vector<Line> lines = split_lines(line);
        if (lines.empty()) return std::nullopt;
        const auto& words = lines.front().words;
        const auto id = parse_number(words[0].text, 0xffffffffU);
        if (!id) return parse_error(where, words[0].text, "a table number, then its name");
        if (words.size() < 2) return parse_error(where, "", "a name after the table number");
        if (words.size() > 2 || lines.size() > 1) {
          return parse_error(where, words.back().text, "one number and one name a line");
        }
        names[TableId{static_cast<std::uint32_t>(*id)}] = std::string(words[1].text);
        return std::nullopt;
      });
  if (error) return fail(std::move(*error));
  return names;
}

}  // namespace retour
