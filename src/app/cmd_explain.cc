// SPDX-License-Identifier: Apache-2.0
//
// The verb that lays one decision open: explain.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>

#include "app/host.h"
#include "app/policy_file.h"
#include "app/verbs.h"
#include "model/fib.h"
#include "text/explanation_json.h"
#include "text/printable.h"
#include "text/query_reader.h"
#include "text/render_explanation.h"

namespace retour {

namespace {

struct Asked {
  std::vector<std::string> words;
  std::string request_from;
  std::string batch;
  bool all{};
  bool check{};
};

/// The host that is asked about, and the kernel behind it where there is one.
class Host {
 public:
  static Result<Host> open(const Options& options, SegmentsFrom segments, bool trip) {
    Host host;
    if (options.snapshot.empty()) {
      auto live = LiveHost::open(options.netns);
      if (!live) return fail(std::move(live.error()));
      host.live_.emplace(std::move(*live));
      // Who hears whom matters for ARP alone: for less, no frame is sent.
      auto now = trip ? host.live_->snapshot_with_segments(segments) : host.live_->snapshot();
      if (!now) return fail(std::move(now.error()));
      host.set(std::move(*now));
      return host;
    }
    Policy policy;
    policy.segments = segments;
    auto now = read_host(options, policy);
    if (!now) return fail(std::move(now.error()));
    host.set(std::move(*now));
    return host;
  }

  [[nodiscard]] const Snapshot& now() const { return *now_; }
  [[nodiscard]] const Fib& fib() const { return *fib_; }
  [[nodiscard]] std::uint32_t uid() const { return live_ ? getuid() : 0; }

  /// What the kernel says to the same flows. Where it says something else, the host may have
  /// changed since it was read: it is read again, and then it must agree.
  Result<std::vector<KernelCheck>> check(std::span<const Flow> flows) {
    std::vector<Flow> asked(flows.size());
    std::transform(flows.begin(), flows.end(), asked.begin(), as_asked);
    auto checks = compare(asked);
    if (!checks || std::ranges::all_of(*checks, &agrees)) return checks;
    auto again = live_->snapshot();
    if (!again) return fail(std::move(again.error()));
    if (*again == *now_) return checks;
    set(std::move(*again));
    return compare(asked);
  }

  /// Nothing of a family was read: whatever is asked of it, the answer would be made up.
  [[nodiscard]] Result<void> knows(Family family) const {
    const auto is = [family](const auto& object) { return object == family; };
    const bool any = std::ranges::any_of(now_->rules, is, &Rule::family) ||
                     std::ranges::any_of(now_->routes, is, &Route::family) ||
                     std::ranges::any_of(now_->addresses, is, [](const Address& address) {
                       return address.local.family();
                     });
    if (any || live_) return {};
    const char* name = family == Family::v4 ? "IPv4" : "IPv6";
    return fail({ErrorKind::contradiction, 0, fmt::format("explain an {} packet", name),
                 fmt::format("the snapshot holds no rule, route or address of {}", name),
                 "take it again, with that family"});
  }

 private:
  static bool agrees(const KernelCheck& check) { return !check.differs || check.differs->empty(); }

  void set(Snapshot now) {
    now_ = std::make_unique<Snapshot>(std::move(now));
    fib_ = std::make_unique<Fib>(*now_);
  }

  [[nodiscard]] Result<std::vector<KernelCheck>> compare(std::span<const Flow> flows) {
    auto answers = live_->kernel->ask(flows);
    if (!answers) return fail(std::move(answers.error()));
    std::vector<KernelCheck> checks;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      KernelCheck check{(*answers)[i], std::nullopt};
      // It was no question to the kernel: it knows three protocols there.
      if (check.answer.errnum != EOPNOTSUPP) {
        // Asked of a received IPv6 packet the kernel looks at rules and tables alone.
        const bool tables_only = flows[i].iif && !flows[i].dst.is_v4();
        const Lookup lookup = tables_only ? fib_->forward(flows[i]) : fib_->look(flows[i]);
        check.differs = difference(*now_, lookup, check.answer);
      }
      checks.push_back(std::move(check));
    }
    return checks;
  }

