// SPDX-License-Identifier: Apache-2.0
#include "invariants.h"
#include "plan/networkd_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace retour;
  const std::string text(fuzz::text_of(data, size));
  const NetworkdConf conf = read_networkd_conf(
      std::vector<ConfigFile>{{"/etc/systemd/networkd.conf", text},
                              {"/etc/systemd/networkd.conf.d/10-a.conf", text},
                              {"/run/systemd/networkd.conf.d/10-a.conf", "[Network]\n"}});
  // The same words twice are the same words; what nobody says is the default.
  const NetworkdConf once =
      read_networkd_conf(std::vector<ConfigFile>{{"/etc/systemd/networkd.conf", text}});
  fuzz::require(conf.rules.value == once.rules.value && conf.routes.value == once.routes.value,
                "a file said twice says the same");
  fuzz::require(once.rules.value || !once.rules.from.empty(), "a default is yes");
  // The last word counts, whatever came before it, in the file itself too.
  const NetworkdConf last = read_networkd_conf(std::vector<ConfigFile>{
      {"/etc/systemd/networkd.conf.d/10-a.conf", text},
      {"/etc/systemd/networkd.conf.d/50-b.conf", "[Network]\nManageForeignRoutes=no\n"}});
  fuzz::require(!last.routes.value, "the last word counts");
  return 0;
}
