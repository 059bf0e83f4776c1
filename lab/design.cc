// SPDX-License-Identifier: Apache-2.0
#include "lab/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace retour {
namespace {

struct Nic {
  std::string_view name;
  std::string_view address;
};
using Nics = std::array<Nic, 8>;

constexpr Nics nics_of_a{{
    {"enp12s0f0", "29.28.204.80"},
    {"enp12s0f1", "29.28.193.140"},
    {"enp44s0f0", "29.28.202.17"},
    {"enp44s0f1", "29.28.198.66"},
    {"enp144s0f0", "29.28.195.112"},
    {"enp144s0f1", "29.28.199.203"},
    {"enp176s0f0", "29.28.200.91"},
    {"enp176s0f1", "29.28.196.54"},
}};
constexpr Nics nics_of_b{{
    {"enp137s0f1", "29.28.201.211"},
    {"enp137s0f0", "29.28.193.28"},
    {"enp80s0f1", "29.28.204.230"},
    {"enp106s0f0", "29.28.194.199"},
    {"enp106s0f1", "29.28.195.31"},
    {"enp80s0f0", "29.28.195.228"},
    {"enp234s0f1", "29.28.197.165"},
    {"enp234s0f0", "29.28.195.75"},
}};

LabHost design_host(std::string netns, std::string management, const Nics& known, int count,
                    int third_byte) {
  LabHost host{std::move(netns), {}, {}, std::move(management)};
  for (int k = 0; k < count; ++k) {
    if (static_cast<std::size_t>(k) < known.size()) {
      const Nic& nic = known.at(static_cast<std::size_t>(k));
      host.nics.emplace_back(nic.name);
      host.addresses.push_back(*Ip::parse(nic.address));
    } else {
      host.nics.push_back(fmt::format("enp{}s0f{}", 300 + k / 2, k % 2));
      host.addresses.push_back(*Ip::parse(fmt::format("29.28.{}.{}", third_byte, k + 1)));
    }
  }
  return host;
}

std::string switch_of(const Lab& lab, std::size_t nic) {
  return lab.options.rails ? fmt::format("rail{}", nic + 1) : "fast";
}

/// The last letter of the namespace names the host on its cables: a1 … a8, am.
std::string port_of(const LabHost& host, std::string_view suffix) {
  return fmt::format("{}{}", host.netns.back(), suffix);
}

std::string_view management_address(const LabHost& host) {
  return host.netns.back() == 'a' ? "192.168.0.80" : "192.168.0.211";
}

}  // namespace

Result<void> check_lab_name(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  if (!name.empty() && name.size() <= 32 && name.front() != '-' &&
      std::ranges::all_of(name, plain)) {
    return {};
  }
  return fail({ErrorKind::usage, 0, fmt::format("name of the lab \"{}\"", name),
               "must be letters, digits, '-' and '_', not '-' first, at most 32", ""});
}

std::string lab_command(std::string_view verb, const std::string& name) {
  if (name == LabOptions{}.name) return fmt::format("retour lab {}", verb);
  return fmt::format("retour lab {} --name {}", verb, name);
}

std::string switch_netns(const std::string& name) { return name + "-net"; }

Lab design_lab(const LabOptions& options) {
  Lab lab{options, {}, {}, std::nullopt};
  lab.a = design_host(options.name + "-a", "eno1", nics_of_a, options.nics, 207);
  lab.b = design_host(options.name + "-b", "enp218s0", nics_of_b, options.nics, 206);
  if (options.single_nic_peer) {
    lab.p = LabHost{options.name + "-p", {"enp1s0"}, {*Ip::parse("29.28.203.33")}, ""};
  }
  return lab;
}

std::vector<LabHost> lab_hosts(const Lab& lab) {
  std::vector<LabHost> hosts{lab.a, lab.b};
  if (lab.p) hosts.push_back(*lab.p);
  return hosts;
}

std::vector<std::string> lab_namespaces(const Lab& lab) {
  std::vector<std::string> names{switch_netns(lab.options.name)};
  for (const LabHost& host : lab_hosts(lab)) names.push_back(host.netns);
  return names;
}

std::string cabling(const Lab& lab) {
  std::string text;
  const auto bridge = [&](std::string_view name) {
    text += fmt::format(
        "link add {0} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
        "link set {0} up\n",
        name);
  };
  bridge("management");
  text += fmt::format("addr add {}/24 dev management\n", lab_gateway);
  const std::size_t switches = lab.options.rails ? lab.a.nics.size() : 1;
  for (std::size_t k = 0; k < switches; ++k) bridge(switch_of(lab, k));
  const auto cable = [&](const LabHost& host, std::string_view nic, const std::string& port,
                         const std::string& to) {
    text += fmt::format(
        "link add {0} type veth peer name {1} netns {2}\n"
        "link set {0} master {3}\n",
        port, nic, host.netns, to);
  };
  for (const LabHost& host : lab_hosts(lab)) {
    for (std::size_t k = 0; k < host.nics.size(); ++k) {
      cable(host, host.nics[k], port_of(host, std::to_string(k + 1)), switch_of(lab, k));
    }
    if (!host.management.empty()) cable(host, host.management, port_of(host, "m"), "management");
  }
  return text;
}

std::string power_on(const Lab& lab) {
  std::string text;
  for (const LabHost& host : lab_hosts(lab)) {
    for (std::size_t k = 0; k < host.nics.size(); ++k) {
      text += fmt::format("link set {} up\n", port_of(host, std::to_string(k + 1)));
    }
    if (!host.management.empty()) text += fmt::format("link set {} up\n", port_of(host, "m"));
  }
  return text;
}

std::string host_setup(const LabHost& host) {
  std::string text = "link set lo up\n";
  for (std::size_t k = 0; k < host.nics.size(); ++k) {
    text += fmt::format("link set {0} up\naddr add {1}/{2} brd + dev {0} metric {3}\n",
                        host.nics[k], host.addresses[k].str(), lab_prefix_length,
                        lab_first_metric + static_cast<int>(k));
  }
  if (!host.management.empty()) {
    text += fmt::format(
        "link set {0} up\naddr add {1}/24 brd + dev {0} metric {2}\n"
        "route add default via {3} dev {0} proto dhcp metric {2}\n",
        host.management, management_address(host), lab_management_metric, lab_gateway);
  }
  return text;
}

}  // namespace retour
