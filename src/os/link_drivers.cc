// SPDX-License-Identifier: Apache-2.0
#include "os/link_drivers.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace retour {

namespace {

template <std::size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

/// Drivers of software links fill the field with words of their own.
bool on_no_bus(std::string_view bus) { return bus.empty() || bus == "N/A" || bus == "tap"; }

}  // namespace

LinkDrivers::LinkDrivers() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

void LinkDrivers::read(std::vector<Link>& links) const {
  for (Link& link : links) {
    ethtool_drvinfo about{};
    about.cmd = ETHTOOL_GDRVINFO;
    ifreq request{};
    if (link.loopback() || link.name.size() >= sizeof(request.ifr_name)) continue;
    link.name.copy(request.ifr_name, link.name.size());
    request.ifr_data = reinterpret_cast<char*>(&about);
    if (ioctl(socket_.get(), SIOCETHTOOL, &request) != 0) continue;
    link.driver = text_of(about.driver);
    link.bus = text_of(about.bus_info);
    if (on_no_bus(link.bus)) link.bus.clear();
  }
}

}  // namespace retour
