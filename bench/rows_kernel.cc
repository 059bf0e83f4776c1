// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "bench/process.h"
#include "bench/raw_netlink.h"
#include "bench/rows.h"
#include "os/kernel_netlink.h"

namespace retour::bench {

namespace {

// Short work is repeated within a round, so that one interrupt does not decide the round.
int repeats(const BenchHost& host) { return host.nics().size() > 100 ? 9 : 25; }

/// The first change that failed, if any.
Result<void> all_done(const std::vector<std::optional<Error>>& results) {
  for (const auto& error : results) {
    if (error) return fail(*error);
  }
  return {};
}

Result<Nanoseconds> five_dumps() {
  static const std::vector<std::vector<std::string>> commands{
      {"ip", "-j", "link"},
      {"ip", "-j", "address"},
      {"ip", "-j", "route", "show", "table", "all"},
      {"ip", "-j", "rule"},
      {"ip", "-j", "neighbour"}};
  Nanoseconds total = 0;
  for (const auto& command : commands) {
    const auto time = run_well(command);
    if (!time) return time;
    total += *time;
  }
  return total;
}

}  // namespace

Result<Outcome> read_host(const BenchHost& host, int rounds) {
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(kernel.error());
  auto raw = RawNetlink::open();
  if (!raw) return fail(raw.error());

  const auto ours = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    const auto snapshot = (*kernel)->snapshot();
    const Nanoseconds time = watch.elapsed();
    if (!snapshot) return fail(snapshot.error());
    if (snapshot->links.size() != host.nics().size() + 2) {
      return fail({ErrorKind::contradiction, 0, "read the host", "links are missing"});
    }
    return time;
  };
  const auto limit = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    const auto bytes = raw->read_host();
    const Nanoseconds time = watch.elapsed();
    if (!bytes) return fail(bytes.error());
    return time;
  };
  return measure({fmt::format("read host, {} NICs", host.nics().size()),
                  {"Kernel::snapshot", ours, repeats(host)},
                  {"five dumps into a buffer", limit, repeats(host)},
                  Subject{"five times ip -j", five_dumps}},
                 rounds);
}

Result<Outcome> apply_cure(const BenchHost& host, int rounds) {
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(kernel.error());
  auto raw = RawNetlink::open();
  if (!raw) return fail(raw.error());
  const auto changes = host.cure();
  const auto back = inverses(changes);
  const RawBatch add = encode(changes);
  const RawBatch remove = encode(back);
  const std::string text = batch_text(changes, host.nics());

  const auto ours = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    const auto results = (*kernel)->apply(changes);
    const Nanoseconds time = watch.elapsed();
    if (const auto done = all_done(results); !done) return fail(done.error());
    if (const auto undone = raw->exchange(remove); !undone) return fail(undone.error());
    return time;
  };
  const auto limit = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    const auto done = raw->exchange(add);
    const Nanoseconds time = watch.elapsed();
    if (!done) return fail(done.error());
    if (const auto undone = raw->exchange(remove); !undone) return fail(undone.error());
    return time;
  };
  // A difference of two process times: the best of each, or a busy machine makes it negative.
  const auto anchor = [&]() -> Result<Nanoseconds> {
    Nanoseconds start = std::numeric_limits<Nanoseconds>::max();
    Nanoseconds whole = start;
    for (int i = 0; i < 5; ++i) {
      const auto nothing = run_well({"ip", "-batch", "-"});
      if (!nothing) return nothing;
      const auto all = run_well({"ip", "-batch", "-"}, text);
      if (!all) return all;
      if (const auto undone = raw->exchange(remove); !undone) return fail(undone.error());
      start = std::min(start, *nothing);
      whole = std::min(whole, *all);
    }
    return whole - start;
  };
  return measure({fmt::format("apply {} NICs", host.nics().size()),
                  {"Kernel::apply", ours, repeats(host)},
                  {"one prebuilt sendmsg, an acknowledgement each", limit, repeats(host)},
                  Subject{"ip -batch, net of its start", anchor}},
                 rounds);
}

Result<Outcome> cold_diagnose(const BenchHost& host, int rounds, const std::string& name,
                              const std::vector<std::string>& extra) {
  std::vector<std::string> command{RETOUR_BINARY, "diagnose"};
  command.insert(command.end(), extra.begin(), extra.end());
  const auto ours = [&]() -> Result<Nanoseconds> {
    const auto ended = run(command);
    if (!ended) return fail(ended.error());
    // 1: there are findings, and on this host there must be.
    if (ended->status != 1) {
      return fail({ErrorKind::system, 0, "run retour diagnose",
                   fmt::format("exit status {}, not 1", ended->status)});
    }
    return ended->wall;
  };
  const auto limit = [] { return run_well({"/bin/true"}); };
  const auto anchor = [&]() -> Result<Nanoseconds> {
    Nanoseconds total = 0;
    for (const Nic& nic : host.nics()) {
      const auto time =
          run_well({"ip", "-j", "route", "get", fabric_peer.str(), "from", nic.address.str()});
      if (!time) return time;
      total += *time;
    }
    return total;
  };
  return measure({name,
                  {"process, fork to exit", ours, 5},
                  {"/bin/true, fork to exit", limit, 5},
                  Subject{"ip -j route get for each address", anchor}},
                 rounds);
}

}  // namespace retour::bench
