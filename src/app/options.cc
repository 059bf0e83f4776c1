// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "text/printable.h"

namespace retour {

namespace {

bool colored(const Options& options, int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return !options.no_color && (no_color == nullptr || *no_color == '\0') && isatty(fd) == 1 &&
         (term == nullptr || std::string_view(term) != "dumb");
}

/// Where stderr cannot be written either, the exit code is all that is left to say.
template <class... T>
void tell(fmt::format_string<T...> format, T&&... values) {
  const std::string text = fmt::format(format, std::forward<T>(values)...);
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

Console::Console(const Options& options)
    : json_(options.json),
      quiet_(options.quiet),
      progress_(!options.quiet && isatty(STDERR_FILENO) == 1),
      style_(colored(options, STDOUT_FILENO)),
      error_style_(colored(options, STDERR_FILENO)) {}

void Console::print(std::string_view text) const {
  if (!written()) return;
  const bool whole =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!whole) write_errnum_ = errno != 0 ? errno : EIO;
}

int Console::finish(int code) const {
  if (written()) return code;
  return fail({ErrorKind::system, write_errnum_, "write stdout", std::strerror(write_errnum_),
               "what was printed is not whole"});
}

void Console::say(std::string_view text) const {
  if (!quiet_ && !json_) print(text);
}

void Console::warn(std::string_view text) const {
  tell("retour: {}: {}\n", error_style_.paint(Ink::yellow, "warning"), printable(text));
}

void Console::note(std::string_view text) const {
  if (!quiet_) tell("{}\n", wrap("retour: note: " + printable(text), 2));
}

int Console::fail(const Error& error) const {
  tell("{}\n", wrap("retour: " + printable(error.message()), 2));
  if (!error.hint.empty()) tell("  {}\n", wrap(printable(error.hint), 2));
  return error.kind == ErrorKind::usage ? exit_usage : exit_failed;
}

Result<Policy> policy_of(const Options& options) {
  Policy policy;
  for (const std::string& text : options.peers) {
    const auto ip = Ip::parse(text);
    if (!ip || !ip->is_v4() || ip->is_multicast() || ip->is_unspecified() ||
        ip->is_limited_broadcast()) {
      return fail({ErrorKind::usage, 0, fmt::format("--peer {}", text),
                   "not an IPv4 address of a host", "for example --peer 29.28.204.80"});
    }
    policy.peers.push_back(*ip);
  }
  for (const std::string& text : options.protect) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) {
      return fail({ErrorKind::usage, 0, "--protect " + text, "not an address or a prefix",
                   "for example --protect 10.9.0.0/16 or --protect fd00::17"});
    }
    policy.protect.push_back(prefix->network());
  }
  policy.move_established = options.move_established;
  if (options.segments == "flat") policy.segments = SegmentsFrom::flat;
  if (options.segments == "rails") policy.segments = SegmentsFrom::rails;
  return policy;
}

}  // namespace retour
