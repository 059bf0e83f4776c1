// SPDX-License-Identifier: Apache-2.0
#include "os/prober_echo.h"

#include <arpa/inet.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "os/wire_error.h"

namespace retour {
namespace {

using Kind = WireEvent::Kind;

constexpr std::size_t in_flight_at_ease = 512;

// The pair's number travels in identifier and sequence; the attempt is the sequence's low
// half-byte.
std::uint16_t id_of(std::size_t pair) { return static_cast<std::uint16_t>(pair); }
std::uint16_t seq_of(std::size_t pair, int attempt) {
  return static_cast<std::uint16_t>(((pair >> 16) << 4) | static_cast<unsigned>(attempt));
}
std::size_t pair_number(const WireEvent& event) {
  return (static_cast<std::size_t>(event.seq >> 4) << 16) | event.id;
}
int attempt_of(const WireEvent& event) { return event.seq & 0xf; }

sockaddr_in socket_address(const Ip& ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(ip.v4_bits());
  return address;
}

std::chrono::nanoseconds realtime() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void note(std::vector<IfIndex>& links, IfIndex link) {
  if (std::ranges::find(links, link) == links.end()) links.push_back(link);
}

/// A raw socket is given every ICMP packet to its address: let only our replies in.
std::array<sock_filter, 9> replies_with(std::uint64_t cookie) {
  const auto high = static_cast<std::uint32_t>(cookie >> 32);
  const auto low = static_cast<std::uint32_t>(cookie);
  return {{
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, 8),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, WireBatch::snap),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
}

}  // namespace

EchoPhase::EchoPhase(const Wire& wire, std::span<Observation> seen, int attempts,
                     std::uint64_t cookie)
    : wire_(wire),
      seen_(seen),
      attempts_(attempts),
      cookie_(cookie),
      sent_(seen.size() * static_cast<std::size_t>(attempts)),
      timing_(seen.size()),
      batch_(std::make_unique<WireBatch>()) {}

Result<std::unique_ptr<EchoPhase>> EchoPhase::open(const Wire& wire, std::span<Observation> seen,
                                                   int attempts) {
  const auto cookie = random_cookie();
  if (!cookie) return fail(cookie.error());
  std::unique_ptr<EchoPhase> phase(new EchoPhase(wire, seen, attempts, *cookie));
  const auto opened = phase->open_in_namespace();
  if (!opened) return fail(opened.error());
  return phase;
}

Result<void> EchoPhase::open_in_namespace() {
  const auto now = Netns::current();
  if (!now) return fail(now.error());
  // Entering takes a privilege that staying does not.
  if (now->cookie() == wire_.netns.cookie()) return open_sources();
  const auto inside = InsideNetns::enter(wire_.netns);
  if (!inside) return fail(inside.error());
  return open_sources();
}

Result<void> EchoPhase::open_sources() {
  std::map<Ip, std::size_t> known;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const ProbePair& pair = seen_[i].pair;
    if (!pair.local.is_v4() || !pair.peer.is_v4()) {
      seen_[i].send_errno = EAFNOSUPPORT;
      continue;
    }
    const auto [it, is_new] = known.try_emplace(pair.local, sources_.size());
    if (is_new) sources_.push_back({pair.local, {}, {}});
    sources_[it->second].pairs.push_back(i);
  }
  for (Source& source : sources_) {
    if (auto opened = open_source(source); !opened) return opened;
  }
  return {};
}

Result<void> EchoPhase::open_source(Source& source) {
  const auto doing = [&] { return "probe from " + source.local.str() + " (raw ICMP socket)"; };
  source.socket = Fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP));
  const int fd = source.socket.get();
  auto filter = replies_with(cookie_);
  if (!source.socket.valid() || !prepare_to_receive(fd, filter, 4 << 20)) {
    return fail(wire_error(doing()));
  }
  const sockaddr_in address = socket_address(source.local);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    for (const std::size_t i : source.pairs) seen_[i].send_errno = errno;
    source.pairs.clear();
  }
  return {};
}

void EchoPhase::send(int attempt) {
  std::vector<Packet> burst;
  burst.reserve(WireBatch::capacity);
  for (const Source& source : sources_) {
    for (const std::size_t i : source.pairs) {
      if (seen_[i].answered) continue;
      const auto data = echo_request(id_of(i), seq_of(i, attempt), cookie_);
      sent(i, attempt) = realtime();
      burst.push_back({socket_address(seen_[i].pair.peer), data, i});
      if (burst.size() == WireBatch::capacity) send_burst(source, burst);
      if (wire_.stopped()) return;
    }
    send_burst(source, burst);
  }
}

