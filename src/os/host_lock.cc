// SPDX-License-Identifier: Apache-2.0
#include "os/host_lock.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <thread>

namespace retour {

Result<HostLock> HostLock::take(std::chrono::milliseconds patience) {
  constexpr std::string_view name = "retour-changes-this-host";
  const char* const doing = "lock the host";
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
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
      return fail({ErrorKind::changed, EBUSY, doing, "another retour is changing it",
                   "nothing was changed; wait for the other to end, then look again"});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return HostLock(std::move(socket));
}

}  // namespace retour
