// SPDX-License-Identifier: Apache-2.0
#include "model/conf6.h"

#include <algorithm>

namespace retour {

const std::array<Conf6Info, conf6_count>& conf6_table() {
  // In the order of enum Conf6. The last column is uapi (enum in <linux/ipv6.h>), stable for ever.
  static constexpr std::array<Conf6Info, conf6_count> table{{
      {Conf6::forwarding, "forwarding", Combine::device, 0, 0},
      {Conf6::force_forwarding, "force_forwarding", Combine::device, 0, 59},
      {Conf6::disable_ipv6, "disable_ipv6", Combine::device, 0, 26},
      {Conf6::ignore_routes_with_linkdown, "ignore_routes_with_linkdown", Combine::device, 0, 39},
      {Conf6::use_oif_addrs_only, "use_oif_addrs_only", Combine::device, 0, 37},
      {Conf6::use_tempaddr, "use_tempaddr", Combine::device, 0, 10},
      {Conf6::proxy_ndp, "proxy_ndp", Combine::either, 0, 22},
      {Conf6::optimistic_dad, "optimistic_dad", Combine::either, 0, 23},
      {Conf6::use_optimistic, "use_optimistic", Combine::either, 0, 34},
  }};
  return table;
}

const Conf6Info& info(Conf6 conf) { return conf6_table()[static_cast<std::size_t>(conf)]; }

std::optional<Conf6> conf6_by_name(std::string_view name) {
  const auto& table = conf6_table();
  const auto it = std::ranges::find(table, name, &Conf6Info::name);
  if (it == table.end()) return std::nullopt;
  return it->conf;
}

EffectiveConf effective(const Conf6Values& all, const Conf6Values& device, Conf6 conf) {
  const Conf6Info& about = info(conf);
  return combine(about.combine, all.get(conf), device.get(conf), about.kernel_value);
}

}  // namespace retour
