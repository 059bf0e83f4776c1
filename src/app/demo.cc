// SPDX-License-Identifier: Apache-2.0
#include "app/demo.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/change.h"
#include "app/proof.h"
#include "diagnose/diagnose.h"
#include "lab/iproute2.h"
#include "text/render_diagnosis.h"
#include "text/render_report.h"

namespace retour {

namespace {

class Demo {
 public:
  Demo(const Lab& lab, const Console& console) : lab_(lab), console_(console) {}

  [[nodiscard]] Result<void> tell() {
    if (auto done = symptom(); !done) return done;
    if (auto done = explanation(); !done) return done;
    if (auto done = treatment(); !done) return done;
    if (auto done = proof(); !done) return done;
    return farewell();
  }
  [[nodiscard]] bool as_told() const { return as_told_; }
  [[nodiscard]] std::string summary() const {
    return fmt::format(
        "\n{} of {} answered before, {} same-door when cured, {} answered after undo.\n",
        answered_before_, pairs_, same_door_, answered_after_);
  }
  [[nodiscard]] std::string json() const {
    return fmt::format(R"({{"schema":"retour.lab-demo/1","pairs":{},"answered_before":{},)"
                       R"("same_door_cured":{},"answered_after_undo":{}}})"
                       "\n",
                       pairs_, answered_before_, same_door_, answered_after_);
  }

 private:
  void chapter(std::string_view title) {
    ++chapter_;
    console_.say("\n" + console_.style().paint(Ink::bold, fmt::format("{}. {}", chapter_, title)) +
                 "\n\n");
  }

  /// Every address of A against every address of B, neighbour tables cold.
  [[nodiscard]] Result<ProofResult> matrix() {
    if (interrupted()) return fail({ErrorKind::interrupted, EINTR, "lab demo", "interrupted", {}});
    for (const LabHost* host : {&lab_.a, &lab_.b}) {
      if (auto cold = ip_batch(host->netns, "neigh flush all\n"); !cold) {
        return fail(std::move(cold.error()));
      }
    }
    ProofRequest request{lab_.a.netns, lab_.b.netns, lab_.b.addresses,
                         std::chrono::milliseconds(600)};
    auto result = prove(request, console_);
    if (result && interrupted()) {
      return fail({ErrorKind::interrupted, EINTR, "lab demo", "interrupted", {}});
    }
    return result;
  }

  [[nodiscard]] Result<void> symptom() {
    chapter("The symptom");
    console_.say(wrap(fmt::format("Hosts {} and {}, {} fast NICs each, all in 29.28.192.0/20; "
                                  "rp_filter=1, arp_ignore=1. From every address of one to "
                                  "every address of the other, as any program would send:",
                                  lab_.a.netns, lab_.b.netns, lab_.b.nics.size()),
                      0) +
                 "\n\n");
    const auto before = matrix();
    if (!before) return fail(before.error());
    console_.say(render(before->here, before->verification, &*before->there, console_.style()));
    answered_before_ = answered(before->verification);
    return {};
  }

  [[nodiscard]] Result<void> explanation() {
    // The article's address, 29.28.195.228, is the sixth; smaller labs take their last.
    const Ip suspect = lab_.b.addresses[std::min<std::size_t>(5, lab_.b.addresses.size() - 1)];
    chapter(fmt::format("Why {} does not answer", suspect.str()));
    auto host = LiveHost::open(lab_.b.netns);
    if (!host) return fail(std::move(host.error()));
    Policy policy;
    policy.peers = {lab_.a.addresses.front()};
    const auto now = host->snapshot_with_segments(policy.segments);
    if (!now) return fail(now.error());
    command(fmt::format("retour diagnose --netns {} --peer {} --address {}", lab_.b.netns,
                        policy.peers.front().str(), suspect.str()));
    DiagnosisView view;
    view.address = suspect;
    console_.say(render(*now, diagnose(*now, policy), view, console_.style()));
    return {};
  }

  [[nodiscard]] Result<void> treatment() {
    chapter("The cure, on both hosts");
    for (const LabHost* lab_host : {&lab_.b, &lab_.a}) {
      auto host = LiveHost::open(lab_host->netns);
      if (!host) return fail(std::move(host.error()));
      command(fmt::format("retour apply --netns {}", lab_host->netns));
      const auto done = cure(*host, PolicyText{}, {}, console_);
      if (!done) return fail(done.error());
      if (!done->warning.empty()) console_.warn(done->warning);
      if (lab_host == &lab_.b) {
        console_.say(render(done->before, done->plan, console_.style()));
      }
      console_.say(fmt::format("Applied {} changes to {}.\n{}", done->changes, lab_host->netns,
                               lab_host == &lab_.b ? "\n" : ""));
    }
    return {};
  }

  [[nodiscard]] Result<void> proof() {
    chapter("The proof");
    const auto after = matrix();
    if (!after) return fail(after.error());
    console_.say(render(after->here, after->verification, &*after->there, console_.style()));
    const auto& pairs = after->verification.pairs;
    pairs_ = pairs.size();
    same_door_ = static_cast<std::size_t>(
        std::ranges::count(pairs, DoorVerdict::same_door, &Proof::verdict));
    return {};
  }

  [[nodiscard]] Result<void> farewell() {
    chapter("And back");
    for (const LabHost* lab_host : {&lab_.a, &lab_.b}) {
      auto host = LiveHost::open(lab_host->netns);
      if (!host) return fail(std::move(host.error()));
      command(fmt::format("retour undo --netns {}", lab_host->netns));
      const auto undone = take_away(*host, console_);
      if (!undone) return fail(undone.error());
    }
    const auto again = matrix();
    if (!again) return fail(again.error());
    answered_after_ = answered(again->verification);
    as_told_ = same_door_ == pairs_ && answered_after_ == answered_before_;
    return {};
  }

  void command(const std::string& text) {
    console_.say(console_.style().paint(Ink::dim, wrap("$ " + text, 4)) + "\n");
  }
  static std::size_t answered(const Verification& verification) {
    return static_cast<std::size_t>(std::ranges::count_if(
        verification.pairs, [](const Proof& proof) { return proof.seen.answered; }));
  }

  const Lab& lab_;
  const Console& console_;
  int chapter_{};
  std::size_t pairs_{};
  std::size_t answered_before_{};
  std::size_t same_door_{};
  std::size_t answered_after_{};
  bool as_told_{};
};

}  // namespace

int demo(const LabOptions& options, const Console& console) {
  catch_interrupts();
  LabOptions shape = options;
  // Beside a lab of the user's own: the demonstration never takes that one down.
  if (shape.name == LabOptions{}.name) shape.name = "retour-demo";
  auto lab = LabGuard::up(shape);
  if (!lab) return console.fail(lab.error());
  Demo demo(**lab, console);
  if (auto told = demo.tell(); !told) return console.fail(told.error());
  console.print(console.json() ? demo.json() : demo.summary());
  console.say("The namespaces are gone again. retour lab up leaves them standing to play with.\n");
  return demo.as_told() ? exit_ok : exit_failed;
}

}  // namespace retour
