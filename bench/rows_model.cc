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

Result<Outcome> lookup(const BenchHost& host, int rounds, bool walk) {
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
  std::vector<Destinations> sources;
  for (const Nic& nic : host.nics()) sources.push_back(fib.destinations({.src = nic.address}));
  const std::uint32_t first_source = host.nics().front().address.v4_bits();
  const auto from = [&](const Flow& flow) -> const Destinations& {
    return sources[flow.src.v4_bits() - first_source];
  };
  const auto link_of = [](const Decision& decision) {
    return decision.leg != nullptr ? decision.leg->link.value : 0;
  };
  for (const Flow& flow : flows) {
    const std::uint32_t limit = ranges.find(flow.src.v4_bits(), flow.dst.v4_bits());
    if (link_of(fib.decide(flow)) != limit || link_of(from(flow).decide(flow.dst)) != limit) {
      return fail({ErrorKind::contradiction, 0, "look up " + flow.dst.str(),
                   "the model and the table of ranges disagree"});
    }
  }

  const auto ours = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    for (const Flow& flow : flows) {
      if (walk) {
        keep(fib.decide(flow));
      } else {
        keep(from(flow).decide(flow.dst));
      }
    }
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
  return measure({walk ? "model lookup, rule by rule" : "model lookup",
                  {walk ? "Fib::decide" : "Destinations::decide", ours, 51},
                  {"search in a table of ranges", limit, 51},
                  Subject{"RTM_GETROUTE, 64 a sendmsg", anchor, 9}},
                 rounds);
}

namespace {

constexpr std::uint32_t many_routes = 100'000;
constexpr std::uint32_t many_rules = 1'000;

/// A router's worth of routes in main and in as many tables as there are rules.
Snapshot big_host() {
  Snapshot host;
  Link link;
  link.index = IfIndex{2};
  link.name = "e0";
  link.flags = 0x11043;
  host.links.push_back(link);
  host.hidden.custom_rules_v4 = true;
  std::uint32_t state = 7;
  host.routes.reserve(many_routes);
  for (std::uint32_t i = 0; i < many_routes; ++i) {
    state = state * 1664525U + 1013904223U;
    Route route;
    route.dst = Prefix{Ip::v4(state), static_cast<std::uint8_t>(16 + i % 9)}.network();
    route.table = i % 10 != 0 ? table_main : TableId{100 + i % many_rules};
    route.next_hops.push_back({link.index, Ip::v4(0x0a000001), 0, 1});
    host.routes.push_back(std::move(route));
  }
  for (std::uint32_t i = 0; i < many_rules; ++i) {
    Rule rule;
    rule.priority = 1000 + i;
    rule.from = Prefix::host(Ip::v4(0x0a000000U + i));
    rule.table = TableId{100 + i};
    host.rules.push_back(std::move(rule));
  }
  return host;
}

}  // namespace

Result<Outcome> load(int rounds) {
  const Snapshot host = big_host();
  const auto ours = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    const Fib fib(host);
    keep(fib);
    return watch.elapsed();
  };
  // Whoever wants to search the prefixes must at least have them in order.
  const auto limit = [&]() -> Result<Nanoseconds> {
    const Stopwatch watch;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
    order.reserve(host.routes.size());
    for (std::uint32_t i = 0; i < host.routes.size(); ++i) {
      const Prefix& dst = host.routes[i].dst;
      order.emplace_back(std::uint64_t{dst.address.v4_bits()} << 8U | dst.length, i);
    }
    std::ranges::sort(order);
    keep(order);
    return watch.elapsed();
  };
  return measure({"load 100,000 routes, 1,000 rules",
                  {"Fib", ours, 3},
                  {"sort the prefixes", limit, 3},
                  std::nullopt},
                 rounds);
}

}  // namespace retour::bench
