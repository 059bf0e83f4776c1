// SPDX-License-Identifier: Apache-2.0
#include "os/memory_file.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "os/durable_file.h"

namespace retour {
namespace {

using nlohmann::json;

constexpr std::string_view schema = "retour.memory/1";

/// A link's name may hold any byte, a JSON string may not: %XX for what is not plain.
std::string escape_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > 0x20 && byte < 0x7f && c != '%';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02x}", byte);
    }
  }
  return out;
}

std::optional<std::uint8_t> parse_byte(std::string_view digits) {
  std::uint8_t byte = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return byte;
}

std::optional<std::string> unescape_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = parse_byte(text.substr(i + 1, 2));
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

std::string format_mac(const std::vector<std::uint8_t>& mac) {
  return fmt::format("{:02x}", fmt::join(mac, ":"));
}

std::optional<std::vector<std::uint8_t>> parse_mac(std::string_view text) {
  std::vector<std::uint8_t> mac;
  while (!text.empty()) {
    const auto byte = parse_byte(text.substr(0, 2));
    if (!byte) return std::nullopt;
    mac.push_back(*byte);
    text.remove_prefix(2);
    if (text.empty()) break;
    if (text.front() != ':' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  return mac;
}

const std::string* string_at(const json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : it->get_ptr<const std::string*>();
}

std::optional<std::int32_t> number_at(const json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer()) return std::nullopt;
  const auto value = it->get<std::int64_t>();
  if (value < std::numeric_limits<std::int32_t>::min() ||
      value > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(value);
}

std::optional<ConfRecord> parse_record(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const std::string* link = string_at(object, "link");
  const std::string* mac = string_at(object, "mac");
  const std::string* key = string_at(object, "conf");
  const auto original = number_at(object, "original");
  const auto ours = number_at(object, "ours");
  if (link == nullptr || mac == nullptr || key == nullptr || !original || !ours) {
    return std::nullopt;
  }
  const auto name = unescape_name(*link);
  const auto bytes = parse_mac(*mac);
  const auto conf = conf_by_name(*key);
  if (!name || !bytes || !conf) return std::nullopt;
  return ConfRecord{*name, *bytes, *conf, *original, *ours};
}

Error corrupt(const std::string& path, std::string why) {
  return {
      ErrorKind::parse, 0, fmt::format("read {}", path), std::move(why),
      fmt::format("it holds the values that sysctls had before retour changed them: correct the "
                  "file, or set them back by hand (`sysctl -w`) and delete {}",
                  path)};
}

}  // namespace

MemoryFile::MemoryFile(std::string base, const std::string& key)
    : base_(std::move(base)), directory_(base_ + "/" + key), path_(directory_ + "/conf.json") {}

std::string MemoryFile::key_of(const Netns& netns) { return fmt::format("{:x}", netns.cookie()); }

Result<std::vector<ConfRecord>> MemoryFile::load() {
  const auto text = read_file(path_);
  if (!text) return fail(text.error());
  std::vector<ConfRecord> records;
  if (!*text) return records;
  const json document = json::parse(**text, nullptr, false);
  if (!document.is_object()) return fail(corrupt(path_, "not a JSON object"));
  const std::string* version = string_at(document, "schema");
  if (version == nullptr || *version != schema) {
    Error error = corrupt(path_, fmt::format("its schema is {}, this program knows {}",
                                             version == nullptr ? "missing" : *version, schema));
    error.kind = ErrorKind::schema;
    return fail(std::move(error));
  }
  const auto list = document.find("records");
  if (list == document.end() || !list->is_array()) {
    return fail(corrupt(path_, "there is no list of records"));
  }
  for (const json& each : *list) {
    auto record = parse_record(each);
    if (!record) {
      return fail(corrupt(path_, fmt::format("record {} makes no sense", records.size() + 1)));
    }
    records.push_back(std::move(*record));
  }
  return records;
}

Result<void> MemoryFile::store(std::span<const ConfRecord> records) {
  if (records.empty()) return remove_durably(path_, directory_, base_);
  json list = json::array();
  for (const ConfRecord& record : records) {
    list.push_back({{"link", escape_name(record.link_name)},
                    {"mac", format_mac(record.mac)},
                    {"conf", std::string(info(record.conf).name)},
                    {"original", record.original},
                    {"ours", record.ours}});
  }
  const json document{{"schema", std::string(schema)}, {"records", std::move(list)}};
  if (auto made = make_directories(base_, directory_, 0700); !made) return made;
  return write_durably(path_, document.dump(2) + "\n", 0600);
}

}  // namespace retour
