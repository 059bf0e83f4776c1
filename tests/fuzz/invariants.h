// SPDX-License-Identifier: Apache-2.0
//
// What holds of every snapshot and every error that a reader returns, whatever it was given.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/import.h"
#include "text/printable.h"
#include "text/snapshot_json.h"

namespace retour::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// An error says what, why, and nothing a terminal would obey.
inline void check(const Error& error) {
  require(!error.doing.empty() && !error.why.empty(), "an error says what and why");
  const std::string all = error.message() + error.hint;
  require(printable(all) == all, "an error is printable");
}

/// A snapshot survives its own JSON.
inline void check(const Result<Snapshot>& host) {
  if (!host) return check(host.error());
  const std::string text = to_json(*host);
  require(printable(text.substr(0, text.find('\n'))) == text.substr(0, text.find('\n')), "text");
  const auto again = snapshot_from_json(text, "again");
  if (!again) std::fprintf(stderr, "%s\n%s", again.error().message().c_str(), text.c_str());
  require(again.has_value(), "what we write we can read");
  require(*again == *host, "what we read is what we wrote");
  require(to_json(*again) == text, "one snapshot, one text");
}

}  // namespace retour::fuzz