void EchoPhase::send_burst(const Source& source, std::vector<Packet>& burst) {
  for (const Packet& packet : burst) seen_[packet.tag].send_errno = 0;
  send_batch(source.socket.get(), std::span(burst),
             [&](std::size_t pair, int errnum) { seen_[pair].send_errno = errnum; });
  in_flight_ += burst.size();
  burst.clear();
  // Answers are taken in between, so that no buffer has to hold them all; peers that stay silent
  // slow the rest down, but only so far.
  if (in_flight_ > answered_ + in_flight_at_ease) {
    std::vector<pollfd> sources;
    listen(sources);
    (void)poll(sources.data(), sources.size(), 1);
  }
  // An error here is there again, and reported, at the next receive().
  (void)receive_replies(source);
  (void)receive_sightings();
}

Result<void> EchoPhase::receive() {
  for (const Source& source : sources_) {
    if (auto received = receive_replies(source); !received) return received;
  }
  // After the sockets: what a socket has delivered, the taps have seen before.
  return receive_sightings();
}

Result<void> EchoPhase::receive_sightings() {
  const auto local = wire_.here->drain();
  if (!local) return fail(local.error());
  for (const WireEvent& event : *local) witness(event, nullptr);
  for (const auto& tap : wire_.there) {
    const auto remote = tap->drain();
    if (!remote) return fail(remote.error());
    for (const WireEvent& event : *remote) witness(event, tap.get());
  }
  return {};
}

Result<void> EchoPhase::receive_replies(const Source& source) {
  constexpr std::uint16_t ethertype_ipv4 = 0x0800;
  std::size_t got = WireBatch::capacity;
  while (got == WireBatch::capacity) {
    const auto received = batch_->receive(source.socket.get());
    if (!received) return fail(received.error());
    got = *received;
    for (std::size_t i = 0; i < got; ++i) {
      const auto event = parse_frame(ethertype_ipv4, batch_->data(i), batch_->whole(i));
      if (event && event->kind == Kind::echo_reply) deliver(*event, batch_->at(i));
    }
  }
  return {};
}

void EchoPhase::deliver(const WireEvent& event, std::chrono::nanoseconds at) {
  const std::size_t pair = pair_of(event);
  if (pair == seen_.size() || seen_[pair].answered) return;
  seen_[pair].answered = true;
  timing_[pair] = {at, attempt_of(event)};
  ++answered_;
}

void EchoPhase::witness(const WireEvent& event, const Tap* there) {
  if (event.kind != Kind::echo_request && event.kind != Kind::echo_reply) return;
  const std::size_t pair = pair_of(event);
  if (pair == seen_.size()) return;
  // A request is outgoing here and incoming there, a reply the other way round.
  const bool request = event.kind == Kind::echo_request;
  if (event.outgoing != (request == (there == nullptr))) return;
  Observation& seen = seen_[pair];
  if (there != nullptr && !seen.there) seen.there.emplace();
  DoorsSeen& doors = there != nullptr ? *seen.there : seen.here;
  if (there == nullptr && request) sent(pair, attempt_of(event)) = event.at;
  note(request ? doors.request : doors.reply, event.link);
}

std::size_t EchoPhase::pair_of(const WireEvent& event) const {
  const std::size_t none = seen_.size();
  const std::size_t number = pair_number(event);
  if (event.cookie != cookie_ || number >= none || attempt_of(event) >= attempts_) return none;
  const ProbePair& pair = seen_[number].pair;
  const bool request = event.kind == Kind::echo_request;
  const Ip& from = request ? pair.local : pair.peer;
  const Ip& to = request ? pair.peer : pair.local;
  return event.src == from && event.dst == to ? number : none;
}

void EchoPhase::listen(std::vector<pollfd>& sources) const {
  for (const Source& source : sources_) sources.push_back({source.socket.get(), POLLIN, 0});
  sources.push_back({wire_.here->fd(), POLLIN, 0});
  for (const auto& tap : wire_.there) sources.push_back({tap->fd(), POLLIN, 0});
}

bool EchoPhase::complete() const {
  if (answered_ < seen_.size()) return false;
  const auto both = [](const DoorsSeen& doors) {
    return !doors.request.empty() && !doors.reply.empty();
  };
  return std::ranges::all_of(seen_, [&](const Observation& seen) {
    return both(seen.here) && (!seen.there || both(*seen.there));
  });
}

void EchoPhase::finish() {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (!seen_[i].answered) continue;
    const auto took = timing_[i].delivered - sent(i, timing_[i].attempt);
    // A negative one means that the clock was set meanwhile: no time is better than a wrong one.
    if (took.count() >= 0) {
      seen_[i].rtt_us = static_cast<std::uint32_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
  }
}

}  // namespace retour
