// SPDX-License-Identifier: Apache-2.0
#include "model/conf.h"

#include <algorithm>

namespace retour {

const std::array<ConfInfo, conf_count>& conf_table() {
  // In the order of enum Conf. The last column is uapi (enum in <linux/ip.h>), stable for ever.
  static constexpr std::array<ConfInfo, conf_count> table{{
      {Conf::rp_filter, "rp_filter", Combine::max, 0, 8},
      {Conf::arp_ignore, "arp_ignore", Combine::max, 0, 19},
      {Conf::arp_filter, "arp_filter", Combine::either, 0, 13},
      {Conf::arp_announce, "arp_announce", Combine::max, 0, 18},
      {Conf::accept_local, "accept_local", Combine::either, 0, 23},
      {Conf::route_localnet, "route_localnet", Combine::either, 0, 26},
      {Conf::src_valid_mark, "src_valid_mark", Combine::either, 0, 24},
      {Conf::forwarding, "forwarding", Combine::device, 0, 1},
      {Conf::bc_forwarding, "bc_forwarding", Combine::both, 0, 32},
      {Conf::send_redirects, "send_redirects", Combine::either, 1, 6},
      {Conf::proxy_arp, "proxy_arp", Combine::either, 0, 3},
      {Conf::proxy_arp_pvlan, "proxy_arp_pvlan", Combine::either, 0, 25},
      {Conf::arp_accept, "arp_accept", Combine::max, 0, 21},
      {Conf::drop_gratuitous_arp, "drop_gratuitous_arp", Combine::either, 0, 31},
      {Conf::medium_id, "medium_id", Combine::device, 0, 14},
      {Conf::ignore_routes_with_linkdown, "ignore_routes_with_linkdown", Combine::either, 0, 29},
      {Conf::promote_secondaries, "promote_secondaries", Combine::either, 0, 20},
  }};
  return table;
}

const ConfInfo& info(Conf conf) { return conf_table()[static_cast<std::size_t>(conf)]; }

std::optional<Conf> conf_by_name(std::string_view name) {
  const auto& table = conf_table();
  const auto it = std::ranges::find(table, name, &ConfInfo::name);
  if (it == table.end()) return std::nullopt;
  return it->conf;
}

EffectiveConf combine(Combine how, std::optional<std::int32_t> all,
                      std::optional<std::int32_t> device, std::int32_t kernel_value) {
  const std::int32_t a = all.value_or(kernel_value);
  const std::int32_t d = device.value_or(kernel_value);
  // Known only when no missing half could change the outcome: a lone 0 settles nothing.
  switch (how) {
    case Combine::device:
      return {d, device.has_value(), false};
    case Combine::max:
      return {std::max(a, d), all && device, a > d};
    case Combine::either: {
      const bool settled = all.value_or(0) != 0 || device.value_or(0) != 0;
      return {(a != 0 || d != 0) ? 1 : 0, settled || (all && device), a != 0 && d == 0};
    }
    case Combine::both:
      return {(a != 0 && d != 0) ? 1 : 0, all && device, a == 0};
  }
  return {};
}

EffectiveConf effective(const ConfValues& all, const ConfValues& device, Conf conf) {
  const ConfInfo& about = info(conf);
  EffectiveConf value = combine(about.combine, all.get(conf), device.get(conf), about.kernel_value);
  // Nothing is above 2: one scope that says so settles it.
  if (conf == Conf::rp_filter && (all.get(conf) == 2 || device.get(conf) == 2)) value.known = true;
  return value;
}

}  // namespace retour