  std::optional<LiveHost> live_;
  std::unique_ptr<Snapshot> now_;
  std::unique_ptr<Fib> fib_;
};

/// `connected`: the second question of a socket that has found its source.
Flow settle(const Host& host, const Query& query) {
  Flow flow = query.flow;
  if (!query.connected || flow.iif || !flow.src.is_unspecified()) return flow;
  if (const Lookup first = host.fib().look(flow); first.ok() && first.source)
    flow.src = *first.source;
  return flow;
}

int explain_one(Host& host, const Asked& asked, const Console& console) {
  const std::vector<std::string_view> words(asked.words.begin(), asked.words.end());
  const auto query = read_query(words, host.now(), host.uid());
  if (!query) return console.fail(query.error());
  if (auto known = host.knows(query->flow.dst.family()); !known) return console.fail(known.error());
  const Flow flow = settle(host, *query);
  std::optional<KernelCheck> check;
  if (asked.check) {
    auto checks = host.check(std::array{flow});
    if (!checks) return console.fail(checks.error());
    check = std::move(checks->front());
  }
  const Explanation found = explain(host.fib(), flow);
  if (console.json()) {
    console.print(json_report(host.now(), found, check ? &*check : nullptr));
  } else {
    std::string text = render(host.now(), found, {asked.all}, console.style());
    if (check) text += render_check(host.now(), found.lookup, *check, console.style());
    console.print(text);
  }
  return check && check->differs && !check->differs->empty() ? exit_findings : exit_ok;
}

int explain_trip(const Host& host, const Asked& asked, SegmentsFrom segments,
                 const Console& console) {
  const auto usage = [&](std::string doing, std::string why, std::string hint) {
    return console.fail({ErrorKind::usage, 0, std::move(doing), std::move(why), std::move(hint)});
  };
  const std::string from = "--request-from " + asked.request_from;
  const auto peer = Ip::parse(asked.request_from);
  if (!peer) return usage(from, "not an IP address", "for example --request-from 29.28.204.80");
  const std::vector<std::string_view> words(asked.words.begin(), asked.words.end());
  const auto query = read_query(words, host.now(), host.uid());
  if (!query) return console.fail(query.error());
  const Ip local = query->flow.dst;
  Flow bare;
  bare.dst = local;
  bare.src = query->flow.src;
  bare.uid = query->flow.uid;
  bare.ip_proto = query->flow.ip_proto;
  if (bare != query->flow || !bare.src.is_unspecified() || query->protocol_said) {
    return usage(from, "a round trip is of an address alone", "leave the other words out");
  }
  if (local.family() != peer->family()) {
    return usage(from, "the address and its peer are of two families", {});
  }
  if (!host.fib().owns(local)) {
    return usage("explain " + local.str(), "not an address of this host",
                 "--request-from follows a request to an address of this host; "
                 "retour status lists them");
  }
  if (doors_of(host.now(), local).empty()) {
    const auto owner = std::ranges::find(
        host.now().addresses, local, [](const Address& address) { return address.local.address; });
    return usage(fmt::format("explain {} {}", local.str(), from),
                 fmt::format("{} has it, on which nothing arrives: by which NIC a request comes "
                             "is for others to decide",
                             host.now().link_name(owner->link)),
                 fmt::format("ask for a NIC: explain {} from {} iif NIC; and for the reply: "
                             "explain {} from {}",
                             local.str(), peer->str(), peer->str(), local.str()));
  }
  if (host.fib().owns(*peer)) {
    return usage(from, "an address of this host, too", "name an address of another host");
  }
  const TripExplanation found = explain_round_trip(host.now(), local, *peer, segments);
  console.print(console.json() ? json_report(host.now(), found)
                               : render(host.now(), found, {asked.all}, console.style()));
  return exit_ok;
}

/// Questions by lines, answers by lines, as they come: whatever was read is answered before more
/// is waited for.
class Batch {
 public:
  Batch(Host& host, const Asked& asked, const Console& console)
      : host_(host),
        asked_(asked),
        console_(console),
        words_(std::in_place, host.now(), asked.all) {}

  Result<void> take(std::string_view text, bool last) {
    rest_ += text;
    std::string_view lines = rest_;
    while (!lines.empty()) {
      const auto end = lines.find('\n');
      if (end == std::string_view::npos && !last) break;
      line(lines.substr(0, end));
      lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 1);
    }
    rest_.erase(0, rest_.size() - lines.size());
    return answer();
  }
  [[nodiscard]] bool differs() const { return differs_; }

 private:
  struct Item {
    std::size_t line{};
    Result<Flow> flow;
  };

  void line(std::string_view text) {
    ++number_;
    split_query(text, split_);
    if (split_.empty()) return;
    const auto query = read_query(split_, host_.now(), host_.uid());
    if (!query) {
      items_.push_back({number_, fail(query.error())});
    } else if (auto known = host_.knows(query->flow.dst.family()); !known) {
      items_.push_back({number_, fail(known.error())});
    } else {
      items_.push_back({number_, settle(host_, *query)});
    }
  }

