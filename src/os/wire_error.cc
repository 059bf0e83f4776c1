// SPDX-License-Identifier: Apache-2.0
#include "os/wire_error.h"

#include <cstring>

namespace retour {

Error wire_error(std::string doing, int errnum) {
  Error error{ErrorKind::system, errnum, std::move(doing), std::strerror(errnum)};
  if (errnum == EPERM || errnum == EACCES) {
    error.kind = ErrorKind::permission;
    error.hint = "packet and raw sockets need CAP_NET_RAW: run retour as root";
  }
  return error;
}

}  // namespace retour
