// SPDX-License-Identifier: Apache-2.0
#include "os/host_lock.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace retour {
namespace {

/// " (process 1234)", where that can be told: not from another process namespace.
std::string holder(const sockaddr_un& address, socklen_t size) {
  const Fd knock(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred who{};
  socklen_t room = sizeof(who);
  const bool told = connect(knock.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                    getsockopt(knock.get(), SOL_SOCKET, SO_PEERCRED, &who, &room) == 0 &&
                    who.pid > 0;
  return told ? fmt::format(" (process {})", who.pid) : "";
}

}  // namespace

Result<HostLock> HostLock::take(std::chrono::milliseconds patience) {
  constexpr std::string_view name = "retour-changes-this-host";
  const char* const doing = "lock the host";
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return fail({ErrorKind::system, errno, doing, std::strerror(errno), {}});
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(name, address.sun_path + 1);  // a leading zero byte: abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    if (errno != EADDRINUSE) {
      return fail({ErrorKind::system, errno, doing, std::strerror(errno), {}});
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail({ErrorKind::changed, EBUSY, doing,
                   fmt::format("another retour{} is changing it", holder(address, size)),
                   "nothing was changed; wait for the other to end, then look again"});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  // Nobody is ever let in: who knocks learns our process number.
  if (listen(socket.get(), 64) != 0) {
    return fail({ErrorKind::system, errno, doing, std::strerror(errno), {}});
  }
  return HostLock(std::move(socket));
}

}  // namespace retour
