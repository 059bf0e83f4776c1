// SPDX-License-Identifier: Apache-2.0
#include "plan/fingerprint.h"

#include <fmt/format.h>

#include <type_traits>

namespace retour {

namespace {

constexpr std::uint32_t secondary = 0x01;
constexpr std::uint32_t deprecated = 0x20;

class Hash {
 public:
  template <class T>
  requires std::is_integral_v<T> || std::is_enum_v<T>
  void add(T value) {
    auto bits = static_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i, bits >>= 8U) byte(static_cast<std::uint8_t>(bits & 0xffU));
  }
  void add(const std::string& text) {
    add(text.size());
    for (const char c : text) byte(static_cast<std::uint8_t>(c));
  }
  void add(const std::vector<std::uint8_t>& bytes) {
    add(bytes.size());
    for (const std::uint8_t each : bytes) byte(each);
  }
  void add(IfIndex index) { add(index.value); }
  void add(TableId table) { add(table.value); }
  void add(const Ip& ip) { add(ip.str()); }
  void add(const Prefix& prefix) {
    add(prefix.address);
    add(prefix.length);
  }
  template <class T>
  void add(const Range<T>& range) {
    add(range.first);
    add(range.last);
  }
  /// Absent is another value than any present one.
  template <class T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    if (value) add(*value);
  }
  void add(const std::vector<RawAttribute>& attributes) {
    add(attributes.size());
    for (const RawAttribute& attribute : attributes) {
      add(attribute.type);
      add(attribute.data);
    }
  }
  void add(const ConfValues& values) {
    for (const auto& about : conf_table()) add(values.get(about.conf));
  }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  void byte(std::uint8_t value) { hash_ = (hash_ ^ value) * 0x100000001b3U; }
  std::uint64_t hash_{0xcbf29ce484222325U};
};

template <class... Values>
void add_all(Hash& hash, const Values&... values) {
  (hash.add(values), ...);
}

void add(Hash& hash, const Link& link) {
  add_all(hash, link.index, link.name, link.mac, link.up(), link.carrier(), link.master, link.group,
          link.conf);
}

void add(Hash& hash, const Address& address) {
  add_all(hash, address.link, address.local, address.peer, address.scope,
          address.flags & (secondary | deprecated), address.metric);
}

void add(Hash& hash, const Route& route) {
  add_all(hash, route.dst, route.src, route.table, route.type, route.scope, route.protocol,
          route.tos, route.metric, route.prefsrc, route.nexthop_id, route.preference);
  hash.add(route.next_hops.size());
  for (const NextHop& leg : route.next_hops) {
    add_all(hash, leg.link, leg.gateway, leg.flags, leg.weight);
  }
  // Of IPv6 they hold what is left of a lifetime.
  if (route.family() == Family::v4) hash.add(route.other);
}

void add(Hash& hash, const Rule& rule) {
  add_all(hash, rule.family, rule.priority, rule.invert, rule.from, rule.to, rule.iif, rule.oif,
          rule.fwmark, rule.fwmask, rule.tos, rule.dscp, rule.dscp_mask, rule.flowlabel,
          rule.flowlabel_mask, rule.ip_proto, rule.sport, rule.dport, rule.sport_mask,
          rule.dport_mask, rule.uid, rule.tun_id, rule.l3mdev, rule.action, rule.table,
          rule.goto_target, rule.suppress_prefixlength, rule.suppress_ifgroup, rule.protocol,
          rule.other);
}

}  // namespace

std::string fingerprint(const Snapshot& host) {
  Hash hash;
  const auto each = [&](const auto& list) {
    hash.add(list.size());
    for (const auto& object : list) add(hash, object);
  };
  each(host.links);
  each(host.addresses);
  each(host.routes);
  each(host.rules);
  hash.add(host.conf_all);
  return fmt::format("{:016x}", hash.value());
}

}  // namespace retour
