// SPDX-License-Identifier: Apache-2.0
#include "text/report_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "model/answer.h"
#include "plan/describe.h"
#include "text/impact_json.h"
#include "text/import_words.h"
#include "text/json_lists.h"
#include "text/lines.h"
#include "text/manager_words.h"
#include "text/printable.h"

namespace retour {

namespace {

using Json = nlohmann::ordered_json;

std::string finish(const Json& document) { return document.dump(2) + "\n"; }

Json link_json(const Snapshot& host, std::optional<IfIndex> link) {
  return link && link->value != 0 ? Json(escape(host.link_name(*link))) : Json(nullptr);
}

Json links_json(const Snapshot& host, const std::vector<IfIndex>& links) {
  Json list = Json::array();
  for (const IfIndex link : links) list.push_back(escape(host.link_name(link)));
  return list;
}

Json ip_json(const std::optional<Ip>& ip) { return ip ? Json(ip->str()) : Json(nullptr); }

/// Version 1 has no word of its own for what an anycast route sends: it goes as unicast does.
std::string_view verdict_word(Verdict verdict) {
  return name(verdict == Verdict::anycast ? Verdict::unicast : verdict);
}

Json lookup_json(const Snapshot& host, const Lookup& lookup) {
  Json steps = Json::array();
  for (const Step& step : lookup.steps) {
    const Rule& rule = host.rules[step.rule];
    steps.push_back(
        {{"rule_priority", rule.priority},
         {"rule", rule_line(host, rule)},
         {"outcome", outcome_name(step.outcome)},
         {"why", step_line(host, lookup, step)},
         {"route", step.route ? Json(route_line(host, host.routes[*step.route])) : Json(nullptr)}});
  }
  Json json{{"verdict", verdict_word(lookup.verdict)},
            {"dev", link_json(host, lookup.link)},
            {"gateway", ip_json(lookup.gateway)},
            {"source", ip_json(lookup.source)},
            {"table", lookup.table.value != 0 ? Json(lookup.table.value) : Json(nullptr)},
            {"rule_priority", lookup.rule_priority ? Json(*lookup.rule_priority) : Json(nullptr)},
            {"steps", std::move(steps)}};
  const auto links = lookup.links();
  if (links.size() > 1) json["candidates"] = links_json(host, links);
  if (lookup.candidates.size() > 1) {
    for (const Way& way : lookup.candidates) {
      json["ways"].push_back({{"dev", link_json(host, way.link)},
                              {"gateway", ip_json(way.gateway)},
                              {"source", ip_json(way.source)}});
    }
  }
  if (lookup.or_errnum != 0) json["or_errno"] = errno_name(lookup.or_errnum);
  return json;
}

Json cause_json(Cause cause) { return cause == Cause::none ? Json(nullptr) : Json(name(cause)); }

/// Who heard the request and what they did; the silent others are counted by their reason.
Json arp_json(const Snapshot& host, const RoundTrip& trip) {
  Json list = Json::array();
  for (const ArpReception& heard : trip.arp) {
    list.push_back({{"link", escape(host.link_name(heard.link))},
                    {"answers", heard.answers},
                    {"certain", heard.certain},
                    {"silent_because", cause_json(heard.silent_because)}});
  }
  return list;
}

Json round_trip_json(const Snapshot& host, const RoundTrip& trip) {
  Json json{{"local", trip.local.str()},
            {"link", escape(host.link_name(trip.link))},
            {"peer", trip.peer.str()},
            {"verdict", name(trip.verdict)},
            {"cause", cause_json(trip.cause)},
            {"arp_answered_by", links_json(host, trip.arp_answered_by)},
            {"arrives_on", link_json(host, trip.arrives_on)},
            {"leaves_on", link_json(host, trip.leaves_on)},
            {"gates", trip.gates_known ? "known" : "unknown"},
            {"arp", arp_json(host, trip)},
            {"reply", lookup_json(host, trip.reply)}};
  if (!trip.outcomes.empty()) {
    Json outcomes = Json::array();
    for (const GateOutcome& outcome : trip.outcomes) {
      outcomes.push_back({{"rp_filter", outcome.rp_filter},
                          {"arp_ignore", outcome.arp_ignore},
                          {"arp_filter", outcome.arp_filter},
                          {"verdict", name(outcome.verdict)},
                          {"cause", cause_json(outcome.cause)}});
    }
    json["outcomes"] = std::move(outcomes);
  }
  return json;
}

Json findings_json(const Snapshot& host, const Diagnosis& diagnosis) {
  Json list = Json::array();
  for (const Finding& finding : diagnosis.findings) {
    list.push_back({{"code", finding.code},
                    {"severity", name(finding.severity)},
                    {"link", link_json(host, finding.link)},
                    {"address", ip_json(finding.address)},
                    {"message", printable(finding.message)},
                    {"cure", finding.cure.empty() ? Json(nullptr) : Json(printable(finding.cure))},
                    {"round_trip", finding.evidence ? Json(*finding.evidence) : Json(nullptr)}});
  }
  return list;
}

Json subnets_json(const Snapshot& host, const std::vector<SharedSubnet>& subnets) {
  Json list = Json::array();
  for (const SharedSubnet& subnet : subnets) {
    Json members = Json::array();
    for (const auto& member : subnet.members) {
      members.push_back({{"link", escape(host.link_name(member.link))},
                         {"address", member.address.str()},
                         {"secondary", member.secondary},
                         {"gateway", ip_json(member.gateway)}});
    }
    Json segments = Json::array();
    for (const Segment& segment : subnet.segments) segments.push_back(links_json(host, segment));
    list.push_back({{"prefix", subnet.prefix.str()},
                    {"members", std::move(members)},
                    {"segments", std::move(segments)},
                    {"segments_measured", subnet.segments_known == SegmentsKnown::measured}});
  }
  return list;
}

Json names_json(const std::vector<Configurator>& managers) {
  Json list = Json::array();
  for (const Configurator& manager : managers) list.push_back(manager.name);
  return list;
}

Json notes_json(const Snapshot& host) { return texts_json(host.notes); }

struct ChangeJson {
  const Snapshot& host;

