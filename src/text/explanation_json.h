// SPDX-License-Identifier: Apache-2.0
//
// Explanations as JSON (docs/json.md, retour.explain/1): one document for people's programs, or one
// line a question for batches, which come by the hundred thousand and are written without a tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "diagnose/explanation.h"

namespace retour {

[[nodiscard]] std::string json_report(const Snapshot& host, const Explanation& found,
                                      const KernelCheck* check);
[[nodiscard]] std::string json_report(const Snapshot& host, const TripExplanation& found);

/// REQUIRES: `host` outlives it and is not changed: what rules and routes are called is written
/// once.
class BatchJson {
 public:
  explicit BatchJson(const Snapshot& host, bool all = false);

  /// Appends one line: the answer and its steps. Many rules in a row that do not match are one
  /// step, unless all are wanted.
  void append(std::string& out, const Lookup& lookup, const KernelCheck* check);
  static void append_error(std::string& out, std::size_t line, const Error& error);

 private:
  friend class ExplanationWriter;
  [[nodiscard]] const std::string& rule(std::uint32_t index);
  [[nodiscard]] const std::string& route(std::uint32_t index);
  [[nodiscard]] const std::string& link(IfIndex index);

  const Snapshot& host_;
  bool all_;
  std::vector<std::string> rules_;
  std::vector<std::string> routes_;
  std::vector<std::pair<IfIndex, std::string>> links_;
};

}  // namespace retour
