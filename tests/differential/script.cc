// SPDX-License-Identifier: Apache-2.0
#include "differential/script.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "differential/raw_rule.h"
#include "os/fd.h"
#include "os/netlink.h"

extern char** environ;  // NOLINT

namespace retour::differential {
namespace {

Error system_error(std::string doing) {
  return {ErrorKind::system, errno, std::move(doing), std::strerror(errno), {}};
}

std::string_view prefix_of(LineKind kind) {
  switch (kind) {
    case LineKind::ip:
      return "ip ";
    case LineKind::ip6:
      return "ip -6 ";
    case LineKind::sysctl:
      return "sysctl -w ";
    case LineKind::rule:
      return "ip rule add ";
    case LineKind::rule6:
      return "ip -6 rule add ";
  }
  return "";
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("make a pipe"));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// What `ip -batch` complains of. A batch, and the complaints about all of it, fit a pipe.
Result<std::string> run_ip(const std::string& lines, bool v6) {
  auto in = make_pipe();
  auto err = make_pipe();
  if (!in || !err) return fail(system_error("make a pipe"));
  fcntl(in->write.get(), F_SETPIPE_SZ, 1 << 18);
  fcntl(err->write.get(), F_SETPIPE_SZ, 1 << 18);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in->read.get(), 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, err->write.get(), 2);
  std::vector<const char*> arguments{"ip", "-force", "-batch", "-", nullptr};
  if (v6) arguments.insert(arguments.begin() + 1, "-6");
  if (!write_all(in->write.get(), lines)) return fail(system_error("write to ip"));
  in->write = Fd();
  pid_t child = 0;
  const int failed = posix_spawnp(&child, "ip", &actions, nullptr,
                                  const_cast<char* const*>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    errno = failed;
    return fail(system_error("run ip"));
  }
  in->read = Fd();
  err->write = Fd();
  std::string complaints;
  std::array<char, 16384> room{};
  while (true) {
    const ssize_t got = read(err->read.get(), room.data(), room.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    complaints.append(room.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) {
    return fail({ErrorKind::system, 0, "run ip -batch", "it was killed", {}});
  }
  return complaints;
}

/// "Command failed -:17" names line 17 of what came by stdin.
void mark_refused(const std::string& complaints, std::size_t first, std::vector<bool>& accepted) {
  constexpr std::string_view words = "Command failed -:";
  for (std::size_t at = complaints.find(words); at != std::string::npos;
       at = complaints.find(words, at)) {
    at += words.size();
    const std::size_t line = std::strtoul(complaints.c_str() + at, nullptr, 10);
    if (line > 0 && first + line - 1 < accepted.size()) accepted[first + line - 1] = false;
  }
}

bool write_sysctl(const std::string& line) {
  const std::size_t space = line.find(' ');
  const std::string path = "/proc/sys/" + line.substr(0, space);
  const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() && write_all(file.get(), line.substr(space + 1));
}

}  // namespace

std::string words(const Script& script) {
  std::string text;
  for (const Line& line : script) {
    std::string words = line.text;
    if (line.kind == LineKind::sysctl) words.replace(words.find(' '), 1, "=");
    text.append("  ").append(prefix_of(line.kind)).append(words).append("\n");
  }
  return text;
}

Result<Built> build(const Script& script) {
  Built built{std::vector<bool>(script.size(), true)};
  for (std::size_t i = 0; i < script.size();) {
    const LineKind kind = script[i].kind;
    if (kind == LineKind::sysctl) {
      built.accepted[i] = write_sysctl(script[i].text);
      ++i;
    } else if (kind == LineKind::rule || kind == LineKind::rule6) {
      const Family family = kind == LineKind::rule ? Family::v4 : Family::v6;
      built.accepted[i] = add_raw_rule(family, script[i].text) == 0;
      ++i;
    } else {
      const std::size_t first = i;
      std::string lines;
      for (; i < script.size() && script[i].kind == kind; ++i) lines += script[i].text + "\n";
      const auto complaints = run_ip(lines, kind == LineKind::ip6);
      if (!complaints) return fail(complaints.error());
      mark_refused(*complaints, first, built.accepted);
    }
  }
  // A route with realms counts until the kernel has freed it, a little after it went or failed.
  const bool realms = std::any_of(script.begin(), script.end(), [](const Line& line) {
    return line.text.find(" realms ") != std::string::npos;
  });
  for (int i = 0; realms && i < 3; ++i) syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
  return built;
}

Result<void> settle_carriers() {
  auto socket = NetlinkSocket::open();
  if (!socket) return fail(socket.error());
  struct Free {
    void operator()(struct if_nameindex* names) const { if_freenameindex(names); }
  };
  const std::unique_ptr<struct if_nameindex, Free> names(if_nameindex());
  if (!names) return fail(system_error("list links"));
  for (const auto* each = names.get(); each->if_index != 0; ++each) {
    // rtnl_getlink() handles a carrier change that is waiting; a dump of all links does not.
    NetlinkRequest request(RTM_GETLINK, 0);
    request.extra<ifinfomsg>().ifi_index = static_cast<int>(each->if_index);
    const auto asked =
        socket->ask(request, "look at a link", [](const NetlinkMessage&) { return true; });
    if (!asked) return asked;
  }
  return {};
}

}  // namespace retour::differential
