// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "bench/raw_netlink.h"
#include "bench/rows.h"
#include "model/fib.h"
#include "os/kernel_netlink.h"

namespace retour::bench {

namespace {

constexpr std::size_t query_count = 1024;
constexpr std::size_t kernel_batch = 64;

/// The limit: for each source the destinations cut at every prefix, in order, with the answer of
/// each piece. No rules, no marks, no explanation; a search and nothing else.
class RangeTable {
 public:
  RangeTable(const Fib& fib, const Snapshot& snapshot, const std::vector<Nic>& nics) {
    for (const Route& route : snapshot.routes) {
      if (!route.dst.address.is_v4()) continue;
      starts_.push_back(route.dst.network().address.v4_bits());
      const std::uint32_t last = route.dst.last().v4_bits();
      if (last != 0xffffffffU) starts_.push_back(last + 1);
    }
    starts_.push_back(0);
    std::ranges::sort(starts_);
    starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
    first_source_ = nics.front().address.v4_bits();
    for (const Nic& nic : nics) {
      std::vector<std::uint32_t> answers;
      for (const std::uint32_t start : starts_) {
        const Decision decision = fib.decide({.src = nic.address, .dst = Ip::v4(start)});
        answers.push_back(decision.leg != nullptr ? decision.leg->link.value : 0);
      }
      answers_.push_back(std::move(answers));
    }
  }

  /// REQUIRES: `source` is one of the NICs'.
  [[nodiscard]] std::uint32_t find(std::uint32_t source, std::uint32_t destination) const {
    const auto piece = std::ranges::upper_bound(starts_, destination) - starts_.begin() - 1;
    return answers_[source - first_source_][static_cast<std::size_t>(piece)];
  }

 private:
  std::vector<std::uint32_t> starts_;
  std::vector<std::vector<std::uint32_t>> answers_;
  std::uint32_t first_source_{};
};

std::vector<Flow> queries(const std::vector<Nic>& nics) {
  std::vector<Flow> flows;
  std::uint32_t state = 20;
  for (std::size_t i = 0; i < query_count; ++i) {
    state = state * 1664525U + 1013904223U;
    // Every second one in the fabric, the others anywhere in 1.0.0.0 … 126.255.255.255: multicast
    // and loopback are not what a table is asked for.
    const std::uint32_t fabric_host = fabric.address.v4_bits() | ((state >> 12) & 0xfffU);
    const std::uint32_t anywhere = ((state >> 8) % 126 + 1) << 24 | (state & 0xffffffU);
    flows.push_back(
        {.src = nics[i % nics.size()].address, .dst = Ip::v4(i % 2 == 0 ? fabric_host : anywhere)});
  }
  return flows;
}

/// A change of the host that is taken back at the end of the scope.
class Applied {
 public:
  static Result<Applied> apply(RawNetlink& raw, const std::vector<Change>& changes) {
    if (const auto done = raw.exchange(encode(changes)); !done) return fail(done.error());
    return Applied(raw, encode(inverses(changes)));
  }
  Applied(Applied&& other) noexcept
      : raw_(std::exchange(other.raw_, nullptr)), back_(std::move(other.back_)) {}
  Applied& operator=(Applied&&) = delete;
  ~Applied() {
    if (raw_ != nullptr) (void)raw_->exchange(back_);
  }

 private:
  Applied(RawNetlink& raw, RawBatch back) : raw_(&raw), back_(std::move(back)) {}
  RawNetlink* raw_;
  RawBatch back_;
};

}  // namespace

Result<Outcome> lookup(const BenchHost& host, int rounds) {
  auto raw = RawNetlink::open();
  if (!raw) return fail(raw.error());
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(kernel.error());
  const auto cured = Applied::apply(*raw, host.cure());
  if (!cured) return fail(cured.error());
  const auto snapshot = (*kernel)->snapshot();
  if (!snapshot) return fail(snapshot.error());

  const Fib fib(*snapshot);
  const RangeTable ranges(fib, *snapshot, host.nics());
  const std::vector<Flow> flows = queries(host.nics());
  std::vector<RawBatch> batches;
  for (std::size_t i = 0; i < flows.size(); i += kernel_batch) {
    std::vector<RawQuery> batch;
    for (std::size_t j = i; j < i + kernel_batch; ++j)
      batch.push_back({flows[j].src, flows[j].dst});
    batches.push_back(encode(batch));
  }
  for (const Flow& flow : flows) {
    const Decision decision = fib.decide(flow);
    const std::uint32_t ours = decision.leg != nullptr ? decision.leg->link.value : 0;
    if (ours != ranges.find(flow.src.v4_bits(), flow.dst.v4_bits())) {
      return fail({ErrorKind::contradiction, 0, "look up " + flow.dst.str(),
                   "the model and the table of ranges disagree"});
    }
  }

  const auto ours = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    for (const Flow& flow : flows) keep(fib.decide(flow));
    return watch.elapsed() / static_cast<double>(query_count);
  };
  const auto limit = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    for (const Flow& flow : flows) keep(ranges.find(flow.src.v4_bits(), flow.dst.v4_bits()));
    return watch.elapsed() / static_cast<double>(query_count);
  };
  const auto anchor = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    for (const RawBatch& batch : batches) {
      if (const auto done = raw->exchange(batch); !done) return fail(done.error());
    }
    return watch.elapsed() / static_cast<double>(query_count);
  };
  return measure({"model lookup",
                  {"Fib::decide", ours, 51},
                  {"search in a table of ranges", limit, 51},
                  Subject{"RTM_GETROUTE, 64 a sendmsg", anchor, 9}},
                 rounds);
}

}  // namespace retour::bench
