// SPDX-License-Identifier: Apache-2.0
#include "lab/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "model/conf.h"
#include "os/fd.h"
#include "os/netns.h"

namespace retour {
namespace {

using Sysctl = std::pair<std::string, std::string>;

/// /proc/sys/net shows the namespace of whoever opens it. REQUIRES: inside the host's.
Result<void> write_sysctl(const std::string& netns, const Sysctl& sysctl) {
  const auto& [key, value] = sysctl;
  const std::string doing = fmt::format("set {} = {} in {}", key, value, netns);
  std::string path = key;
  if (path.find('/') == std::string::npos) std::ranges::replace(path, '.', '/');
  // Others belong to the machine, not to the namespace.
  if (!path.starts_with("net/") || path.find("..") != std::string::npos) {
    return fail({ErrorKind::usage, EINVAL, doing, "not a key of a network namespace",
                 "a lab sets net.… keys only"});
  }
  const Fd fd(open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || write(fd.get(), value.data(), value.size()) < 0) {
    return fail({errno == ENOENT ? ErrorKind::not_found : ErrorKind::system, errno, doing,
                 std::strerror(errno), ""});
  }
  return {};
}

Result<InsideNetns> inside(const std::string& name) {
  const auto netns = Netns::open(name);
  if (!netns) return fail(netns.error());
  return InsideNetns::enter(*netns);
}

/// "b:net.…" is for host b alone.
std::optional<Sysctl> for_host(const Sysctl& sysctl, const LabHost& host) {
  const std::string& key = sysctl.first;
  if (key.size() < 2 || key[1] != ':') return sysctl;
  if (key[0] != host.netns.back()) return std::nullopt;
  return Sysctl{key.substr(2), sysctl.second};
}

Result<void> set_defaults(const std::string& netns) {
  constexpr std::array<std::string_view, 2> scopes{"default", "all"};
  // Two that decide nothing but would disturb: unasked ARP, and lines in the kernel's log.
  constexpr std::array<std::string_view, 2> quiet{"arp_notify", "log_martians"};
  for (const std::string_view scope : scopes) {
    const auto set = [&](std::string_view name, int value) {
      return write_sysctl(netns,
                          {fmt::format("net.ipv4.conf.{}.{}", scope, name), std::to_string(value)});
    };
    for (const ConfInfo& conf : conf_table()) {
      // Older kernels lack the youngest; what is not there needs no default.
      auto done = set(conf.name, conf.kernel_value);
      if (!done && done.error().kind != ErrorKind::not_found) return done;
    }
    for (const std::string_view name : quiet) {
      if (auto done = set(name, 0); !done) return done;
    }
  }
  return {};
}

}  // namespace

Result<void> silence_ipv6(const std::string& netns) {
  const auto there = inside(netns);
  if (!there) return fail(there.error());
  for (const char* scope : {"all", "default"}) {
    auto done = write_sysctl(netns, {fmt::format("net.ipv6.conf.{}.disable_ipv6", scope), "1"});
    if (!done && done.error().kind != ErrorKind::not_found) return done;
  }
  return {};
}

Result<std::vector<Sysctl>> set_host_sysctls(const LabOptions& options, const LabHost& host) {
  const auto there = inside(host.netns);
  if (!there) return fail(there.error());
  if (auto done = set_defaults(host.netns); !done) return fail(done.error());
  std::vector<Sysctl> wanted;
  if (options.gates_of_article) {
    wanted.emplace_back("net.ipv4.conf.all.rp_filter", "1");
    wanted.emplace_back("net.ipv4.conf.all.arp_ignore", "1");
  }
  for (const Sysctl& sysctl : options.sysctls) {
    if (auto own = for_host(sysctl, host)) wanted.push_back(*std::move(own));
  }
  std::vector<Sysctl> later;
  for (Sysctl& sysctl : wanted) {
    const auto done = write_sysctl(host.netns, sysctl);
    if (done) continue;
    if (done.error().kind != ErrorKind::not_found) return fail(done.error());
    later.push_back(std::move(sysctl));
  }
  return later;
}

Result<void> set_device_sysctls(const LabHost& host, const std::vector<Sysctl>& sysctls) {
  if (sysctls.empty()) return {};
  const auto there = inside(host.netns);
  if (!there) return fail(there.error());
  for (const Sysctl& sysctl : sysctls) {
    if (auto done = write_sysctl(host.netns, sysctl); !done) return done;
  }
  return {};
}

}  // namespace retour
