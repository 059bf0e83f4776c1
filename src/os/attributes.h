// SPDX-License-Identifier: Apache-2.0
//
// Attributes of netlink messages from our values. REQUIRES: the message has room.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>

#include "base/ip.h"

namespace retour {

template <class T>
void put(nlmsghdr* message, std::uint16_t type, const T& value) {
  mnl_attr_put(message, type, sizeof(value), &value);
}

/// 4 or 16 bytes in network order.
inline void put_ip(nlmsghdr* message, std::uint16_t type, const Ip& ip) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = ip.to_bytes(bytes);
  mnl_attr_put(message, type, size, bytes.data());
}

}  // namespace retour
