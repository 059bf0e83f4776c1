// SPDX-License-Identifier: Apache-2.0
#include "os/privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace retour {

Result<void> require_net_admin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  // Where it cannot be asked, the kernel's own refusal will have to do.
  if (syscall(SYS_capget, &header, data.data()) != 0) return {};
  if ((data[0].effective & (1U << CAP_NET_ADMIN)) != 0) return {};
  return fail({ErrorKind::permission, EPERM, "change this host", "CAP_NET_ADMIN is missing",
               "run it as root; nothing was changed"});
}

}  // namespace retour
