// SPDX-License-Identifier: Apache-2.0
#include "plan/managers.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace retour {

namespace {

using RuleTest = bool (*)(const Rule&);
using LinkTest = bool (*)(const Link&);

struct Known {
  std::string_view name;
  std::vector<std::string_view> processes;
  std::vector<std::string_view> paths;
  RuleTest rule;
  LinkTest link;
  std::string_view effect;
};

bool no_rule(const Rule&) { return false; }
bool no_link(const Link&) { return false; }

bool masked(const Rule& rule, std::uint32_t mark, std::uint32_t mask) {
  return rule.fwmark == mark && rule.fwmask == mask;
}

bool of_tailscale(const Rule& rule) {
  return rule.priority >= 5200 && rule.priority < 5300 &&
         (masked(rule, 0x80000, 0xff0000) || rule.table == TableId{52});
}
bool of_cilium(const Rule& rule) {
  return masked(rule, 0x200, 0xf00) || masked(rule, 0xa00, 0xf00) || masked(rule, 0xe00, 0xf00);
}
bool of_wg_quick(const Rule& rule) {
  return rule.invert && rule.fwmark != 0 && rule.fwmark == rule.table.value;
}
bool of_vpc_cni(const Rule& rule) { return rule.priority == 1024 && masked(rule, 0x80, 0x80); }

/// Names, traces and effects. What is said of an effect is in the program's own documentation or
/// was seen in tests/scenario/coexistence_test.cc.
const std::vector<Known>& known() {
  static const std::vector<Known> list{
      {"systemd-networkd", {"systemd-network"}, {"/run/systemd/netif/state"}, no_rule, no_link, ""},
      {"NetworkManager",
       {"NetworkManager"},
       {"/run/NetworkManager"},
       no_rule,
       no_link,
       "leaves rules of others alone, and routes outside of main but for a profile with "
       "ipv4.route-table set; to activate a profile takes the NIC's address away for a moment, and "
       "our route with it"},
      {"netplan",
       {},
       {"/etc/netplan/*.yaml", "/run/netplan/*.yaml", "/lib/netplan/*.yaml"},
       no_rule,
       no_link,
       "writes the configuration of systemd-networkd or NetworkManager; netplan apply has them "
       "configure its NICs anew"},
      {"ifupdown",
       {},
       {"/run/network/ifstate"},
       no_rule,
       no_link,
       "leaves rules alone; with the addresses that ifdown takes from a NIC its routes go too"},
      {"cloud-init",
       {"cloud-init"},
       {"/run/cloud-init/instance-data.json"},
       no_rule,
       no_link,
       "writes the configuration of the network at boot, for another program to make it so"},
      {"amazon-ec2-net-utils",
       {},
       {"/usr/lib/systemd/system/policy-routes@.service", "/usr/bin/setup-policy-routes"},
       no_rule,
       no_link,
       "makes a table and rules of its own for each NIC of the instance, again and again by a "
       "timer: two cures for one address"},
      {"google-guest-agent",
       {"google_guest_ag"},
       {"/usr/bin/google_guest_agent"},
       no_rule,
       no_link,
       "configures the NICs of the instance and adds local routes of protocol 66"},
      {"waagent",
       {"waagent"},
       {"/usr/sbin/waagent"},
       no_rule,
       no_link,
       "has the NICs of the instance configured anew when it provisions it"},
      {"cloud-netconfig",
       {},
       {"/usr/lib/systemd/system/cloud-netconfig.service", "/usr/libexec/cloud-netconfig"},
       no_rule,
       no_link,
       "makes a table and rules of its own for each NIC of the instance, again and again by a "
       "timer: two cures for one address"},
      {"oci-utils",
       {"ocid"},
       {"/usr/libexec/ocid", "/usr/bin/oci-network-config"},
       no_rule,
       no_link,
       "makes a table and rules of its own for each secondary VNIC: two cures for one address"},
      {"nm-cloud-setup",
       {},
       {"/etc/systemd/system/timers.target.wants/nm-cloud-setup.timer",
        "/usr/lib/systemd/system/timers.target.wants/nm-cloud-setup.timer"},
       no_rule,
       no_link,
       "gives each NIC of the instance rules and a table of its own: two cures for one address"},
      {"dhcpcd",
       {"dhcpcd"},
       {"/run/dhcpcd*"},
       no_rule,
       no_link,
       "leaves rules alone; with a lease that ends, the address goes and our routes with it"},
      {"dhclient",
       {"dhclient"},
       {"/run/dhclient*.pid"},
       no_rule,
       no_link,
       "leaves rules alone; with a lease that ends, the address goes and our routes with it"},
      {"Cilium",
       {"cilium-agent"},
       {"/run/cilium", "/var/run/cilium"},
       of_cilium,
       [](const Link& link) { return link.name == "cilium_host"; },
       "moves the rule for local to 100 and puts rules for its marks before; those for pods are "
       "longer routes of main, which our guard rules keep"},
      {"Calico",
       {"calico-node"},
       {"/run/calico", "/var/run/calico"},
       no_rule,
       [](const Link& link) { return link.name.starts_with("cali"); },
       "adds a route for each pod to main, which our guard rules keep"},
      {"Amazon VPC CNI",
       {"aws-k8s-agent"},
       {},
       of_vpc_cni,
       no_link,
       "has rules from 512 on for the addresses of pods; they come before ours"},
      {"tailscale",
       {"tailscaled"},
       {"/run/tailscale"},
       of_tailscale,
       [](const Link& link) { return link.name == "tailscale0"; },
       "has its rules (5210 to 5270) before ours: what its table 52 routes goes by the tunnel, "
       "whatever its source"},
      {"wg-quick",
       {},
       {},
       of_wg_quick,
       no_link,
       "sends all that does not have its mark by the tunnel when its rule comes before ours"},
  };
  return list;
}

std::string yes_or_no(const NetworkdSwitch& value) {
  return fmt::format("{} ({})", value.value ? "yes" : "no",
                     value.from.empty() ? "default" : value.from);
}

void audit_networkd(const ManagerTraces& traces, Configurator& out) {
  const NetworkdConf conf = read_networkd_conf(traces.networkd);
  out.settings = {{"ManageForeignRoutingPolicyRules", yes_or_no(conf.rules)},
                  {"ManageForeignRoutes", yes_or_no(conf.routes)}};
  if (!conf.next_hops.from.empty()) {
    out.settings.emplace_back("ManageForeignNextHops", yes_or_no(conf.next_hops));
  }
  out.removes = conf.rules.value || conf.routes.value;
  const char* what = conf.rules.value && conf.routes.value ? "rules and routes"
                     : conf.rules.value                    ? "rules"
                                                           : "routes";
  out.effect = out.removes
                   ? fmt::format(
                         "deletes {} that it did not make when it configures a NIC "
                         "anew, ours too: no protocol number protects them",
                         what)
                   : "leaves rules and routes of others alone; to configure a NIC anew takes its "
                     "address away for a moment, and our route with it";
  if (!out.removes) return;
  out.drop_in = NativeFile{networkd_drop_in_path, 0644,
                           fmt::format("{}: removed by retour undo\n[Network]\n"
                                       "ManageForeignRoutingPolicyRules=no\n"
                                       "ManageForeignRoutes=no\n",
                                       made_by_retour)};
  out.then = "systemctl restart systemd-networkd";
}

/// The first thing that shows it is there; empty: nothing does.
std::string evidence_of(const Known& each, const ManagerTraces& traces, const Snapshot& host,
                        bool& running) {
  for (const std::string_view process : each.processes) {
    if (!traces.processes.contains(std::string(process))) continue;
    running = true;
    return fmt::format("process {}", process);
  }
  for (const Rule& rule : host.rules) {
    if (each.rule(rule)) return fmt::format("rule {}", rule.priority);
  }
  for (const Link& link : host.links) {
    if (each.link(link)) return fmt::format("NIC {}", link.name);
  }
  for (const std::string& path : traces.paths) {
    for (const std::string_view pattern : each.paths) {
      // Nothing but a last "*" and what follows it is a pattern here.
      const auto star = pattern.find('*');
      const bool meets = star == std::string_view::npos
                             ? path == pattern
                             : path.starts_with(pattern.substr(0, star)) &&
                                   path.ends_with(pattern.substr(star + 1));
      if (meets) return path;
    }
  }
  return {};
}

}  // namespace

std::vector<std::string_view> manager_paths() {
  std::vector<std::string_view> all;
  for (const Known& each : known()) all.insert(all.end(), each.paths.begin(), each.paths.end());
  return all;
}

std::vector<Configurator> managers(const ManagerTraces& traces, const Snapshot& host) {
  std::vector<Configurator> found;
  for (const Known& each : known()) {
    bool running = false;
    const std::string evidence = evidence_of(each, traces, host, running);
    if (evidence.empty()) continue;
    Configurator manager{std::string(each.name), running, evidence, std::string(each.effect)};
    if (each.name == "systemd-networkd") audit_networkd(traces, manager);
    found.push_back(std::move(manager));
  }
  return found;
}

}  // namespace retour
