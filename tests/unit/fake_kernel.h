// SPDX-License-Identifier: Apache-2.0
//
// The ports of a transaction in memory: they keep state, fail where they are told to, and "die" (an
// exception that nothing catches but the test, as SIGKILL) before or after any operation.
#pragma once

#include <cerrno>
#include <functional>

#include "engine/recover.h"
#include "plan/change.h"

namespace retour::testing {

struct Death {};

/// Counts every point between two operations; dies at one, fails at one.
struct Fate {
  static constexpr std::size_t never = static_cast<std::size_t>(-1);
  std::size_t dies_at{never};
  std::size_t fails_at{never};  ///< of operations on files
  std::size_t points{};
  std::size_t files{};

  void point() {
    if (points++ == dies_at) throw Death{};
  }
  [[nodiscard]] Result<void> file() {
    if (files++ == fails_at) return fail({ErrorKind::system, ENOSPC, "write", "no space", {}});
    return {};
  }
};

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
      if (fate != nullptr) fate->point();
      if (refuse_all || taken + refused == fail_at) {
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
  bool refuse_all{};
  std::size_t taken{};
  std::size_t refused{};
  std::size_t reads{};
  std::function<void(Snapshot&)> after_read;
  Fate* fate{};
};

/// One file; what a store of it would write is `content`.
template <class T>
class FakeFile {
 public:
  explicit FakeFile(Fate* fate) : fate_(fate) {}
  [[nodiscard]] Result<void> put(T value) {
    if (fate_ == nullptr) {
      content = std::move(value);
      return {};
    }
    fate_->point();
    if (auto fine = fate_->file(); !fine) return fine;
    content = std::move(value);
    fate_->point();
    return {};
  }
  T content{};

 private:
  Fate* fate_;
};

class FakeMemory final : public Memory {
 public:
  explicit FakeMemory(Fate* fate = nullptr) : file_(fate) {}
  Result<std::vector<ConfRecord>> load() override { return records; }
  Result<void> store(std::span<const ConfRecord> given) override {
    if (broken) return fail({ErrorKind::system, ENOSPC, "remember", "no space", {}});
    return file_.put({given.begin(), given.end()});
  }
  bool broken{};

 private:
  FakeFile<std::vector<ConfRecord>> file_;

 public:
  std::vector<ConfRecord>& records{file_.content};
};

class FakeJournal final : public Journal {
 public:
  explicit FakeJournal(Fate* fate = nullptr) : file(fate) {}
  Result<std::optional<JournalEntry>> load() override { return file.content; }
  Result<void> store(const JournalEntry& entry) override { return file.put(entry); }
  Result<void> clear() override { return file.put(std::nullopt); }
  FakeFile<std::optional<JournalEntry>> file;
};

class FakeNames final : public TableNames {
 public:
  explicit FakeNames(Fate* fate = nullptr) : file_(fate) {}
  Result<std::vector<PlannedTable>> load() override { return tables; }
  Result<void> write(std::span<const PlannedTable> given) override {
    return file_.put({given.begin(), given.end()});
  }

 private:
  FakeFile<std::vector<PlannedTable>> file_;

 public:
  std::vector<PlannedTable>& tables{file_.content};
};

class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return now; }
  std::chrono::nanoseconds now{std::chrono::hours(1)};
};

}  // namespace retour::testing
