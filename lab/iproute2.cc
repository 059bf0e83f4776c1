// SPDX-License-Identifier: Apache-2.0
#include "lab/iproute2.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "os/fd.h"

namespace retour {
namespace {

struct Outcome {
  int status{};
  std::string out;
  std::string err;
};

Error spawn_error(int errnum) {
  return {errnum == ENOENT ? ErrorKind::not_found : ErrorKind::system, errnum, "run ip",
          std::strerror(errnum), errnum == ENOENT ? "install the package iproute2" : ""};
}

/// Files in memory instead of pipes: neither side can block on, or be killed by, the other.
Fd memory_file(std::string_view content) {
  Fd fd(memfd_create("ip", MFD_CLOEXEC));
  while (fd.valid() && !content.empty()) {
    const ssize_t wrote = write(fd.get(), content.data(), content.size());
    if (wrote <= 0) return {};
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (fd.valid()) (void)lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string content_of(const Fd& fd) {
  constexpr std::size_t chunk = 4096;
  std::string text;
  ssize_t got = 0;
  do {
    const std::size_t size = text.size();
    text.resize(size + chunk);
    got = pread(fd.get(), text.data() + size, chunk, static_cast<off_t>(size));
    text.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
  } while (got > 0);
  return text;
}

int spawn_ip(const std::vector<std::string>& arguments, const Fd& in, const Fd& out, const Fd& err,
             pid_t& pid) {
  std::vector<std::string> owned = arguments;
  std::vector<char*> argv;
  argv.reserve(owned.size() + 1);
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  int errnum = posix_spawnp(&pid, "ip", &actions, nullptr, argv.data(), environ);
  // The PATH of an unprivileged login often lacks it.
  for (const char* path : {"/sbin/ip", "/usr/sbin/ip"}) {
    if (errnum == ENOENT) errnum = posix_spawn(&pid, path, &actions, nullptr, argv.data(), environ);
  }
  posix_spawn_file_actions_destroy(&actions);
  return errnum;
}

Result<Outcome> run_ip(const std::vector<std::string>& arguments, std::string_view input) {
  const Fd in = memory_file(input);
  const Fd out = memory_file("");
  const Fd err = memory_file("");
  if (!in.valid() || !out.valid() || !err.valid()) return fail(spawn_error(errno));
  pid_t pid = 0;
  if (const int errnum = spawn_ip(arguments, in, out, err, pid); errnum != 0) {
    return fail(spawn_error(errnum));
  }
  Outcome outcome;
  while (waitpid(pid, &outcome.status, 0) < 0) {
    if (errno != EINTR) return fail(spawn_error(errno));
  }
  outcome.out = content_of(out);
  outcome.err = content_of(err);
  return outcome;
}

std::vector<std::string> in_namespace(const std::string& netns) {
  if (netns.empty()) return {"ip"};
  return {"ip", "-netns", netns};
}

/// "Command failed -:3" → the third line of what was fed.
std::string_view failed_line(std::string_view error, std::string_view commands) {
  constexpr std::string_view mark = "Command failed -:";
  const auto at = error.find(mark);
  if (at == std::string_view::npos) return {};
  const auto digits = error.substr(at + mark.size());
  std::size_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  while (number > 1 && !commands.empty()) {
    const auto end = commands.find('\n');
    commands.remove_prefix(end == std::string_view::npos ? commands.size() : end + 1);
    --number;
  }
  return commands.substr(0, commands.find('\n'));
}

Error refused(const std::string& netns, std::string_view command, const Outcome& outcome) {
  std::string why = outcome.err.substr(0, outcome.err.find('\n'));
  if (why.empty()) why = fmt::format("ip ended with status {:#x}", outcome.status);
  const bool denied = outcome.err.find("not permitted") != std::string::npos ||
                      outcome.err.find("Permission denied") != std::string::npos;
  const std::string where = netns.empty() ? "" : fmt::format(" -netns {}", netns);
  return {denied ? ErrorKind::permission : ErrorKind::system, denied ? EPERM : 0,
          fmt::format("ip{} {}", where, command), why,
          denied ? "needs CAP_SYS_ADMIN and CAP_NET_ADMIN: run retour as root" : ""};
}

}  // namespace

Result<void> ip_batch(const std::string& netns, std::string_view commands) {
  auto arguments = in_namespace(netns);
  arguments.insert(arguments.end(), {"-batch", "-"});
  const auto outcome = run_ip(arguments, commands);
  if (!outcome) return fail(outcome.error());
  if (outcome->status == 0) return {};
  return fail(refused(netns, failed_line(outcome->err, commands), *outcome));
}

Result<std::string> ip_output(const std::string& netns, std::string_view command) {
  auto arguments = in_namespace(netns);
  for (auto rest = command; !rest.empty();) {
    const auto word = rest.substr(0, rest.find(' '));
    if (!word.empty()) arguments.emplace_back(word);
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  auto outcome = run_ip(arguments, "");
  if (!outcome) return fail(outcome.error());
  if (outcome->status != 0) return fail(refused(netns, command, *outcome));
  return std::move(outcome->out);
}

}  // namespace retour
