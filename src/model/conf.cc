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

bool ConfValues::empty() const {
  return std::ranges::none_of(values_, [](const auto& value) { return value.has_value(); });
}

EffectiveConf effective(const ConfValues& all, const ConfValues& device, Conf conf) {
  const ConfInfo& about = info(conf);
  const auto of_all = all.get(conf);
  const auto of_device = device.get(conf);
  const std::int32_t a = of_all.value_or(about.kernel_value);
  const std::int32_t d = of_device.value_or(about.kernel_value);
  // Known only when no missing half could change the outcome: `all`=2 settles rp_filter whatever
  // the device says, a lone 0 settles nothing.
  switch (about.combine) {
    case Combine::device:
      return {d, of_device.has_value(), false};
    case Combine::max: {
      const bool top = conf == Conf::rp_filter && (of_all == 2 || of_device == 2);
      return {std::max(a, d), top || (of_all && of_device), a > d};
    }
    case Combine::either: {
      const bool settled = of_all.value_or(0) != 0 || of_device.value_or(0) != 0;
      return {(a != 0 || d != 0) ? 1 : 0, settled || (of_all && of_device), a != 0 && d == 0};
    }
    case Combine::both:
      return {(a != 0 && d != 0) ? 1 : 0, of_all && of_device, a == 0};
  }
  return {};
}

}  // namespace retour
