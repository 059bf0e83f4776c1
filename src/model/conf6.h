// SPDX-License-Identifier: Apache-2.0
//
// The IPv6 sysctls of an interface (net.ipv6.conf.DEV.*) that decide anything here. Unlike IPv4's
// most belong to the device alone: writing `all` writes every device, or does nothing at all. One
// list serves netlink, /proc/sys, `sysctl -a` text and JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/conf.h"

namespace retour {

enum class Conf6 : std::uint8_t {
  forwarding,        ///< of a device: is it a router to its neighbours; packets go by that of `all`
  force_forwarding,  ///< of a device: what it receives is forwarded whatever `all` says (6.17)
  disable_ipv6,
  ignore_routes_with_linkdown,
  use_oif_addrs_only,
  use_tempaddr,
  proxy_ndp,
  optimistic_dad,
  use_optimistic,
};
inline constexpr std::size_t conf6_count = 9;

struct Conf6Info {
  Conf6 conf;
  std::string_view name;  ///< as in /proc/sys/net/ipv6/conf/DEV/
  Combine combine;
  std::int32_t kernel_value;  ///< what a kernel without any configuration has
  std::uint8_t devconf;       ///< DEVCONF_* of <linux/ipv6.h>: the index in IFLA_INET6_CONF
};

[[nodiscard]] const std::array<Conf6Info, conf6_count>& conf6_table();
[[nodiscard]] const Conf6Info& info(Conf6 conf);
[[nodiscard]] std::optional<Conf6> conf6_by_name(std::string_view name);

using Conf6Values = ConfScope<Conf6, conf6_count>;

[[nodiscard]] EffectiveConf effective(const Conf6Values& all, const Conf6Values& device,
                                      Conf6 conf);

}  // namespace retour
