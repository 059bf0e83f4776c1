// SPDX-License-Identifier: Apache-2.0
#include "bench/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/fd.h"

namespace retour::bench {

namespace {

Error failed(const std::vector<std::string>& arguments, int errnum) {
  return {ErrorKind::system, errnum, fmt::format("run {}", fmt::join(arguments, " ")),
          std::strerror(errnum)};
}

/// A file in memory: a pipe would have to be fed while the program runs, inside the measured time.
Fd in_memory(std::string_view text) {
  Fd fd(memfd_create("retour-bench", MFD_CLOEXEC));
  const auto size = static_cast<ssize_t>(text.size());
  if (write(fd.get(), text.data(), text.size()) != size) return Fd();
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return Fd();
  return fd;
}

}  // namespace

Result<Ended> run(const std::vector<std::string>& arguments, std::string_view input) {
  const Fd source = in_memory(input);
  if (!source.valid()) return fail(failed(arguments, errno));
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, source.get(), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const Stopwatch watch;
  pid_t pid{};
  const int errnum = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (errnum != 0) return fail(failed(arguments, errnum));
  int status{};
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(failed(arguments, errno));
  }
  const Nanoseconds wall = watch.elapsed();
  if (!WIFEXITED(status)) return fail(failed(arguments, EINTR));
  return Ended{WEXITSTATUS(status), wall};
}

Result<Nanoseconds> run_well(const std::vector<std::string>& arguments, std::string_view input) {
  const auto ended = run(arguments, input);
  if (!ended) return fail(ended.error());
  if (ended->status == 0) return ended->wall;
  return fail({ErrorKind::system, 0, fmt::format("run {}", fmt::join(arguments, " ")),
               fmt::format("exit status {}", ended->status)});
}

}  // namespace retour::bench
