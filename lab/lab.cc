// SPDX-License-Identifier: Apache-2.0
#include "lab/lab.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "lab/design.h"
#include "lab/iproute2.h"
#include "lab/record.h"
#include "lab/sysctl.h"
#include "os/fd.h"
#include "os/journal_file.h"
#include "os/memory_file.h"
#include "os/netns.h"

namespace retour {
namespace {

using Sysctls = std::vector<std::pair<std::string, std::string>>;

bool running(int socket, const std::string& nic) {
  ifreq request{};
  nic.copy(request.ifr_name, IFNAMSIZ - 1);
  return ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

/// Until then a device drops what it is given to send, without a word.
Result<void> wait_for_carrier(const LabHost& host) {
  constexpr std::chrono::seconds patience{5};
  constexpr std::chrono::milliseconds pause{1};
  const auto netns = Netns::open(host.netns);
  if (!netns) return fail(netns.error());
  const auto inside = InsideNetns::enter(*netns);
  if (!inside) return fail(inside.error());
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::vector<std::string> waiting = host.nics;
  if (!host.management.empty()) waiting.push_back(host.management);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    std::erase_if(waiting, [&](const std::string& nic) { return running(any.get(), nic); });
    if (waiting.empty()) return {};
    if (std::chrono::steady_clock::now() > end) break;
    std::this_thread::sleep_for(pause);
  }
  return fail({ErrorKind::system, ETIMEDOUT,
               fmt::format("wait for carrier on {} of {}", waiting.front(), host.netns),
               fmt::format("none after {} s", patience.count()), ""});
}

Result<void> check(const LabOptions& options) {
  if (auto name = check_lab_name(options.name); !name) return name;
  if (options.nics >= 1 && options.nics <= 64) return {};
  return fail({ErrorKind::usage, 0, fmt::format("set up a lab of {} NICs", options.nics),
               "must be 1 to 64", ""});
}

Result<void> add_namespaces(const Lab& lab) {
  std::string text;
  for (const std::string& netns : lab_namespaces(lab)) text += fmt::format("netns add {}\n", netns);
  return ip_batch("", text);
}

Result<void> build(const Lab& lab) {
  if (auto added = add_namespaces(lab); !added) return added;
  const std::string net = switch_netns(lab.options.name);
  if (auto silent = silence_ipv6(net); !silent) return silent;
  const std::vector<LabHost> hosts = lab_hosts(lab);
  std::vector<Sysctls> later;
  for (const LabHost& host : hosts) {
    if (!lab.options.ipv6) {
      if (auto silent = silence_ipv6(host.netns); !silent) return silent;
    }
    auto rest = set_host_sysctls(lab.options, host);
    if (!rest) return fail(rest.error());
    later.push_back(*std::move(rest));
  }
  if (auto cabled = ip_batch(net, cabling(lab)); !cabled) return cabled;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (auto set = set_device_sysctls(hosts[i], later[i]); !set) return set;
    if (auto set = ip_batch(hosts[i].netns, host_setup(hosts[i])); !set) return set;
  }
  // A port that comes up with its far end up forwards before the command returns.
  if (auto powered = ip_batch(net, power_on(lab)); !powered) return powered;
  for (const LabHost& host : hosts) {
    if (auto up = wait_for_carrier(host); !up) return up;
  }
  return {};
}

/// What an apply without an undo (or a confirm) remembers of the namespace: nobody will ask for it
/// again.
void forget_changes(const std::string& netns) {
  const auto gone = Netns::open(netns);
  if (!gone) return;
  const std::string key = MemoryFile::key_of(*gone);
  (void)JournalFile(MemoryFile::default_base(), key, {}).clear();
  (void)MemoryFile(MemoryFile::default_base(), key).store({});
}

Result<void> remove(const Lab& lab) {
  std::string text;
  for (const std::string& netns : lab_namespaces(lab)) {
    if (!netns_exists(netns)) continue;
    forget_changes(netns);
    text += fmt::format("netns del {}\n", netns);
  }
  if (!text.empty()) {
    if (auto deleted = ip_batch("", text); !deleted) return deleted;
  }
  return remove_record(lab);
}

}  // namespace

Result<Lab> lab_up(const LabOptions& options) {
  if (auto valid = check(options); !valid) return fail(valid.error());
  const Lab lab = design_lab(options);
  if (auto claimed = make_record(lab); !claimed) return fail(claimed.error());
  if (auto built = build(lab); !built) {
    Error error = built.error();
    if (const auto removed = remove(lab); !removed) {
      error.hint = fmt::format("{} (clearing up failed too: {})", lab_command("down", options.name),
                               removed.error().message());
    }
    return fail(std::move(error));
  }
  return lab;
}

Result<void> lab_down(const std::string& name) {
  if (auto valid = check_lab_name(name); !valid) return valid;
  const auto options = read_record(name);
  if (!options) return fail(options.error());
  if (*options) return remove(design_lab(**options));
  if (netns_exists(switch_netns(name))) {
    return fail({ErrorKind::not_found, 0, fmt::format("take down lab {}", name),
                 fmt::format("namespace {} was not made by a lab", switch_netns(name)),
                 fmt::format("if it may go: ip netns del {}", switch_netns(name))});
  }
  return {};
}

Result<Lab> lab_find(const std::string& name) {
  if (auto valid = check_lab_name(name); !valid) return fail(valid.error());
  const auto options = read_record(name);
  if (!options) return fail(options.error());
  const std::string doing = fmt::format("find lab {}", name);
  if (!*options) {
    return fail({ErrorKind::not_found, 0, doing, "there is none", lab_command("up", name)});
  }
  Lab lab = design_lab(**options);
  for (const std::string& netns : lab_namespaces(lab)) {
    if (netns_exists(netns)) continue;
    return fail({ErrorKind::not_found, 0, doing, fmt::format("namespace {} is gone", netns),
                 lab_command("down", name)});
  }
  return lab;
}

Result<LabGuard> LabGuard::up(const LabOptions& options) {
  auto lab = lab_up(options);
  if (!lab) return fail(lab.error());
  return LabGuard(*std::move(lab));
}

LabGuard::~LabGuard() {
  // Nobody is left to tell; `retour lab down` does it again from the record.
  if (lab_) (void)lab_down(lab_->options.name);
}

}  // namespace retour
