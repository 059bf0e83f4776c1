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

}  // namespace retour
