// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "text/printable.h"
#include "text/render_diagnosis.h"
#include "text/render_report.h"

namespace retour {

namespace {

std::string seen_text(const Snapshot& host, const std::vector<IfIndex>& links) {
  if (links.empty()) return "-";
  std::string text = printable(host.link_name(links.front()));
  if (links.size() > 1) text += fmt::format(" +{}", links.size() - 1);
  return text;
}

std::vector<Ip> in_order(const std::vector<Proof>& proofs, Ip ProbePair::*which) {
  std::vector<Ip> list;
  std::set<Ip> known;
  for (const Proof& proof : proofs) {
    const Ip& ip = proof.seen.pair.*which;
    if (known.insert(ip).second) list.push_back(ip);
  }
  return list;
}

/// What a cell shows. Where the far end is watched: the number of the peer's NIC that the reply
/// left by, which ought to be that of its column.
std::string cell(const Proof& proof, const std::map<IfIndex, std::size_t>& doors_there) {
  if (proof.verdict == DoorVerdict::lost) return "-";
  if (proof.seen.there) {
    const auto& reply = proof.seen.there->reply;
    const auto it = reply.size() == 1 ? doors_there.find(reply.front()) : doors_there.end();
    const std::string door = it == doors_there.end() ? "?" : std::to_string(it->second);
    return proof.verdict == DoorVerdict::same_door ? door : door + "!";
  }
  return proof.verdict == DoorVerdict::same_door ? "ok" : "wd";
}

std::string matrix(const Snapshot& host, const Verification& verification,
                   const std::vector<Ip>& peers, const Snapshot* there, const Style& style) {
  std::map<std::pair<Ip, Ip>, const Proof*> at;
  std::map<IfIndex, std::size_t> doors_there;
  for (const Proof& proof : verification.pairs) {
    const ProbePair& pair = proof.seen.pair;
    at[{pair.local, pair.peer}] = &proof;
    const auto column = std::ranges::find(peers, pair.peer) - peers.begin();
    if (pair.peer_link) doors_there.emplace(*pair.peer_link, column + 1);
  }
  Table table;
  std::vector<Table::Cell> head{{"NIC", Ink::dim}, {"from", Ink::dim}};
  for (std::size_t i = 0; i < peers.size(); ++i) head.push_back({std::to_string(i + 1), Ink::dim});
  table.row(std::move(head));
  for (const Ip& local : in_order(verification.pairs, &ProbePair::local)) {
    std::vector<Table::Cell> row{{""}, {local.str()}};
    for (const Ip& peer : peers) {
      const auto it = at.find({local, peer});
      if (it == at.end()) {
        row.push_back({" "});
        continue;
      }
      row.front().text = printable(host.link_name(it->second->seen.pair.link));
      row.push_back({cell(*it->second, doors_there), ink_of(it->second->verdict)});
    }
    table.row(std::move(row));
  }
  std::string out = table.str(style);
  std::string legend = "to:";
  for (std::size_t i = 0; i < peers.size(); ++i) {
    legend += fmt::format(" {}={}", i + 1, peers[i].str());
  }
  out += "  " + wrap(legend, 2) + "\n";
  out += there != nullptr
             ? "  number: the peer's NIC that the reply left by; !: a wrong door; -: no answer\n"
             : "  ok: same door both ways; wd: by a wrong door; -: no answer\n";
  return out;
}

/// What the wrong and lost pairs did; pairs of one fate together, whichever NIC they belong to.
std::string details(const Snapshot& host, const Verification& verification, const Snapshot* there,
                    const Style& style) {
  struct Fate {
    std::size_t pairs{};
    std::set<IfIndex> links;
    DoorVerdict verdict{};
  };
  std::map<std::vector<std::string>, Fate> fates;
  for (const Proof& proof : verification.pairs) {
    if (proof.verdict == DoorVerdict::same_door) continue;
    const Observation& seen = proof.seen;
    std::vector<std::string> way{seen_text(host, seen.here.request)};
    if (there != nullptr && seen.there) {
      way.push_back(seen_text(*there, seen.there->request));
      way.push_back(seen_text(*there, seen.there->reply));
    } else if (there != nullptr) {
      way.insert(way.end(), 2, "-");
    }
    way.push_back(seen_text(host, seen.here.reply));
    way.emplace_back(name(proof.verdict));
    Fate& fate = fates[way];
    ++fate.pairs;
    fate.links.insert(seen.pair.link);
    fate.verdict = proof.verdict;
  }
  if (fates.empty()) return {};
  Table table;
  std::vector<Table::Cell> head{{"of NIC", Ink::dim}, {"left by", Ink::dim}};
  if (there != nullptr) {
    head.push_back({"peer: in", Ink::dim});
    head.push_back({"peer: out", Ink::dim});
  }
  head.insert(head.end(), {{"came back on", Ink::dim}, {"pairs", Ink::dim}, {"", Ink::dim}});
  table.row(std::move(head));
  constexpr std::size_t shown = 24;
  std::size_t rows = 0;
  for (const auto& [way, fate] : fates) {
    if (++rows > shown) break;
    std::vector<Table::Cell> row{{fate.links.size() == 1
                                      ? printable(host.link_name(*fate.links.begin()))
                                      : fmt::format("{} NICs", fate.links.size())}};
    for (std::size_t k = 0; k + 1 < way.size(); ++k) row.push_back({way[k]});
    row.push_back({std::to_string(fate.pairs)});
    row.push_back({way.back(), ink_of(fate.verdict)});
    table.row(std::move(row));
  }
  std::string out = table.str(style);
  if (fates.size() > shown) {
    out += fmt::format("  and {} kinds more (--json lists all)\n", fates.size() - shown);
  }
  return out;
}

}  // namespace

std::string render(const Snapshot& host, const Verification& verification, const Snapshot* there,
                   const Style& style) {
  std::string out;
  const auto peers = in_order(verification.pairs, &ProbePair::peer);
  if (!verification.pairs.empty() && peers.size() <= 16) {
    out += matrix(host, verification, peers, there, style) + "\n";
  }
  if (const std::string text = details(host, verification, there, style); !text.empty()) {
    out += text + "\n";
  }
  std::array<std::size_t, 3> count{};
  std::size_t answered = 0;
  for (const Proof& proof : verification.pairs) {
    ++count[static_cast<std::size_t>(proof.verdict)];
    answered += proof.seen.answered ? 1 : 0;
  }
  const std::string verdict =
      fmt::format("{} of {} answered, {} same-door, {} wrong-door, {} lost", answered,
                  verification.pairs.size(), count[0], count[1], count[2]);
  const bool fine = count[0] == verification.pairs.size();
  out += style.paint(fine ? Ink::green : count[2] > 0 ? Ink::red : Ink::yellow, verdict) + "\n";
  if (!verification.complete) out += "Interrupted: this is what was seen until then.\n";
  return out;
}

}  // namespace retour
