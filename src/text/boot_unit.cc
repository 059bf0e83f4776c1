// SPDX-License-Identifier: Apache-2.0
#include "text/boot_unit.h"

#include <fmt/format.h>

namespace retour {

namespace {

/// systemd.service(5), "COMMAND LINES": one word, with nothing in it to be expanded.
std::string word(std::string_view text) {
  std::string out;
  bool plain = !text.empty();
  for (const char c : text) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("/-_.:,+=@").find(c) != std::string_view::npos;
    plain = plain && safe;
    if (c == '"' || c == '\\') out += '\\';
    if (c == '%' || c == '$') out += c;
    out += c;
  }
  return plain ? out : "\"" + out + "\"";
}

constexpr std::string_view unit = R"({mark}: retour apply --persist; removed by retour undo
[Unit]
Description=Each NIC answers for itself (retour)
# Addresses first: what is planned depends on them.
After=systemd-networkd.service systemd-networkd-wait-online.service
After=NetworkManager.service NetworkManager-wait-online.service
After=networking.service dhcpcd.service
Wants=network-online.target
Before=network-online.target
# A plan that is refused stays refused.
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command}
# While a boot is still moving, the plan may be overtaken.
Restart=on-failure
RestartSec=5
TimeoutStartSec=120

[Install]
WantedBy=multi-user.target
)";

}  // namespace

std::vector<NativeFile> boot_unit(const std::string& program,
                                  const std::vector<std::string>& arguments) {
  std::string command = word(program);
  for (const std::string& argument : arguments) command += " " + word(argument);
  return {{boot_unit_path, 0644,
           fmt::format(unit, fmt::arg("mark", made_by_retour), fmt::arg("command", command))},
          {boot_unit_link, symbolic_link, "../retour.service"}};
}

}  // namespace retour
