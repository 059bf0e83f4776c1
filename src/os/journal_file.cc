// SPDX-License-Identifier: Apache-2.0
#include "os/journal_file.h"

#include <fmt/format.h>

#include "os/durable_file.h"

namespace retour {
namespace {

/// The first line of the file.
std::string boot_line() {
  const auto id = read_file("/proc/sys/kernel/random/boot_id");
  return fmt::format("// boot {}", id && *id ? **id : "unknown\n");
}

}  // namespace

JournalFile::JournalFile(std::string base, const std::string& key, JournalFormat format)
    : base_(std::move(base)),
      directory_(base_ + "/" + key),
      path_(directory_ + "/journal.json"),
      format_(format) {}

Result<std::optional<JournalEntry>> JournalFile::load() {
  const auto text = read_file(path_);
  if (!text) return fail(text.error());
  if (!*text) return std::nullopt;
  const std::string_view whole(**text);
  const auto end = whole.find('\n');
  const std::string_view first =
      whole.substr(0, end == std::string_view::npos ? whole.size() : end + 1);
  if (!first.starts_with("// boot ") || !first.ends_with('\n')) {
    return fail(
        {ErrorKind::parse, 0, fmt::format("read {}", path_), "not a journal of retour",
         fmt::format("a change may be half done: look at `ip rule` and `ip route show table "
                     "all` for protocol 213, then delete {}",
                     path_)});
  }
  if (first != boot_line()) return std::nullopt;
  auto entry = format_.read(whole.substr(first.size()), path_);
  if (!entry) {
    Error error = std::move(entry.error());
    error.hint = fmt::format(
        "{}a change may be half done: use the retour that began it, or look at `ip rule` and `ip "
        "route show table all` for protocol 213, then delete {}",
        error.hint.empty() ? "" : error.hint + "; ", path_);
    return fail(std::move(error));
  }
  return std::optional(std::move(*entry));
}

Result<void> JournalFile::store(const JournalEntry& entry) {
  if (auto made = make_directories(base_, directory_, 0700); !made) return made;
  return write_durably(path_, boot_line() + format_.write(entry), 0600);
}

Result<void> JournalFile::clear() { return remove_durably(path_, directory_, base_); }

}  // namespace retour
