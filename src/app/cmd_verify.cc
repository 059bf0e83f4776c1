// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>

#include "app/host.h"
#include "app/policy_file.h"
#include "app/proof.h"
#include "app/verbs.h"
#include "diagnose/subnets.h"
#include "engine/verify.h"
#include "os/prober_raw.h"
#include "os/tap.h"
#include "text/render_report.h"
#include "text/report_json.h"

namespace retour {

namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a handler has nothing else
volatile std::sig_atomic_t stop_flag = 0;

/// "[#####-----] 120 of 4096" on stderr, only when a probe lasts.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown), start_(std::chrono::steady_clock::now()) {}
  ~Progress() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void operator()(std::size_t done, std::size_t total) {
    if (!shown_ || total == 0) return;
    if (std::chrono::steady_clock::now() - start_ < std::chrono::seconds(1)) return;
    constexpr std::size_t width = 30;
    const std::size_t full = done * width / total;
    fmt::print(stderr, "\r[{}{}] {} of {}\x1b[K", std::string(full, '#'),
               std::string(width - full, '-'), done, total);
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  bool shown_;
  bool drawn_{};
  std::chrono::steady_clock::time_point start_;
};

std::optional<IfIndex> owner(const Snapshot& host, const Ip& ip) {
  const auto it = std::ranges::find_if(
      host.addresses, [&](const Address& address) { return address.local.address == ip; });
  return it == host.addresses.end() ? std::nullopt : std::optional(it->link);
}

/// Peers for who names none: whom the kernel knows in the shared subnets.
std::vector<Ip> neighbors_in(const Snapshot& host, const std::vector<SharedSubnet>& subnets) {
  constexpr std::uint16_t known = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;  // NUD_VALID, not NOARP
  std::vector<Ip> peers;
  for (const Neighbor& neighbor : host.neighbors) {
    const bool shared = std::ranges::any_of(subnets, [&](const SharedSubnet& subnet) {
      return subnet.prefix.contains(neighbor.address);
    });
    if (!shared || (neighbor.state & known) == 0 || owner(host, neighbor.address)) continue;
    if (std::ranges::find(peers, neighbor.address) == peers.end()) {
      peers.push_back(neighbor.address);
    }
  }
  return peers;
}

}  // namespace

bool interrupted() { return stop_flag != 0; }

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_flag = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Result<ProofResult> prove(const ProofRequest& request, const Console& console) {
  auto host = LiveHost::open(request.netns);
  if (!host) return fail(std::move(host.error()));
  auto here = host->snapshot();
  if (!here) return fail(std::move(here.error()));
  ProofResult result;
  result.here = std::move(*here);
  Policy policy;
  policy.peers = request.peers;
  if (auto fine = check_policy({{}, policy, {}}, result.here); !fine) {
    return fail(std::move(fine.error()));
  }
  policy.segments = SegmentsFrom::flat;
  auto subnets = shared_subnets(result.here, policy);
  std::erase_if(subnets, [](const SharedSubnet& s) { return s.prefix.family() != Family::v4; });
  const auto peers = request.peers.empty() ? neighbors_in(result.here, subnets) : request.peers;
  std::vector<ProbePair> pairs = pairs_of(subnets, peers);
  if (pairs.empty()) {
    return fail({ErrorKind::usage, 0, "verify",
                 subnets.empty() ? "no two NICs of this host share a subnet"
                 : peers.empty()
                     ? "no peer was named, and the neighbour table knows none in the shared subnet"
                     : "no peer lies in a subnet that NICs of this host share",
                 subnets.empty() ? "nothing can leave by a wrong door"
                                 : "the shared subnet is " + subnets.front().prefix.str()});
  }
  std::vector<std::unique_ptr<Tap>> taps;
  if (!request.peer_netns.empty()) {
    auto far = LiveHost::open(request.peer_netns);
    if (!far) return fail(std::move(far.error()));
    auto there = far->snapshot();
    if (!there) return fail(std::move(there.error()));
    result.there = std::move(*there);
    auto tap = Tap::open_in(request.peer_netns);
    if (!tap) return fail(std::move(tap.error()));
    taps.push_back(std::move(*tap));
    for (ProbePair& pair : pairs) pair.peer_link = owner(*result.there, pair.peer);
  }
  std::optional<InsideNetns> inside;
  if (!request.netns.empty()) {
    auto entered = InsideNetns::enter(host->netns);
    if (!entered) return fail(std::move(entered.error()));
    inside.emplace(std::move(*entered));
  }
  auto prober = RawProber::open(std::move(taps));
  if (!prober) return fail(std::move(prober.error()));
  (*prober)->stop_on(&stop_flag);
  Progress progress(console.shows_progress());
  ProbeOptions options;
  options.timeout = request.timeout;
  options.arp = request.arp;
  options.progress = [&](std::size_t done, std::size_t total) { progress(done, total); };
  auto verification = verify(**prober, pairs, options);
  if (!verification) return fail(std::move(verification.error()));
  result.verification = std::move(*verification);
  result.verification.complete = result.verification.complete && !interrupted();
  result.frames_missed = (*prober)->dropped();
  return result;
}

namespace {

int verify_host(const Options& options, const std::string& peer_netns, unsigned timeout,
                const Console& console) {
  const auto policy = command_line_policy(options);
  if (!policy) return console.fail(policy.error());
  for (const Ip& peer : policy->peers) {
    if (peer.is_v4()) continue;
    return console.fail({ErrorKind::usage, 0, "--peer " + peer.str(), "not an IPv4 address",
                         "verify asks by ARP and ICMP; for example --peer 29.28.204.80"});
  }
  catch_interrupts();
  const auto result = prove(
      {options.netns, peer_netns, policy->peers, std::chrono::milliseconds(timeout)}, console);
  if (!result) return console.fail(result.error());
  if (result->frames_missed > 0) {
    console.warn(fmt::format("{} frames came too fast to be seen; a door may be missing",
                             result->frames_missed));
  }
  const Snapshot* there = result->there ? &*result->there : nullptr;
  console.print(console.json()
                    ? json_report(result->here, result->verification, there)
                    : render(result->here, result->verification, there, console.style()));
  const bool fine = result->verification.complete &&
                    std::ranges::all_of(result->verification.pairs, [](const Proof& p) {
                      return p.verdict == DoorVerdict::same_door;
                    });
  return fine ? exit_ok : exit_findings;
}

}  // namespace

void add_verify(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb =
      app.add_subcommand("verify", "Prove it on the wire, NIC by NIC; exit 1 if wrong");
  static std::string peer_netns;
  static unsigned timeout = 3000;
  add_common(*verb, options);
  add_netns(*verb, options);
  verb->add_option("--peer", options.peers, "A peer (repeatable); default: neighbours")
      ->type_name("IP");
  verb->add_option("--peer-netns", peer_netns, "Watch the peers' end, too: their namespace (lab)")
      ->type_name("NAME");
  verb->add_option("--timeout", timeout, "How long to wait for the silent, default 3000")
      ->check(CLI::Range(1U, 600000U).description(""))
      ->type_name("MS");
  verb->callback([&] {
    run = [&](const Console& console) {
      return verify_host(options, peer_netns, timeout, console);
    };
  });
}

}  // namespace retour
