// SPDX-License-Identifier: Apache-2.0
#include "text/impact_json.h"

#include <nlohmann/json.hpp>

#include "text/printable.h"

namespace retour {

namespace {

using Json = nlohmann::ordered_json;

Json link_json(const Snapshot& host, std::optional<IfIndex> link) {
  return link && link->value != 0 ? Json(escape(host.link_name(*link))) : Json(nullptr);
}

Json ip_json(const std::optional<Ip>& ip) { return ip ? Json(ip->str()) : Json(nullptr); }

/// Version 1 has no word of its own for what an anycast route sends: it goes as unicast does.
std::string_view verdict_word(Verdict verdict) {
  return name(verdict == Verdict::anycast ? Verdict::unicast : verdict);
}

Json path_json(const Snapshot& host, const Lookup& lookup) {
  return {{"verdict", verdict_word(lookup.verdict)},
          {"dev", link_json(host, lookup.link)},
          {"gateway", ip_json(lookup.gateway)},
          {"source", ip_json(lookup.source)},
          {"table", lookup.table.value != 0 ? Json(lookup.table.value) : Json(nullptr)}};
}

/// What besides its addresses makes this flow: empty for the ordinary one.
Json selectors_json(const Snapshot& host, const Flow& flow) {
  Json json = Json::object();
  if (flow.iif) json["iif"] = link_json(host, flow.iif);
  if (flow.oif) json["oif"] = link_json(host, flow.oif);
  if (flow.mark != 0) json["mark"] = flow.mark;
  if (flow.tos != 0) json["tos"] = flow.tos;
  if (flow.ip_proto != 0) json["ipproto"] = flow.ip_proto;
  if (flow.sport != 0) json["sport"] = flow.sport;
  if (flow.dport != 0) json["dport"] = flow.dport;
  if (flow.uid != 0) json["uid"] = flow.uid;
  return json;
}

Json connections_json(const Snapshot& host, const Impact& impact) {
  if (!impact.connections) return nullptr;
  Json list = Json::array();
  for (const MovedConnection& moved : *impact.connections) {
    const Connection& connection = moved.connection;
    list.push_back({{"local", connection.local.str()},
                    {"peer", connection.peer.str()},
                    {"sport", connection.local_port},
                    {"dport", connection.peer_port},
                    {"operator", connection.of_operator},
                    {"before", path_json(host, moved.before)},
                    {"after", path_json(host, moved.after)}});
  }
  return list;
}

}  // namespace

Json impact_json(const Snapshot& host, const Impact& impact) {
  Json changed = Json::array();
  Json unexpected = Json::array();
  for (const PathChange& path : impact.changed) {
    Json json{{"source", ip_json(path.source)},
              {"senders", path.senders ? Json(path.senders->str()) : Json(nullptr)},
              {"destinations", path.destinations.str()},
              {"flow", selectors_json(host, path.before.flow)},
              {"before", path_json(host, path.before)},
              {"after", path_json(host, path.after)}};
    if (!path.expected) unexpected.push_back(json);
    changed.push_back(std::move(json));
  }
  return {{"classes", impact.classes},
          {"changed", std::move(changed)},
          {"unexpected", std::move(unexpected)},
          {"connections", connections_json(host, impact)}};
}

}  // namespace retour
