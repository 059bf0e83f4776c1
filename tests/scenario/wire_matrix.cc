// SPDX-License-Identifier: Apache-2.0
#include "scenario/wire_matrix.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>

#include "lab/iproute2.h"
#include "os/netns.h"

namespace retour::testing {
namespace {

std::vector<IfIndex> indices(const LabHost& host) {
  std::vector<IfIndex> found;
  const auto netns = Netns::open(host.netns);
  if (!netns) return found;
  const auto inside = InsideNetns::enter(*netns);
  if (!inside) return found;
  for (const std::string& nic : host.nics) found.push_back(IfIndex{if_nametoindex(nic.c_str())});
  return found;
}

int position(const std::vector<IfIndex>& all, const std::vector<IfIndex>& seen) {
  if (seen.empty()) return -1;
  if (seen.size() > 1) return -2;
  return static_cast<int>(std::ranges::find(all, seen.front()) - all.begin());
}

}  // namespace

std::unique_ptr<Matrix> Matrix::open(const LabHost& from, const LabHost& to) {
  auto matrix = std::make_unique<Matrix>();
  matrix->from_ = from;
  matrix->to_ = to;
  matrix->here_ = indices(from);
  matrix->there_ = indices(to);
  std::vector<std::unique_ptr<Tap>> taps;
  auto tap = Tap::open_in(to.netns);
  if (!tap) {
    ADD_FAILURE() << tap.error().message();
    return nullptr;
  }
  taps.push_back(std::move(*tap));
  const auto netns = Netns::open(from.netns);
  const auto inside = InsideNetns::enter(*netns);
  auto prober = RawProber::open(std::move(taps));
  if (!prober) {
    ADD_FAILURE() << prober.error().message();
    return nullptr;
  }
  matrix->prober_ = std::move(*prober);
  return matrix;
}

std::vector<Crossing> Matrix::cross(const std::vector<int>& from, const ProbeOptions& options) {
  std::vector<Crossing> crossings;
  std::vector<ProbePair> pairs;
  for (const int i : from) {
    const auto at = static_cast<std::size_t>(i);
    for (std::size_t j = 0; j < to_.addresses.size(); ++j) {
      pairs.push_back({from_.addresses[at], here_[at], to_.addresses[j]});
      crossings.push_back({i, static_cast<int>(j), {}, {}});
    }
  }
  auto seen = prober_->probe(pairs, options);
  if (!seen) {
    ADD_FAILURE() << seen.error().message();
    return {};
  }
  EXPECT_EQ(prober_->dropped(), 0U);
  for (std::size_t n = 0; n < crossings.size(); ++n) {
    Crossing& crossing = crossings[n];
    crossing.seen = std::move((*seen)[n]);
    const DoorsSeen there = crossing.seen.there.value_or(DoorsSeen{});
    crossing.path = {position(here_, crossing.seen.here.request), position(there_, there.request),
                     position(there_, there.reply), position(here_, crossing.seen.here.reply)};
  }
  return crossings;
}

void Matrix::forget() {
  for (const LabHost& host : {from_, to_}) {
    const auto flushed = ip_batch(host.netns, "neigh flush all\n");
    if (!flushed) ADD_FAILURE() << flushed.error().message();
  }
}

void cure(const LabHost& host) {
  std::string text;
  for (std::size_t k = 0; k < host.nics.size(); ++k) {
    text += fmt::format(
        "route add 29.28.192.0/20 dev {0} scope link src {1} table {2}\n"
        "rule add from {1} lookup {2}\n",
        host.nics[k], host.addresses[k].str(), 200 + k);
  }
  const auto cured = ip_batch(host.netns, text);
  if (!cured) ADD_FAILURE() << cured.error().message();
}

}  // namespace retour::testing
