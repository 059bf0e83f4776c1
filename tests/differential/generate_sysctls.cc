// SPDX-License-Identifier: Apache-2.0
#include "differential/generator.h"

namespace retour::differential {

void Generator::early_sysctls() {
  // Duplicate address detection takes a second, and only delays what is asked here.
  for (const std::string where : {"all", "default"}) {
    sysctl("net/ipv6/conf/" + where + "/accept_dad", "0");
    sysctl("net/ipv6/conf/" + where + "/dad_transmits", "0");
    sysctl("net/ipv6/conf/" + where + "/router_solicitations", "0");
  }
  if (v4() || chance(60)) {
    sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
    sysctl("net/ipv6/conf/all/addr_gen_mode", "1");
  }
}

void Generator::sysctls() {
  if (v4()) {
    sysctls_v4();
  } else {
    sysctls_v6();
  }
}

void Generator::conf(const std::string& name, const std::string& value) {
  const std::string where = chance(35) ? "all" : device();
  sysctl((v4() ? "net/ipv4/conf/" : "net/ipv6/conf/") + where + "/" + name, value);
}

void Generator::sysctls_v4() {
  if (chance(55)) sysctl("net/ipv4/ip_forward", "1");
  if (chance(65)) sysctl("net/ipv4/conf/all/rp_filter", random_.of<std::string>({"0", "1", "2"}));
  for (auto more = random_.below(7); more > 0; --more) {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        conf("rp_filter", random_.of<std::string>({"0", "1", "2"}));
        break;
      case 3:
        conf("accept_local", "1");
        break;
      case 4:
        conf("route_localnet", "1");
        break;
      case 5:
        conf("src_valid_mark", "1");
        break;
      case 6:
        conf("forwarding", random_.of<std::string>({"0", "1", "1"}));
        break;
      case 7:
        if (chance(50)) sysctl("net/ipv4/conf/all/bc_forwarding", "1");
        conf("bc_forwarding", "1");
        break;
      case 8:
        conf("ignore_routes_with_linkdown", "1");
        break;
      case 9:
        conf("send_redirects", "0");
        if (chance(50)) sysctl("net/ipv4/conf/all/send_redirects", "0");
        break;
      case 10:
        conf("promote_secondaries", "1");
        break;
      default:
        if (chance(50)) {
          sysctl("net/ipv4/fib_multipath_hash_policy", random_.of<std::string>({"0", "1", "2"}));
        } else {
          sysctl("net/ipv4/fib_multipath_use_neigh", "1");
        }
    }
  }
}

void Generator::sysctls_v6() {
  if (chance(50)) sysctl("net/ipv6/conf/all/forwarding", "1");
  for (auto more = random_.below(5); more > 0; --more) {
    switch (random_.below(8)) {
      case 0:
        conf("forwarding", random_.of<std::string>({"0", "1"}));
        break;
      case 1:
      case 2:
        conf("ignore_routes_with_linkdown", "1");
        break;
      case 3:
        conf("use_oif_addrs_only", "1");
        break;
      case 4:
        conf("keep_addr_on_down", "1");
        break;
      case 5:
        if (chance(30)) conf("disable_ipv6", random_.of<std::string>({"1", "1", "0"}));
        break;
      case 6:
        conf("use_tempaddr", random_.of<std::string>({"1", "2", "2"}));
        break;
      default:
        sysctl("net/ipv6/fib_multipath_hash_policy", random_.of<std::string>({"0", "1"}));
    }
  }
}

}  // namespace retour::differential
