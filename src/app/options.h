// SPDX-License-Identifier: Apache-2.0
//
// What the command line said, and how a verb says what it has to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/style.h"

namespace retour {

/// The contract of exit codes.
enum Exit : int {
  exit_ok = 0,
  exit_findings = 1,  ///< diagnose: errors; plan: pending; verify: not all same-door
  exit_usage = 2,
  exit_failed = 3,  ///< could not read or do
};

struct Options {
  bool json{};
  bool quiet{};
  bool no_color{};
  std::string netns;     ///< empty: the caller's
  std::string snapshot;  ///< file; empty: live
  std::vector<std::string> peers;
  std::string segments;  ///< "auto", "flat" or "rails"; empty: as the policy file says
  std::string policy;    ///< file; empty: the usual place
};

class Console {
 public:
  explicit Console(const Options& options);
  [[nodiscard]] const Style& style() const { return style_; }
  [[nodiscard]] bool json() const { return json_; }
  /// stderr is a terminal and nobody asked for quiet.
  [[nodiscard]] bool shows_progress() const { return progress_; }
  /// The verb's result, on stdout. What could not be written is told once, by finish().
  void print(std::string_view text) const;
  /// False once something could not be written: more of it is in vain.
  [[nodiscard]] bool written() const { return write_errnum_ == 0; }
  /// The exit code of a verb that ended with this one: another if its result was not written.
  [[nodiscard]] int finish(int code) const;
  /// What is not the result itself; not with --quiet or --json.
  void say(std::string_view text) const;
  /// "retour: warning: …" on stderr.
  void warn(std::string_view text) const;
  /// "retour: note: …" on stderr; not with --quiet.
  void note(std::string_view text) const;
  /// "retour: what failed: why", and what to do. Returns the exit code for it.
  [[nodiscard]] int fail(const Error& error) const;

 private:
  bool json_;
  bool quiet_;
  bool progress_;
  Style style_;
  Style error_style_;
  mutable int write_errnum_{};  ///< of the first write to stdout that failed
};

}  // namespace retour
