// SPDX-License-Identifier: Apache-2.0
#include "os/prober_wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "os/wire_error.h"

namespace retour {

std::optional<WireLink> live_ethernet(const Wire& wire, IfIndex link) {
  // ioctl() answers for the socket's namespace, not for the thread's.
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(link.value);
  const int fd = wire.mouth();
  if (ioctl(fd, SIOCGIFNAME, &request) != 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
    return std::nullopt;
  }
  const int flags = request.ifr_flags;
  if ((flags & IFF_UP) == 0 || (flags & IFF_RUNNING) == 0) return std::nullopt;
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    return std::nullopt;
  }
  WireLink found;
  std::memcpy(found.mac.data(), request.ifr_hwaddr.sa_data, found.mac.size());
  found.noarp = (flags & IFF_NOARP) != 0;
  return found;
}

sockaddr_ll broadcast_on(IfIndex link, std::uint16_t ethertype) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ethertype);
  address.sll_ifindex = static_cast<int>(link.value);
  address.sll_halen = ETH_ALEN;
  std::fill_n(address.sll_addr, ETH_ALEN, std::uint8_t{0xff});
  return address;
}

Result<std::uint64_t> random_cookie() {
  std::uint64_t cookie = 0;
  if (getrandom(&cookie, sizeof cookie, 0) != static_cast<ssize_t>(sizeof cookie)) {
    return fail(wire_error("draw a random number"));
  }
  return cookie;
}

Result<void> discard_heard(const Wire& wire) {
  if (const auto old = wire.here->drain(); !old) return fail(old.error());
  for (const auto& tap : wire.there) {
    if (const auto old = tap->drain(); !old) return fail(old.error());
  }
  return {};
}

Result<void> run_phase(Phase& phase, const Wire& wire, const PhaseTiming& timing,
                       const std::function<void(std::size_t)>& progress) {
  using Clock = std::chrono::steady_clock;
  using std::chrono::milliseconds;
  constexpr milliseconds tick{50};  // how late a stop may be noticed; 20 progress calls a second
  std::vector<pollfd> sources;
  phase.listen(sources);
  // What was heard before we asked answers nothing, and must not take the room of what does.
  if (auto discarded = discard_heard(wire); !discarded) return discarded;
  int attempt = 0;
  auto due = Clock::now();  // the next attempt or, after the last, the end
  auto last_progress = due;
  std::optional<Clock::time_point> all_answered;
  while (!wire.stopped()) {
    if (Clock::now() >= due && attempt < timing.attempts) {
      phase.send(attempt++);
      // From here on: thousands of pairs take time to send, and the last has a right to its wait.
      due = Clock::now() + timing.timeout / timing.attempts;
    }
    if (auto received = phase.receive(); !received) return received;
    const auto now = Clock::now();
    if (phase.complete()) break;
    if (!all_answered && phase.answered() == phase.expected()) all_answered = now;
    const auto next = all_answered ? std::min(due, *all_answered + timing.grace) : due;
    if (now >= next && (all_answered || attempt == timing.attempts)) break;
    if (now - last_progress >= tick) {
      progress(phase.answered());
      last_progress = now;
    }
    const auto wait = std::chrono::ceil<milliseconds>(next - now);
    (void)poll(sources.data(), sources.size(),
               static_cast<int>(std::clamp(wait, milliseconds{0}, tick).count()));
  }
  return {};
}

}  // namespace retour
