// SPDX-License-Identifier: Apache-2.0
//
// /etc/retour/retour.toml: what an operator wants, as a Policy. Every key is optional; one that is
// misspelt, impossible or means nothing on this host is an error that names file, line and key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/policy.h"
#include "model/snapshot.h"

namespace retour {

/// A policy and where in the file its words for links stand.
struct PolicyText {
  struct Word {
    std::string key;  ///< "links.name"
    std::string value;
    std::uint32_t line{};
    LinkChoice alone;  ///< a choice by this word and no other
  };
  std::string source;  ///< for messages; empty: there was no file
  Policy policy;
  std::vector<Word> words;
};

/// Errors: parse (not TOML), usage (a key or value that makes no sense).
[[nodiscard]] Result<PolicyText> policy_from_toml(std::string_view text, const std::string& source);

/// A word for links that matches none of this host is a typo until proven otherwise.
[[nodiscard]] Result<void> check_links(const PolicyText& text, const Snapshot& host);

}  // namespace retour
