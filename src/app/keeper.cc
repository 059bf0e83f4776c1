// SPDX-License-Identifier: Apache-2.0
#include "app/keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <syslog.h>

#include <algorithm>
#include <cerrno>

namespace retour {

namespace {

using Phase = JournalEntry::Phase;

enum class Next : std::uint8_t { end, look_again, try_again };

void log(int priority, const std::string& text) {
  openlog("retour", LOG_PID, LOG_DAEMON);
  syslog(priority, "%s", text.c_str());
  closelog();
}

/// Until we are dismissed (false), or the other end of the line is gone: its owner was killed, or
/// its change awaits the word.
bool left_alone_with_it(int line) {
  char byte = 0;
  ssize_t size = 0;
  while ((size = read(line, &byte, 1)) < 0) {
    if (errno != EINTR) poll(nullptr, 0, 100);
  }
  return size == 0;
}

/// Woken by the deadline itself, else once a second to see whether the entry is still there.
void sleep_towards(std::chrono::nanoseconds deadline) {
  constexpr std::chrono::nanoseconds glance = std::chrono::seconds(1);
  const auto now = BootClock().since_boot();
  const auto wake = deadline > now ? std::min(deadline, now + glance) : now + glance;
  const Fd timer(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC));
  itimerspec at{};
  at.it_value.tv_sec = wake.count() / 1'000'000'000;
  at.it_value.tv_nsec = wake.count() % 1'000'000'000;
  std::uint64_t times = 0;
  if (!timer.valid() || timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr) != 0 ||
      read(timer.get(), &times, sizeof(times)) < 0) {
    poll(nullptr, 0, 1000);
  }
}

/// Takes back what is to be taken back now, with the host to ourselves.
Next mend(Netns here, const std::string& name, std::uint64_t id) {
  const auto host = LiveHost::open(std::move(here), name);
  if (!host) return Next::try_again;
  const auto lock = host->lock();
  if (!lock) return Next::try_again;
  // It may have been settled by another while we waited.
  const auto entry = host->journal->load();
  if (!entry) return Next::try_again;
  if (!*entry) {
    static_cast<void>(host->journal->clear());  // what a write that was cut off left
    return Next::end;
  }
  if ((*entry)->id != id) return Next::end;
  const auto settled = settle(host->ports(), BootClock());
  if (!settled) {
    log(LOG_ERR, "a change could not be taken back yet: " + settled.error().message());
    return Next::try_again;
  }
  if (settled->rolled_back) log(LOG_WARNING, "a change " + settled->why + ": taken back");
  return settled->waiting ? Next::look_again : Next::end;
}

Next look(const std::string& name, std::uint64_t id) {
  auto here = Netns::current();
  if (!here) return Next::try_again;
  const auto entry = journal_of(*here)->load();
  if (!entry) return Next::try_again;
  if (*entry && (*entry)->id != id) return Next::end;
  if (*entry && (*entry)->phase == Phase::awaiting &&
      BootClock().since_boot() < (*entry)->deadline) {
    sleep_towards((*entry)->deadline);
    return Next::look_again;
  }
  return mend(std::move(*here), name, id);
}

void keep(int line, const std::string& name, std::uint64_t id) {
  prctl(PR_SET_NAME, "retour-keeper");
  if (!left_alone_with_it(line)) return;
  // Then it is left to the next retour.
  constexpr int attempts = 300;
  for (int failed = 0; failed < attempts;) {
    const Next next = look(name, id);
    if (next == Next::end) return;
    if (next == Next::look_again) continue;
    ++failed;
    sleep_towards({});
  }
}

}  // namespace

Result<DetachedProcess> start_keeper(const LiveHost& host, std::uint64_t id) {
  return DetachedProcess::start(
      [&]() -> Result<void> {
        if (host.name.empty()) return {};
        return host.netns.enter();
      },
      [&](int line) { keep(line, host.name, id); });
}

}  // namespace retour
