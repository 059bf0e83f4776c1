// SPDX-License-Identifier: Apache-2.0
#include "os/detached.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace retour {
namespace {

constexpr const char* doing = "start the process that watches over the change";

tl::unexpected<Error> failed(int errnum) {
  return fail({ErrorKind::system, errnum, doing, std::strerror(errnum), "nothing was changed"});
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return failed(errno);
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

void silence() {
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(number, &ignore, nullptr);
  }
  // Whoever mends a host opens more than the caller may have been allowed; root may allow itself.
  constexpr rlim_t files_enough = 256;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files_enough) {
    files = {files_enough, std::max(files.rlim_max, files_enough)};
    static_cast<void>(setrlimit(RLIMIT_NOFILE, &files));
  }
  if (chdir("/") != 0) return;  // a file system stays busy, no more
}

/// Leaves `line` as file 3, `ready` as file 4 and nothing else of ours. False where there are not
/// enough descriptors for that: a pipe of the caller's must not stay open, nor the wrong one
/// watched.
bool close_all_but(int line, int ready) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (const int standard : {0, 1, 2}) {
    if (dup2(null, standard) < 0) return false;
  }
  // Copies that none of the numbers below can be.
  const int safe_line = fcntl(line, F_DUPFD, 5);
  const int safe_ready = fcntl(ready, F_DUPFD, 5);
  if (safe_line < 0 || safe_ready < 0) return false;
  if (dup2(safe_line, 3) < 0 || dup2(safe_ready, 4) < 0) return false;
  close_range(5, ~0U, 0);
  return true;
}

}  // namespace

Result<DetachedProcess> DetachedProcess::start(const std::function<Result<void>()>& before,
                                               const std::function<void(int line)>& body) {
  auto line = make_pipe();
  if (!line) return fail(std::move(line.error()));
  auto ready = make_pipe();
  if (!ready) return fail(std::move(ready.error()));
  const pid_t child = fork();
  if (child < 0) return failed(errno);
  if (child == 0) {
    // The grandchild is init's, and never a zombie of ours.
    setsid();
    const pid_t grandchild = fork();
    if (grandchild != 0) _exit(grandchild < 0 ? 1 : 0);
    silence();
    const auto prepared = before();
    const int errnum = prepared ? 0 : std::max(prepared.error().errnum, 1);
    if (!close_all_but(line->read.get(), ready->write.get())) _exit(1);
    const bool told = write(4, &errnum, sizeof(errnum)) == sizeof(errnum);
    if (!prepared || !told) _exit(1);
    close(4);
    body(3);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ready->write = Fd();
  int errnum = 0;
  ssize_t size = 0;
  do {
    size = read(ready->read.get(), &errnum, sizeof(errnum));
  } while (size < 0 && errno == EINTR);
  // Most likely it had not enough descriptors; it could not say so.
  if (size != sizeof(errnum)) return failed(EMFILE);
  if (errnum != 0) return failed(errnum);
  return DetachedProcess(std::move(line->write));
}

void DetachedProcess::dismiss() {
  const char bye = 0;
  // One that was killed meanwhile needs no word.
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  static_cast<void>(write(line_.get(), &bye, sizeof(bye)) == sizeof(bye));
  sigaction(SIGPIPE, &before, nullptr);
}

}  // namespace retour
