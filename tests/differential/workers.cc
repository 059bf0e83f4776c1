// SPDX-License-Identifier: Apache-2.0
#include "differential/workers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>

namespace retour::differential {
namespace {

constexpr unsigned most_jobs = 64;

struct Shared {
  std::atomic<std::uint64_t> next{};
  std::atomic<bool> stop{};
  std::array<std::atomic<std::uint64_t>, most_jobs> working_on{};
  std::array<Tally, most_jobs> tallies{};
};

Shared* shared = nullptr;  // NOLINT: a signal handler must find it
int lock_fd = -1;          // NOLINT: say() is called from everywhere

void stop_run(int /*signal*/) {
  if (shared != nullptr) shared->stop = true;
}

[[noreturn]] void work(unsigned job, std::uint64_t first, std::uint64_t count,
                       const DoHost& do_host) {
  while (!shared->stop) {
    const std::uint64_t taken = shared->next.fetch_add(1);
    if (count != 0 && taken >= count) break;
    shared->working_on[job] = first + taken;
    ++shared->tallies[job].hosts;
    if (!do_host(first + taken, shared->tallies[job])) shared->stop = true;
  }
  _exit(0);
}

}  // namespace

void say(const std::string& text) {
  // A record lock belongs to a process: workers wait for each other.
  struct flock whole {};
  whole.l_whence = SEEK_SET;
  whole.l_type = F_WRLCK;
  static_cast<void>(fcntl(lock_fd, F_SETLKW, &whole));
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  whole.l_type = F_UNLCK;
  static_cast<void>(fcntl(lock_fd, F_SETLK, &whole));
}

RunEnd run_workers(unsigned jobs, std::uint64_t first, std::uint64_t count, const DoHost& do_host) {
  jobs = std::clamp(jobs, 1U, most_jobs);
  void* room =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  RunEnd end;
  if (room == MAP_FAILED) {
    end.deaths.emplace_back("no shared memory");
    return end;
  }
  shared = new (room) Shared;
  lock_fd = memfd_create("say", MFD_CLOEXEC);
  struct sigaction action {};
  action.sa_handler = stop_run;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::vector<pid_t> children;
  std::fflush(stdout);
  for (unsigned job = 0; job < jobs; ++job) {
    const pid_t child = fork();
    if (child == 0) work(job, first, count, do_host);
    if (child < 0) end.deaths.emplace_back("a worker could not be started");
    children.push_back(child);
  }
  for (unsigned job = 0; job < jobs; ++job) {
    if (children[job] < 0) continue;
    int status = 0;
    while (waitpid(children[job], &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      end.deaths.push_back(fmt::format("the worker on host {} ended with status {:#x}",
                                       shared->working_on[job].load(), status));
    }
    end.total.add(shared->tallies[job]);
  }
  end.hosts = end.total.hosts;
  munmap(room, sizeof(Shared));
  shared = nullptr;
  return end;
}

}  // namespace retour::differential
