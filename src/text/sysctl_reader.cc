// SPDX-License-Identifier: Apache-2.0
//
// `sysctl -a` and rt_tables.
#include <algorithm>
#include <array>
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
  std::optional<Conf> conf;
  std::optional<Conf6> conf6;
};

// "net.ipv4.conf.eth0.rp_filter" or, with slashes, "net/ipv4/conf/eth0/rp_filter". sysctl(8) swaps
// the two characters in the dotted form, so a VLAN's eth0.100 reads "eth0/100.rp_filter" there.
constexpr std::array<std::string_view, 4> beginnings{"net.ipv4.conf.", "net/ipv4/conf/",
                                                     "net.ipv6.conf.", "net/ipv6/conf/"};

bool is_conf(std::string_view line) {
  return std::ranges::any_of(beginnings, [line](auto each) { return line.starts_with(each); });
}

bool is_network(std::string_view line) {
  return std::ranges::any_of(beginnings, [line](auto each) {
    return line.starts_with(each.substr(0, std::string_view("net.ipv4.").size()));
  });
}

/// REQUIRES: is_conf(key)
std::optional<Key> parse_key(std::string_view key) {
  const bool v6 = key[7] == '6';
  const char separator = key[3];
  key.remove_prefix(beginnings[0].size());
  const auto end = key.rfind(separator);
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  Key parsed;
  if (v6) {
    parsed.conf6 = conf6_by_name(key.substr(end + 1));
  } else {
    parsed.conf = conf_by_name(key.substr(end + 1));
  }
  if (!parsed.conf && !parsed.conf6) return std::nullopt;
  parsed.device = key.substr(0, end);
  if (separator == '.') std::ranges::replace(parsed.device, '/', '.');
  return parsed;
}

std::optional<std::int32_t> parse_value(std::string_view text) {
  std::int32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

ImportedConf& scope_of(std::vector<ImportedConf>& scopes, const std::string& device) {
  // sysctl(8) sorts, so the scope is nearly always the last one.
  if (!scopes.empty() && scopes.back().device == device) return scopes.back();
  const auto it = std::ranges::find(scopes, device, &ImportedConf::device);
  if (it != scopes.end()) return *it;
  scopes.push_back({.device = device, .values = {}, .values6 = {}});
  return scopes.back();
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
  bool any = false;
  auto error =
      each_line(from, [&](std::string_view line, const Where& where) -> std::optional<Error> {
        any = any || is_network(line);
        if (!is_conf(line)) return std::nullopt;
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) return parse_error(where, line, "KEY = VALUE");
        const std::string_view name = trimmed(line.substr(0, equals));
        const auto key = is_conf(name) ? parse_key(name) : std::nullopt;
        if (!key || key->device == "default") return std::nullopt;
        const std::string_view text = trimmed(line.substr(equals + 1));
        const auto value = parse_value(text);
        if (!value) return parse_error(where, text, "a number after `=`");
        ImportedConf& scope = scope_of(scopes, key->device);
        if (key->conf) scope.values.set(*key->conf, *value);
        if (key->conf6) scope.values6.set(*key->conf6, *value);
        return std::nullopt;
      });
  if (error) return fail(std::move(*error));
  if (!any) {
    return fail(input_error({&from.file, 0, false}, "it holds no sysctl of net.ipv4 or net.ipv6",
                            "expected the output of `sysctl -a`"));
  }
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
