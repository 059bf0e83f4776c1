// SPDX-License-Identifier: Apache-2.0
//
// A snapshot says what `ip -j` says, field by field, on a rich host and on one of a thousand links.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <thread>

#include "kernel_host.h"

namespace retour::kernel_test {
namespace {

using nlohmann::json;

json flag_words(std::uint8_t flags) {
  json words = json::array();
  if ((flags & 1U) != 0) words.push_back("dead");
  if ((flags & 4U) != 0) words.push_back("onlink");
  if ((flags & 2U) != 0) words.push_back("pervasive");
  if ((flags & 16U) != 0) words.push_back("linkdown");
  return words;
}

void put_leg(const NextHop& leg, Family family, const Snapshot& host, json& out) {
  if (leg.gateway && leg.gateway->family() == family) out["gateway"] = leg.gateway->str();
  if (leg.gateway && leg.gateway->family() != family) {
    out["via"] = {{"family", leg.gateway->is_v4() ? "inet" : "inet6"},
                  {"host", leg.gateway->str()}};
  }
  if (leg.link.value != 0) out["dev"] = host.link_name(leg.link);
}

std::uint32_t number(const std::vector<std::uint8_t>& data) {
  std::uint32_t value = 0;
  EXPECT_TRUE(take(data, value));
  return value;
}

json realms(const RawAttribute& raw, const char* from, const char* to) {
  const std::uint32_t value = number(raw.data);
  json out{{to, std::to_string(value & 0xffffU)}};
  if (value >> 16U != 0) out[from] = std::to_string(value >> 16U);
  return out;
}

json metrics(const RawAttribute& raw) {
  const std::map<int, std::string> names{
      {2, "mtu"}, {8, "advmss"}, {11, "initcwnd"}, {13, "rto_min"}};
  json out = json::object();
  EXPECT_TRUE(each_attribute(raw.data, [&](std::uint16_t type, Bytes data) {
    if (const auto it = names.find(type); it != names.end()) {
      out[it->second] = number({data.begin(), data.end()});
    }
  }));
  return json::array({out});
}

json as_ip_shows(const Route& route, const Snapshot& host) {
  json out{{"type", std::to_string(static_cast<int>(route.type))},
           {"dst", route.dst.length == 0 ? "default" : route.dst.str()},
           {"table", std::to_string(route.table.value)},
           {"protocol", std::to_string(route.protocol)},
           {"scope", std::to_string(route.scope)},
           {"flags", json::array()}};
  if (route.src) out["from"] = route.src->str();
  if (route.tos != 0) out["tos"] = fmt::format("{:#x}", route.tos);
  if (route.prefsrc) out["prefsrc"] = route.prefsrc->str();
  if (route.metric != 0 || route.family() == Family::v6) out["metric"] = route.metric;
  if (route.nexthop_id != 0) out["nhid"] = route.nexthop_id;
  if (route.next_hops.size() == 1) {
    put_leg(route.next_hops[0], route.family(), host, out);
    out["flags"] = flag_words(route.next_hops[0].flags);
  }
  for (const NextHop& leg : route.next_hops) {
    if (route.next_hops.size() == 1) break;
    json each{{"weight", leg.weight}, {"flags", flag_words(leg.flags)}};
    put_leg(leg, route.family(), host, each);
    out["nexthops"].push_back(each);
  }
  if (route.family() == Family::v6) {
    const std::array<const char*, 4> words{"medium", "high", "?", "low"};
    out["pref"] = words.at(route.preference);
  }
  for (const RawAttribute& raw : route.other) {
    if (raw.type == 8) out["metrics"] = metrics(raw);
    if (raw.type == 11) out["flow"] = realms(raw, "from", "to");
  }
  return out;
}

json without_details(json route) {
  route.erase("nh_info");
  // blackhole, unreachable, prohibit and throw: always on `lo`, which we leave out.
  const int type = std::stoi(route["type"].get<std::string>());
  if (type >= 6 && type <= 9 && route.contains("dev")) {
    EXPECT_EQ(route["dev"], "lo") << route;
    route.erase("dev");
  }
  // Realms of a leg: kept raw, see MultipathWithRealms below.
  if (route.contains("nexthops")) {
    for (json& leg : route["nexthops"]) leg.erase("flow");
  }
  return route;
}

void put_prefix(const std::optional<Prefix>& prefix, const char* key, const char* length,
                json& out) {
  if (!prefix) return;
  out[key] = prefix->address.str();
  if (prefix->length != width(prefix->family())) out[length] = prefix->length;
}

void put_ports(const std::optional<Range<std::uint16_t>>& ports, const std::string& key,
               json& out) {
  if (!ports) return;
  if (ports->first == ports->last) {
    out[key] = ports->first;
  } else {
    out[key + "_start"] = ports->first;
    out[key + "_end"] = ports->last;
  }
}

void put_action(const Rule& rule, json& out) {
  switch (rule.action) {
    case RuleAction::lookup:
      if (rule.table.value != 0) out["table"] = std::to_string(rule.table.value);
      break;
    case RuleAction::goto_:
      out["goto"] = rule.goto_target;
      if (rule.goto_unresolved) out["unresolved"] = nullptr;
      break;
    case RuleAction::nop:
      out["nop"] = nullptr;
      break;
    default:
      out["action"] = std::to_string(static_cast<int>(rule.action));
  }
}

json as_ip_shows(const Rule& rule) {
  json out{
      {"priority", rule.priority}, {"src", "all"}, {"protocol", std::to_string(rule.protocol)}};
  put_prefix(rule.from, "src", "srclen", out);
  put_prefix(rule.to, "dst", "dstlen", out);
  if (rule.invert) out["not"] = nullptr;
  if (rule.tos != 0) out["tos"] = fmt::format("{:#x}", rule.tos);
  if (rule.fwmark != 0 || rule.fwmask != 0) out["fwmark"] = fmt::format("{:#x}", rule.fwmark);
  if (rule.fwmask != 0 && rule.fwmask != ~0U) out["fwmask"] = fmt::format("{:#x}", rule.fwmask);
  if (!rule.iif.empty()) out["iif"] = rule.iif;
  if (rule.iif_detached) out["iif_detached"] = nullptr;
  if (!rule.oif.empty()) out["oif"] = rule.oif;
  if (rule.oif_detached) out["oif_detached"] = nullptr;
  if (rule.l3mdev) out["l3mdev"] = nullptr;
  if (rule.uid) out["uid_start"] = rule.uid->first;
  if (rule.uid) out["uid_end"] = rule.uid->last;
  if (rule.ip_proto != 0) out["ipproto"] = fmt::format("ipproto-{}", rule.ip_proto);
  put_ports(rule.sport, "sport", out);
  put_ports(rule.dport, "dport", out);
  if (rule.tun_id != 0) out["tun_id"] = rule.tun_id;
  if (rule.suppress_prefixlength) out["suppress_prefixlen"] = *rule.suppress_prefixlength;
  if (rule.suppress_ifgroup) out["suppress_ifgroup"] = std::to_string(*rule.suppress_ifgroup);
  for (const RawAttribute& raw : rule.other) {
    if (raw.type == 11) out.update(realms(raw, "flow_from", "flow_to"));
  }
  put_action(rule, out);
  return out;
}

json as_ip_shows(const Link& link, const Snapshot& host) {
  json out{{"ifindex", link.index.value},
           {"ifname", link.name},
           {"mtu", link.mtu},
           {"group", std::to_string(link.group)},
           {"address", fmt::format("{:02x}", fmt::join(link.mac, ":"))},
           {"up", link.up()},
           {"loopback", link.loopback()},
           {"carrier", link.carrier()}};
  if (!link.kind.empty()) out["kind"] = link.kind;
  if (link.master.value != 0) out["master"] = host.link_name(link.master);
  return out;
}

json link_of_ip(const json& link) {
  const auto has = [&](const char* flag) {
    return std::ranges::find(link["flags"], json(flag)) != link["flags"].end();
  };
  json out{{"up", has("UP")}, {"loopback", has("LOOPBACK")}, {"carrier", has("LOWER_UP")}};
  for (const char* key : {"ifindex", "ifname", "mtu", "group", "address"}) out[key] = link[key];
  if (link.contains("linkinfo")) out["kind"] = link["linkinfo"]["info_kind"];
  if (link.contains("master")) out["master"] = link["master"];
  return out;
}

json as_ip_shows(const Address& address) {
  json out{{"local", address.local.address.str()},
           {"prefixlen", address.local.length},
           {"scope", std::to_string(address.scope)},
           {"secondary", address.secondary()}};
  if (address.peer) out["address"] = address.peer->str();
  if (address.broadcast) out["broadcast"] = address.broadcast->str();
  if (!address.label.empty()) out["label"] = address.label;
  if (address.metric != 0) out["metric"] = address.metric;
  return out;
}

json address_of_ip(const json& address) {
  json out{{"secondary", address.value("secondary", false)}};
  for (const char* key :
       {"local", "prefixlen", "scope", "address", "broadcast", "label", "metric"}) {
    if (address.contains(key)) out[key] = address[key];
  }
  return out;
}

json as_ip_shows(const NextHopObject& nexthop, const Snapshot& host) {
  json out{{"id", nexthop.id}, {"protocol", std::to_string(nexthop.protocol)}};
  if (nexthop.blackhole) out["blackhole"] = nullptr;
  put_leg(nexthop.leg, nexthop.leg.gateway ? nexthop.leg.gateway->family() : Family::v4, host, out);
  for (const auto& [id, weight] : nexthop.group) {
    json member{{"id", id}};
    if (weight != 1) member["weight"] = weight;
    out["group"].push_back(member);
  }
  return out;
}

/// One read by us between two equal reads by `ip`: the host's own settling (carrier, duplicate
/// address detection) is no difference between programs.
struct BothViews {
  Snapshot ours;
  json links, routes, rules_v4, rules_v6, nexthops;
};

BothViews look(const KernelHost& host) {
  const auto read = [&] {
    std::array views{host.ip_json("-d addr show"), host.ip_json("-d route show table all"),
                     host.ip_json("-d rule"), host.ip_json("-d -6 rule"), host.ip_json("nexthop")};
    // A bridge and its ports show timers that run.
    for (json& link : views[0]) {
      if (link.contains("linkinfo")) link["linkinfo"].erase("info_data");
      if (link.contains("linkinfo")) link["linkinfo"].erase("info_slave_data");
    }
    return views;
  };
  const auto kernel = host.kernel();
  for (int i = 0; i < 100; ++i) {
    const auto before = read();
    auto ours = kernel->snapshot();
    if (ours && read() == before) {
      return {std::move(*ours), before[0], before[1], before[2], before[3], before[4]};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ADD_FAILURE() << "the test's namespace does not settle";
  return {};
}

TEST(KernelSnapshot, SaysWhatIpSays) {
  const KernelHost host;
  build_rich_host(host);
  const BothViews views = look(host);
  const Snapshot& ours = views.ours;

  ASSERT_EQ(ours.routes.size(), views.routes.size());
  for (std::size_t i = 0; i < ours.routes.size(); ++i) {
    EXPECT_EQ(as_ip_shows(ours.routes[i], ours), without_details(views.routes[i]));
  }
  std::vector<json> rules(views.rules_v4.begin(), views.rules_v4.end());
  rules.insert(rules.end(), views.rules_v6.begin(), views.rules_v6.end());
  ASSERT_EQ(ours.rules.size(), rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) EXPECT_EQ(as_ip_shows(ours.rules[i]), rules[i]);

  ASSERT_EQ(ours.links.size(), views.links.size());
  for (std::size_t i = 0; i < ours.links.size(); ++i) {
    EXPECT_EQ(as_ip_shows(ours.links[i], ours), link_of_ip(views.links[i]));
    std::vector<json> addresses;
    for (const Address& address : ours.addresses) {
      if (address.link == ours.links[i].index) addresses.push_back(as_ip_shows(address));
    }
    std::vector<json> of_ip;
    for (const json& each : views.links[i]["addr_info"]) of_ip.push_back(address_of_ip(each));
    EXPECT_EQ(addresses, of_ip) << ours.links[i].name;
  }
  ASSERT_EQ(ours.nexthops.size(), views.nexthops.size());
  for (std::size_t i = 0; i < ours.nexthops.size(); ++i) {
    json expected = views.nexthops[i];
    expected.erase("flags");
    expected.erase("scope");
    if (!expected.contains("protocol")) expected["protocol"] = "0";
    EXPECT_EQ(as_ip_shows(ours.nexthops[i], ours), expected);
  }
}

TEST(KernelSnapshot, SysctlsAreThoseOfProc) {
  const KernelHost host;
  build_rich_host(host);
  const Snapshot ours = host.snapshot();
  const auto proc = [&](const std::string& scope, std::string_view key) {
    return std::stoi(host.exec(fmt::format("cat /proc/sys/net/ipv4/conf/{}/{}", scope, key)).text);
  };
  for (const ConfInfo& about : conf_table()) {
    EXPECT_EQ(ours.conf_all.get(about.conf), proc("all", about.name)) << about.name;
    for (const char* link : {"n0", "n1", "n2", "lo"}) {
      ASSERT_NE(ours.link(link), nullptr);
      EXPECT_EQ(ours.link(link)->conf.get(about.conf), proc(link, about.name))
          << link << ' ' << about.name;
    }
  }
}

TEST(KernelSnapshot, NeighborsAndProxies) {
  const KernelHost host;
  build_rich_host(host);
  const Snapshot ours = host.snapshot();
  const auto find = [&](const char* ip) {
    return std::ranges::find(ours.neighbors, *Ip::parse(ip), &Neighbor::address);
  };
  ASSERT_NE(find("29.28.0.77"), ours.neighbors.end());
  EXPECT_EQ(find("29.28.0.77")->state, 0x80);  // NUD_PERMANENT
  EXPECT_EQ(find("29.28.0.77")->mac, (std::vector<std::uint8_t>{2, 0, 0, 0, 0, 0x77}));
  ASSERT_NE(find("fd00::77"), ours.neighbors.end());
  ASSERT_NE(find("29.28.0.78"), ours.neighbors.end());
  EXPECT_EQ(find("29.28.0.78")->flags & 8, 8);
}

TEST(KernelSnapshot, MultipathWithRealmsLosesNothing) {
  const KernelHost host;
  build_rich_host(host);
  const Snapshot ours = host.snapshot();
  const auto route = std::ranges::find(ours.routes, *Prefix::parse("10.51.0.0/16"), &Route::dst);
  ASSERT_NE(route, ours.routes.end());
  EXPECT_EQ(route->next_hops.size(), 2U);
  ASSERT_EQ(route->other.size(), 1U);
  EXPECT_EQ(route->other[0].type, 9);  // RTA_MULTIPATH as it came
}

TEST(KernelSnapshot, ThousandLinks) {
  const KernelHost host;
  std::string lines;
  for (int i = 0; i < 500; ++i) {
    lines += fmt::format("link add a{} type veth peer name b{}\n", i, i);
    lines += fmt::format("addr add 10.{}.{}.1/24 dev a{}\n", i / 250, i % 250, i);
    lines += fmt::format("link set a{} up\nlink set b{} up\n", i, i);
  }
  host.build(lines);
  const BothViews views = look(host);
  EXPECT_EQ(views.ours.links.size(), 1001U);
  EXPECT_TRUE(std::ranges::is_sorted(views.ours.links, {}, &Link::index));
  EXPECT_EQ(views.ours.routes.size(), views.routes.size());
  EXPECT_GE(views.ours.routes.size(), 1500U);
}

}  // namespace
}  // namespace retour::kernel_test
