// SPDX-License-Identifier: Apache-2.0
#include "app/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "diagnose/subnets.h"
#include "os/prober_raw.h"
#include "text/journal_json.h"
#include "text/snapshot_json.h"

namespace retour {

namespace {

constexpr std::chrono::milliseconds segment_wait{30};
constexpr std::size_t largest_input = 256U << 20U;

bool several_doors(const Snapshot& now) {
  Policy flat;
  flat.segments = SegmentsFrom::flat;
  const auto shared = shared_subnets(now, flat);
  return !shared.empty() || !routed_prefixes(now, flat, shared).empty();
}

}  // namespace

Result<LiveHost> LiveHost::open(const std::string& netns) {
  auto where = netns.empty() ? Netns::current() : Netns::open(netns);
  if (!where) return fail(std::move(where.error()));
  return open(std::move(*where), netns);
}

Result<LiveHost> LiveHost::open(Netns where, const std::string& name) {
  const TableNamesPlace place =
      table_names_place(where, name.empty() ? std::nullopt : std::optional(name));
  std::optional<InsideNetns> inside;
  if (!name.empty()) {
    auto entered = InsideNetns::enter(where);
    if (!entered) return fail(std::move(entered.error()));
    inside.emplace(std::move(*entered));
  }
  auto kernel = NetlinkKernel::open(place.directory);
  if (!kernel) return fail(std::move(kernel.error()));
  auto memory = std::make_unique<MemoryFile>(MemoryFile::default_base(), MemoryFile::key_of(where));
  auto journal = journal_of(where);
  return LiveHost{name,
                  std::move(where),
                  std::move(*kernel),
                  std::move(memory),
                  std::move(journal),
                  std::make_unique<TableNamesFile>(place)};
}

std::unique_ptr<JournalFile> journal_of(const Netns& netns) {
  return std::make_unique<JournalFile>(
      MemoryFile::default_base(), MemoryFile::key_of(netns),
      JournalFormat{[](const JournalEntry& entry) { return to_json(entry); }, journal_from_json});
}

Result<HostLock> LiveHost::lock() const {
  constexpr std::chrono::seconds patience{10};
  std::optional<InsideNetns> inside;
  if (!name.empty()) {
    auto entered = InsideNetns::enter(netns);
    if (!entered) return fail(std::move(entered.error()));
    inside.emplace(std::move(*entered));
  }
  return HostLock::take(patience);
}

Result<Snapshot> LiveHost::snapshot() {
  auto now = kernel->snapshot();
  if (now && !name.empty()) now->host = name;
  return now;
}

Result<Snapshot> LiveHost::snapshot_with_segments(SegmentsFrom from) {
  auto now = snapshot();
  if (!now || from != SegmentsFrom::snapshot) return now;
  if (!several_doors(*now)) return now;
  // Every NIC with an address, not those of shared subnets alone: a NIC of another subnet may be on
  // the same wire and answer, and one that a reply leaves by may not.
  std::vector<IfIndex> links;
  for (const Address& address : now->addresses) {
    const Link* link = now->link(address.link);
    if (address.scope >= scope_link || link == nullptr || link->loopback()) continue;
    if (std::ranges::find(links, link->index) == links.end()) links.push_back(link->index);
  }
  if (links.empty()) return now;
  auto inside = InsideNetns::enter(netns);
  if (!inside && !name.empty()) return now;
  auto prober = RawProber::open();
  if (!prober) return now;  // without CAP_NET_RAW one segment is assumed, and the diagnosis says so
  auto segments = (*prober)->segments(links, segment_wait);
  if (!segments) return fail(std::move(segments.error()));
  now->segments = std::move(*segments);
  return now;
}

Result<std::string> read_input(const std::string& path) {
  const bool in = path == "-";
  std::FILE* file = in ? stdin : std::fopen(path.c_str(), "rbe");
  const auto failed = [&](const char* why) {
    return fail({ErrorKind::system, errno, fmt::format("read {}", in ? "stdin" : path), why, {}});
  };
  if (file == nullptr) return failed(std::strerror(errno));
  std::string text;
  std::array<char, 65536> buffer{};
  std::size_t size = 0;
  while ((size = std::fread(buffer.data(), 1, buffer.size(), file)) > 0) {
    text.append(buffer.data(), size);
    if (text.size() > largest_input) break;
  }
  const bool broken = std::ferror(file) != 0;
  const int error = errno;
  if (!in) std::fclose(file);
  errno = error;
  if (broken) return failed(std::strerror(error));
  if (text.size() > largest_input) return failed("larger than 256 MiB");
  return text;
}

Result<Snapshot> read_host(const Options& options, const Policy& policy) {
  if (options.snapshot.empty()) {
    auto host = LiveHost::open(options.netns);
    if (!host) return fail(std::move(host.error()));
    return host->snapshot_with_segments(policy.segments);
  }
  if (!options.netns.empty()) {
    return fail({ErrorKind::usage, 0, "--snapshot and --netns", "only one of them makes sense",
                 "a snapshot is of one host already"});
  }
  auto text = read_input(options.snapshot);
  if (!text) return fail(std::move(text.error()));
  const std::string source = options.snapshot == "-" ? "stdin" : options.snapshot;
  auto host = snapshot_from_json(*text, source);
  if (!host) return host;
  if (auto whole = check_whole(*host, source); !whole) return fail(std::move(whole.error()));
  return host;
}

Result<void> check_whole(const Snapshot& host, const std::string& source) {
  const bool rules =
      std::ranges::any_of(host.rules, [](const Rule& rule) { return rule.family == Family::v4; });
  const char* missing = host.links.empty()       ? "links"
                        : host.addresses.empty() ? "addresses"
                        : !rules                 ? "IPv4 rules"
                                                 : nullptr;
  if (missing == nullptr) return {};
  return fail({ErrorKind::contradiction, 0, "read " + source,
               fmt::format("it holds no {}: that is no host, but part of one", missing),
               "nothing is concluded from a partial read; take the snapshot or the texts again"});
}

}  // namespace retour
