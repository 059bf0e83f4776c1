// SPDX-License-Identifier: Apache-2.0
#include "differential/raw_rule.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "os/fd.h"

namespace retour::differential {
namespace {

// Attributes newer than the headers at hand.
constexpr unsigned short dscp_attribute = 25;
constexpr unsigned short flowlabel_attribute = 26;
constexpr unsigned short flowlabel_mask_attribute = 27;
constexpr unsigned short sport_mask_attribute = 28;
constexpr unsigned short dport_mask_attribute = 29;
constexpr unsigned short dscp_mask_attribute = 30;

struct Message {
  nlmsghdr header{};
  fib_rule_hdr rule{};
  std::array<char, 512> room{};
  std::size_t used{};

  void put(unsigned short type, const void* data, std::size_t size) {
    const rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    std::memcpy(room.data() + used, &attribute, sizeof(attribute));
    std::memcpy(room.data() + used + sizeof(attribute), data, size);
    used += RTA_SPACE(size);
  }
  template <class T>
  void put(unsigned short type, T value) {
    put(type, &value, sizeof(value));
  }
};

struct Pair {
  unsigned long value{};
  std::optional<unsigned long> second;
};

/// "5/0xff" or "10-20".
Pair pair_of(const std::string& word, char separator) {
  Pair pair{std::strtoul(word.c_str(), nullptr, 0), {}};
  if (const auto at = word.find(separator); at != std::string::npos) {
    pair.second = std::strtoul(word.c_str() + at + 1, nullptr, 0);
  }
  return pair;
}

bool put_prefix(Message& message, unsigned short type, const std::string& word) {
  const auto prefix = Prefix::parse(word);
  if (!prefix) return false;
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = prefix->address.to_bytes(bytes);
  message.put(type, bytes.data(), size);
  (type == FRA_SRC ? message.rule.src_len : message.rule.dst_len) = prefix->length;
  return true;
}

void put_ports(Message& message, unsigned short range, unsigned short mask,
               const std::string& word) {
  const Pair ports = pair_of(word, '-');
  const auto first = static_cast<std::uint16_t>(ports.value);
  message.put(range, fib_rule_port_range{
                         first, static_cast<std::uint16_t>(ports.second.value_or(ports.value))});
  if (const Pair masked = pair_of(word, '/'); masked.second) {
    message.put(mask, static_cast<std::uint16_t>(*masked.second));
  }
}

bool put_action(Message& message, const std::string& word, const std::string& value) {
  if (word == "lookup") {
    message.rule.action = FR_ACT_TO_TBL;
    message.put(FRA_TABLE, static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 0)));
    return true;
  }
  if (word == "goto") {
    message.rule.action = FR_ACT_GOTO;
    message.put(FRA_GOTO, static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 0)));
    return true;
  }
  return false;
}

/// A word with a value.
bool put_selector(Message& message, const std::string& word, const std::string& value) {
  if (word == "pref") {
    message.put(FRA_PRIORITY, static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 0)));
  } else if (word == "from") {
    return put_prefix(message, FRA_SRC, value);
  } else if (word == "to") {
    return put_prefix(message, FRA_DST, value);
  } else if (word == "iif" || word == "oif") {
    message.put(word == "iif" ? FRA_IIFNAME : FRA_OIFNAME, value.c_str(), value.size() + 1);
  } else if (word == "ipproto") {
    message.put(FRA_IP_PROTO, static_cast<std::uint8_t>(std::strtoul(value.c_str(), nullptr, 0)));
  } else if (word == "sport") {
    put_ports(message, FRA_SPORT_RANGE, sport_mask_attribute, value);
  } else if (word == "dport") {
    put_ports(message, FRA_DPORT_RANGE, dport_mask_attribute, value);
  } else if (word == "dscp") {
    const Pair dscp = pair_of(value, '/');
    message.put(dscp_attribute, static_cast<std::uint8_t>(dscp.value));
    if (dscp.second) message.put(dscp_mask_attribute, static_cast<std::uint8_t>(*dscp.second));
  } else if (word == "flowlabel") {
    const Pair label = pair_of(value, '/');
    message.put(flowlabel_attribute, htonl(static_cast<std::uint32_t>(label.value)));
    if (label.second) {
      message.put(flowlabel_mask_attribute, htonl(static_cast<std::uint32_t>(*label.second)));
    }
  } else {
    return put_action(message, word, value);
  }
  return true;
}

bool parse(Message& message, std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "not") {
      message.rule.flags |= FIB_RULE_INVERT;
    } else if (words[i] == "blackhole" || words[i] == "unreachable" || words[i] == "prohibit") {
      message.rule.action = words[i] == "blackhole"     ? FR_ACT_BLACKHOLE
                            : words[i] == "unreachable" ? FR_ACT_UNREACHABLE
                                                        : FR_ACT_PROHIBIT;
    } else if (i + 1 == words.size() || !put_selector(message, words[i], words[i + 1])) {
      return false;
    } else {
      ++i;
    }
  }
  return true;
}

}  // namespace

int add_raw_rule(Family family, std::string_view words) {
  Message message;
  message.header.nlmsg_type = RTM_NEWRULE;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  message.rule.family = family == Family::v4 ? AF_INET : AF_INET6;
  if (!parse(message, words)) return EINVAL;
  message.header.nlmsg_len =
      static_cast<std::uint32_t>(sizeof(message.header) + sizeof(message.rule) + message.used);
  const Fd netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (send(netlink.get(), &message, message.header.nlmsg_len, 0) < 0) return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 1024> rest;
  } answer{};
  if (recv(netlink.get(), &answer, sizeof(answer), 0) < 0) return errno;
  return -answer.error.error;
}

}  // namespace retour::differential
