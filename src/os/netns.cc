// SPDX-License-Identifier: Apache-2.0
#include "os/netns.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace retour {
namespace {

constexpr const char* own_namespace = "/proc/thread-self/ns/net";

Error netns_error(std::string doing, int errnum) {
  Error error{ErrorKind::system, errnum, std::move(doing), std::strerror(errnum)};
  if (errnum == EPERM || errnum == EACCES) {
    error.kind = ErrorKind::permission;
    error.hint = "entering a network namespace needs CAP_SYS_ADMIN: run retour as root";
  } else if (errnum == ENOENT) {
    error.kind = ErrorKind::not_found;
    error.hint = "`ip netns list` shows the names there are";
  }
  return error;
}

std::optional<std::uint64_t> cookie_here() {
  const Fd socket_here(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(socket_here.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) return {};
  return cookie;
}

std::optional<std::uint64_t> inode_of(const char* path) {
  struct stat found {};
  if (stat(path, &found) != 0) return std::nullopt;
  return found.st_ino;
}

}  // namespace

Result<Netns> Netns::adopt(Fd fd, const std::string& doing) {
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return fail(netns_error(doing, errno));
  Netns netns(std::move(fd), found.st_ino);
  std::optional<std::uint64_t> cookie;
  if (inode_of(own_namespace) == netns.inode_) {
    cookie = cookie_here();
  } else if (const auto inside = InsideNetns::enter(netns)) {
    cookie = cookie_here();
  }
  if (cookie) netns.cookie_ = *cookie;
  return netns;
}

Result<Netns> Netns::open(std::string_view name) {
  const std::string doing = fmt::format("open network namespace {}", name);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return fail({ErrorKind::usage, EINVAL, doing, "not the name of a network namespace",
                 "`ip netns list` shows the names there are"});
  }
  const std::string path = fmt::format("/run/netns/{}", name);
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(netns_error(doing, errno));
  return adopt(std::move(fd), doing);
}

Result<Netns> Netns::current() {
  const std::string doing = "open the network namespace of this process";
  Fd fd(::open(own_namespace, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(netns_error(doing, errno));
  return adopt(std::move(fd), doing);
}

Result<void> Netns::enter() const {
  if (setns(fd_.get(), CLONE_NEWNET) != 0) {
    return fail(netns_error("enter network namespace", errno));
  }
  return {};
}

bool Netns::initial() const { return inode_of("/proc/1/ns/net") == inode_; }

Result<InsideNetns> InsideNetns::enter(const Netns& netns) {
  Fd before(::open(own_namespace, O_RDONLY | O_CLOEXEC));
  if (!before.valid())
    return fail(netns_error("open the network namespace of this process", errno));
  if (auto entered = netns.enter(); !entered) return fail(entered.error());
  return InsideNetns(std::move(before));
}

Result<InsideNetns> InsideNetns::enter_new() {
  Fd before(::open(own_namespace, O_RDONLY | O_CLOEXEC));
  if (!before.valid())
    return fail(netns_error("open the network namespace of this process", errno));
  if (unshare(CLONE_NEWNET) == 0) return InsideNetns(std::move(before));
  Error error = netns_error("make a throw-away network namespace", errno);
  if (error.kind == ErrorKind::permission) {
    error.why = "CAP_SYS_ADMIN is missing";
    error.hint =
        "run it as root; of a snapshot also as anybody, where users may make namespaces: "
        "unshare -rn retour plan --rehearse --snapshot FILE";
  } else if (error.errnum == ENOSPC || error.errnum == EUSERS) {
    error.hint = "the limit is /proc/sys/user/max_net_namespaces";
  }
  return fail(std::move(error));
}

InsideNetns::~InsideNetns() {
  if (!before_.valid()) return;
  // Going on in the wrong namespace would change the wrong host.
  if (setns(before_.get(), CLONE_NEWNET) != 0) std::abort();
}

}  // namespace retour
