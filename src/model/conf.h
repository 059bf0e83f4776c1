// SPDX-License-Identifier: Apache-2.0
//
// The IPv4 sysctls of an interface (net.ipv4.conf.DEV.*) that decide anything here, and how the
// kernel combines `all` with the device (include/linux/inetdevice.h). One list serves netlink,
// /proc/sys, `sysctl -a` text and JSON.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace retour {

enum class Conf : std::uint8_t {
  rp_filter,
  arp_ignore,
  arp_filter,
  arp_announce,
  accept_local,
  route_localnet,
  src_valid_mark,
  forwarding,
  bc_forwarding,
  send_redirects,
  proxy_arp,
  proxy_arp_pvlan,
  arp_accept,
  drop_gratuitous_arp,
  medium_id,
  ignore_routes_with_linkdown,
  promote_secondaries,
};
inline constexpr std::size_t conf_count = 17;

/// How `all` and the device's own value make the effective one.
enum class Combine : std::uint8_t { max, either, both, device };

struct ConfInfo {
  Conf conf;
  std::string_view name;  ///< as in /proc/sys/net/ipv4/conf/DEV/
  Combine combine;
  std::int32_t kernel_value;  ///< what a kernel without any configuration has
  std::uint8_t devconf;       ///< IPV4_DEVCONF_* of <linux/ip.h>: the index in IFLA_INET_CONF
};

[[nodiscard]] const std::array<ConfInfo, conf_count>& conf_table();
[[nodiscard]] const ConfInfo& info(Conf conf);
[[nodiscard]] std::optional<Conf> conf_by_name(std::string_view name);

/// Values of one scope (`all` or one device) of one family; a value nobody told us is absent, never
/// guessed.
template <class Key, std::size_t count>
class ConfScope {
 public:
  [[nodiscard]] std::optional<std::int32_t> get(Key conf) const {
    return values_[static_cast<std::size_t>(conf)];
  }
  void set(Key conf, std::optional<std::int32_t> value) {
    values_[static_cast<std::size_t>(conf)] = value;
  }
  [[nodiscard]] bool empty() const { return *this == ConfScope{}; }
  friend bool operator==(const ConfScope&, const ConfScope&) = default;

 private:
  std::array<std::optional<std::int32_t>, count> values_{};
};

using ConfValues = ConfScope<Conf, conf_count>;

/// An effective value and where it came from, for the explanation.
struct EffectiveConf {
  std::int32_t value{};
  bool known{};     ///< false: neither scope told us; `value` is the kernel's own default
  bool from_all{};  ///< the value is `all`'s; else the device's
};

[[nodiscard]] EffectiveConf effective(const ConfValues& all, const ConfValues& device, Conf conf);
/// The two values, each absent when nobody told it, as `how` makes one of them.
[[nodiscard]] EffectiveConf combine(Combine how, std::optional<std::int32_t> all,
                                    std::optional<std::int32_t> device, std::int32_t kernel_value);

}  // namespace retour