  Result<void> answer() {
    std::vector<KernelCheck> checks;
    if (asked_.check) {
      std::vector<Flow> flows;
      for (const Item& item : items_) {
        if (item.flow) flows.push_back(*item.flow);
      }
      const Snapshot* before = &host_.now();
      auto said = host_.check(flows);
      if (!said) return fail(std::move(said.error()));
      checks = std::move(*said);
      if (before != &host_.now()) words_.emplace(host_.now(), asked_.all);
    }
    std::string out;
    std::size_t checked = 0;
    for (const Item& item : items_) {
      if (!item.flow) {
        BatchJson::append_error(out, item.line, item.flow.error());
        continue;
      }
      const KernelCheck* check = asked_.check ? &checks[checked++] : nullptr;
      differs_ = differs_ || (check != nullptr && check->differs && !check->differs->empty());
      words_->append(out, host_.fib().look(*item.flow), check);
    }
    items_.clear();
    console_.print(out);
    return {};
  }

  Host& host_;
  const Asked& asked_;
  const Console& console_;
  std::optional<BatchJson> words_;
  std::vector<std::string_view> split_;
  std::vector<Item> items_;
  std::string rest_;
  std::size_t number_{};
  bool differs_{};
};

int explain_batch(Host& host, const Asked& asked, const Console& console) {
  const bool in = asked.batch == "-";
  const std::string doing = "read " + (in ? std::string("stdin") : asked.batch);
  const Fd file(in ? dup(STDIN_FILENO) : ::open(asked.batch.c_str(), O_RDONLY | O_CLOEXEC));
  const auto failed = [&] {
    return console.fail({ErrorKind::system, errno, doing, std::strerror(errno), {}});
  };
  if (!file.valid()) return failed();
  Batch batch(host, asked, console);
  std::array<char, 65536> room{};
  for (;;) {
    const ssize_t size = ::read(file.get(), room.data(), room.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed();
    const std::string_view text(room.data(), static_cast<std::size_t>(size));
    if (auto taken = batch.take(text, size == 0); !taken) return console.fail(taken.error());
    if (!console.written()) return exit_failed;
    if (size == 0) return batch.differs() ? exit_findings : exit_ok;
  }
}

int explain_host(const Options& options, const Asked& asked, const Console& console) {
  const auto usage = [&](const char* doing, const char* why, const char* hint) {
    return console.fail({ErrorKind::usage, 0, doing, why, hint});
  };
  if (asked.check && !options.snapshot.empty()) {
    return usage("--check and --snapshot", "there is no kernel behind a snapshot to be asked",
                 "leave one of them out");
  }
  if (asked.words.empty() == asked.batch.empty()) {
    return usage("explain", asked.batch.empty() ? "nothing is asked" : "asked twice",
                 "name a destination, or --batch FILE");
  }
  if (!asked.request_from.empty() && (!asked.batch.empty() || asked.check)) {
    return usage("--request-from", "goes with neither --batch nor --check",
                 "the kernel cannot be asked about round trips");
  }
  if (asked.batch == "-" && options.snapshot == "-") {
    return usage("--batch - and --snapshot -", "there is one standard input",
                 "put one of them in a file");
  }
  const auto policy = command_line_policy(options);
  if (!policy) return console.fail(policy.error());
  const SegmentsFrom segments = policy->segments;
  auto host = Host::open(options, segments, !asked.request_from.empty());
  if (!host) return console.fail(host.error());
  if (!asked.batch.empty()) return explain_batch(*host, asked, console);
  if (!asked.request_from.empty()) return explain_trip(*host, asked, segments, console);
  return explain_one(*host, asked, console);
}

}  // namespace

void add_explain(CLI::App& app, Options& options, Run& run) {
  CLI::App* verb = app.add_subcommand("explain", "One packet: every rule, route, gate, and why");
  static Asked asked;
  add_common(*verb, options);
  add_netns(*verb, options);
  add_snapshot_file(*verb, options);
  add_segments(*verb, options);
  verb->add_option("query", asked.words, "As for ip route get: DST [from SRC] [iif DEV] ...")
      ->type_name("");
  verb->add_option("--request-from", asked.request_from, "The round trip of this peer to DST, ours")
      ->type_name("PEER");
  verb->add_option("--batch", asked.batch, "Questions, a line each (-: stdin); JSON lines")
      ->type_name("FILE");
  verb->add_flag("--all", asked.all, "Every rule and every route, however many");
  verb->add_flag("--check", asked.check, "Ask the running kernel, too; exit 1 if it differs");
  verb->callback(
      [&] { run = [&](const Console& console) { return explain_host(options, asked, console); }; });
}

}  // namespace retour
