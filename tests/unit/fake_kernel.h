// SPDX-License-Identifier: Apache-2.0
//
// A kernel in memory that keeps state and fails where it is told to.
#pragma once

#include <cerrno>
#include <functional>

#include "plan/change.h"
#include "port/kernel.h"
#include "port/memory.h"

namespace retour::testing {

class FakeKernel final : public Kernel {
 public:
  explicit FakeKernel(Snapshot host) : state(std::move(host)) {}

  Result<Snapshot> snapshot() override {
    ++reads;
    if (after_read) after_read(state);
    return state;
  }
  std::vector<std::optional<Error>> apply(std::span<const Change> changes) override {
    std::vector<std::optional<Error>> outcomes;
    for (const Change& change : changes) {
      if (taken + refused == fail_at) {
        ++refused;
        outcomes.emplace_back(Error{ErrorKind::system, EBUSY, "change", "told to fail", {}});
        continue;
      }
      ++taken;
      state = rehearse(std::move(state), {&change, 1});
      outcomes.emplace_back(std::nullopt);
    }
    return outcomes;
  }
  Result<std::vector<Answer>> ask(std::span<const Flow> flows) override {
    return std::vector<Answer>(flows.size());
  }

  Snapshot state;
  std::size_t fail_at{static_cast<std::size_t>(-1)};
  std::size_t taken{};
  std::size_t refused{};
  std::size_t reads{};
  std::function<void(Snapshot&)> after_read;
};

class FakeMemory final : public Memory {
 public:
  Result<std::vector<ConfRecord>> load() override { return records; }
  Result<void> store(std::span<const ConfRecord> given) override {
    if (broken) return fail({ErrorKind::system, ENOSPC, "remember", "no space", {}});
    records.assign(given.begin(), given.end());
    return {};
  }
  std::vector<ConfRecord> records;
  bool broken{};
};

}  // namespace retour::testing