  [[nodiscard]] Json route(const Route& route) const {
    return {
        {"family", "inet"},
        {"table", route.table.value},
        {"type", name_of(route_type_words(), static_cast<std::uint32_t>(route.type)).value_or("")},
        {"dst", route.dst.str()},
        {"dev",
         route.next_hops.empty() ? Json(nullptr) : link_json(host, route.next_hops.front().link)},
        {"src", ip_json(route.prefsrc)},
        {"scope", name_of(scope_words(), route.scope).value_or("")},
        {"metric", route.metric},
        {"protocol", route.protocol}};
  }
  [[nodiscard]] Json rule(const Rule& rule) const {
    Json json{{"family", "inet"},
              {"priority", rule.priority},
              {"from", rule.from ? Json(rule.from->str()) : Json(nullptr)},
              {"to", rule.to ? Json(rule.to->str()) : Json(nullptr)},
              {"table", rule.table.value},
              {"protocol", rule.protocol}};
    if (rule.suppress_prefixlength) json["suppress_prefixlength"] = *rule.suppress_prefixlength;
    return json;
  }
  std::pair<const char*, Json> operator()(const AddRoute& c) const {
    return {"add-route", route(c.route)};
  }
  std::pair<const char*, Json> operator()(const DeleteRoute& c) const {
    return {"delete-route", route(c.route)};
  }
  std::pair<const char*, Json> operator()(const AddRule& c) const {
    return {"add-rule", rule(c.rule)};
  }
  std::pair<const char*, Json> operator()(const DeleteRule& c) const {
    return {"delete-rule", rule(c.rule)};
  }
  std::pair<const char*, Json> operator()(const SetConf& c) const {
    return {"set-sysctl",
            {{"dev", escape(c.link_name)},
             {"key", info(c.conf).name},
             {"before", c.before},
             {"after", c.after}}};
  }
};

Json doors_json(const Snapshot& host, const DoorsSeen& doors) {
  return {{"request", links_json(host, doors.request)}, {"reply", links_json(host, doors.reply)}};
}

}  // namespace

std::string_view outcome_name(RuleOutcome outcome) {
  switch (outcome) {
    case RuleOutcome::no_match:
      return "no-match";
    case RuleOutcome::no_entry:
      return "no-entry";
    case RuleOutcome::suppressed:
      return "suppressed";
    case RuleOutcome::jumped:
      return "jumped";
    case RuleOutcome::passed:
      return "passed";
    case RuleOutcome::decided:
      return "decided";
  }
  return "";
}

std::string json_round_trip(const Snapshot& host, const RoundTrip& trip) {
  return finish(round_trip_json(host, trip));
}

std::string json_report(const Snapshot& host, const Diagnosis& diagnosis) {
  Json trips = Json::array();
  for (const RoundTrip& trip : diagnosis.round_trips) trips.push_back(round_trip_json(host, trip));
  return finish({{"schema", "retour.diagnose/1"},
                 {"host", printable(host.host)},
                 {"healthy", diagnosis.healthy()},
                 {"findings", findings_json(host, diagnosis)},
                 {"round_trips", std::move(trips)},
                 {"shared_subnets", subnets_json(host, diagnosis.subnets)},
                 {"notes", notes_json(host)}});
}

std::string json_report(const Snapshot& host, const Plan& plan,
                        const std::optional<std::vector<Configurator>>& managers) {
  Json tables = Json::array();
  for (const PlannedTable& table : plan.tables) {
    tables.push_back(
        {{"id", table.id.value}, {"name", table.name}, {"link", link_json(host, table.link)}});
  }
  Json changes = Json::array();
  for (const Change& change : plan.changes) {
    auto [op, object] = std::visit(ChangeJson{host}, change.operation);
    changes.push_back({{"op", op},
                       {"object", std::move(object)},
                       {"why", printable(change.why)},
                       {"command", printable(ip_command(change, host))}});
  }
  Json trips = Json::array();
  for (const RoundTrip& trip : plan.after.round_trips) {
    trips.push_back({{"local", trip.local.str()},
                     {"link", escape(host.link_name(trip.link))},
                     {"peer", trip.peer.str()},
                     {"verdict", name(trip.verdict)},
                     {"arrives_on", link_json(host, trip.arrives_on)},
                     {"leaves_on", link_json(host, trip.leaves_on)}});
  }
  return finish({{"schema", "retour.plan/1"},
                 {"host", printable(host.host)},
                 {"pending", plan.pending()},
                 {"tables", std::move(tables)},
                 {"changes", std::move(changes)},
                 {"impact", impact_json(host, plan.impact)},
                 {"proof", std::move(trips)},
                 {"fingerprint", plan.fingerprint},
                 {"coexistence", managers_json(managers)},
                 {"refused", plan.refused ? Json(printable(*plan.refused)) : Json(nullptr)},
                 {"hint", plan.hint.empty() ? Json(nullptr) : Json(printable(plan.hint))}});
}

std::string json_report(const Snapshot& host, const Verification& verification,
                        const Snapshot* there) {
  Json pairs = Json::array();
  std::array<std::size_t, 3> count{};
  std::size_t answered = 0;
  for (const Proof& proof : verification.pairs) {
    const Observation& seen = proof.seen;
    ++count[static_cast<std::size_t>(proof.verdict)];
    answered += seen.answered ? 1 : 0;
    Json macs = Json::array();
    for (const auto& mac : seen.arp_macs) macs.push_back(mac_text(mac));
    Json json{{"local", seen.pair.local.str()},
              {"link", link_json(host, seen.pair.link)},
              {"peer", seen.pair.peer.str()},
              {"answered", seen.answered},
              {"arrived_on", link_json(host, proof.arrived_on)},
              {"left_by", link_json(host, proof.left_by)},
              {"verdict", name(proof.verdict)},
              {"rtt_us", seen.rtt_us ? Json(*seen.rtt_us) : Json(nullptr)},
              {"arp_answered", seen.arp_answered},
              {"arp_answered_by", std::move(macs)},
              {"seen", doors_json(host, seen.here)}};
    if (seen.send_errno != 0) json["send_errno"] = seen.send_errno;
    if (seen.there && there != nullptr) json["seen_at_peer"] = doors_json(*there, *seen.there);
    pairs.push_back(std::move(json));
  }
  return finish({{"schema", "retour.verify/1"},
                 {"host", printable(host.host)},
                 {"pairs", std::move(pairs)},
                 {"summary",
                  {{"pairs", verification.pairs.size()},
                   {"answered", answered},
                   {"same_door", count[0]},
                   {"wrong_door", count[1]},
                   {"lost", count[2]},
                   {"complete", verification.complete}}}});
}

std::string json_status(const Snapshot& host, const Diagnosis& diagnosis,
                        const std::optional<std::vector<Configurator>>& managers,
                        std::optional<std::chrono::seconds> confirm_within,
                        std::optional<bool> persisted) {
  Json links = Json::array();
  for (const Link& link : host.links) {
    Json addresses = Json::array();
    for (const Address& address : host.addresses) {
      if (address.link == link.index)
        addresses.push_back(address.local.address.str() + "/" +
                            std::to_string(address.local.length));
    }
    links.push_back({{"name", escape(link.name)},
                     {"index", link.index.value},
                     {"kind", link.kind.empty() ? Json(nullptr) : Json(printable(link.kind))},
                     {"mac", mac_text(link.mac)},
                     {"mtu", link.mtu},
                     {"up", link.up()},
                     {"carrier", link.carrier()},
                     {"addresses", std::move(addresses)}});
  }
  Json rules = Json::array();
  Json routes = Json::array();
  for (const Rule& rule : host.rules) {
    if (rule.protocol == protocol_retour)
      rules.push_back({{"priority", rule.priority}, {"rule", rule_line(host, rule)}});
  }
  for (const Route& route : host.routes) {
    if (route.protocol == protocol_retour)
      routes.push_back({{"table", route.table.value}, {"route", route_line(host, route)}});
  }
  return finish({{"schema", "retour.status/1"},
                 {"host", printable(host.host)},
                 {"kernel", printable(host.kernel)},
                 {"healthy", diagnosis.healthy()},
                 {"links", std::move(links)},
                 {"shared_subnets", subnets_json(host, diagnosis.subnets)},
                 {"owned", {{"rules", std::move(rules)}, {"routes", std::move(routes)}}},
                 {"managers", managers ? names_json(*managers) : Json(nullptr)},
                 {"coexistence", managers_json(managers)},
                 {"persisted", persisted ? Json(*persisted) : Json(nullptr)},
                 {"confirm_within_s", confirm_within ? Json(confirm_within->count()) : Json()},
                 {"notes", notes_json(host)}});
}

std::string json_applied(const Snapshot& host, std::size_t changes, const Diagnosis& after,
                         std::optional<std::chrono::seconds> confirm_within,
                         const std::string& probed, const std::vector<std::string>& persisted) {
  return finish({{"schema", "retour.apply/1"},
                 {"host", printable(host.host)},
                 {"changes", changes},
                 {"confirm_within_s", confirm_within ? Json(confirm_within->count()) : Json()},
                 {"probed", probed.empty() ? Json() : Json(probed)},
                 {"persisted", texts_json(persisted)},
                 {"healthy", after.healthy()},
                 {"findings", findings_json(host, after)}});
}

}  // namespace retour
