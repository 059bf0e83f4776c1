// SPDX-License-Identifier: Apache-2.0
#include "os/kernel_ask.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "os/attributes.h"
#include "os/kernel_decode.h"
#include "os/kernel_words.h"

namespace retour {
namespace {

// Each answer waits in the socket's queue until the whole batch is through.
constexpr std::size_t at_once = 256;
constexpr std::size_t question_room = 256;  // header and every attribute, with some to spare

std::uint16_t network_order(std::uint16_t port) {
  return std::endian::native == std::endian::big ? port : __builtin_bswap16(port);
}

/// Writes the question for `flow` to `room`; the bytes it takes.
std::size_t encode(const Flow& flow, std::uint32_t flags, std::uint32_t sequence,
                   std::uint8_t* room) {
  nlmsghdr* message = mnl_nlmsg_put_header(room);
  message->nlmsg_type = RTM_GETROUTE;
  message->nlmsg_flags = NLM_F_REQUEST;
  message->nlmsg_seq = sequence;
  const Family family = flow.dst.family();
  auto& header = *static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  header.rtm_family = kernel_family(family);
  header.rtm_tos = flow.tos;
  header.rtm_flags = flags;
  header.rtm_dst_len = width(family);
  put_ip(message, RTA_DST, flow.dst);
  if (!flow.src.is_unspecified()) {
    header.rtm_src_len = width(family);
    put_ip(message, RTA_SRC, flow.src);
  }
  if (flow.iif) put(message, RTA_IIF, flow.iif->value);
  if (flow.oif) put(message, RTA_OIF, flow.oif->value);
  if (flow.mark != 0) put(message, RTA_MARK, flow.mark);
  put(message, RTA_UID, flow.uid);
  if (flow.ip_proto != 0) put(message, RTA_IP_PROTO, flow.ip_proto);
  if (flow.flowlabel != 0) put(message, rta_flowlabel, swap_network(flow.flowlabel));
  if (flow.sport != 0) put(message, RTA_SPORT, network_order(flow.sport));
  if (flow.dport != 0) put(message, RTA_DPORT, network_order(flow.dport));
  return message->nlmsg_len;
}

/// Asks all of `flows`; heard(position, errnum, message) for each, false when it is malformed.
template <class Heard>
Result<void> ask_all(NetlinkSocket& socket, std::span<const Flow> flows, std::uint32_t flags,
                     Heard&& heard) {
  std::vector<std::uint8_t> room(at_once * question_room);
  for (std::size_t begin = 0; begin < flows.size(); begin += at_once) {
    const auto some = flows.subspan(begin, std::min(at_once, flows.size() - begin));
    const std::uint32_t first = socket.take_sequence(some.size());
    std::size_t used = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      // IPv6 always names the table, and refuses to be asked for it.
      const std::uint32_t here = some[i].dst.is_v4() ? flags | RTM_F_LOOKUP_TABLE : flags;
      used += encode(some[i], here, first + static_cast<std::uint32_t>(i), room.data() + used);
    }
    auto asked =
        socket.ask_batch(Bytes(room).first(used), first, some.size(),
                         [&](std::size_t position, int errnum, const NetlinkMessage& message) {
                           return heard(begin + position, errnum, message);
                         });
    if (!asked) return asked;
  }
  return {};
}

bool decode_answer(const NetlinkMessage& message, Answer& answer) {
  rtmsg header{};
  Bytes attributes;
  if (message.type != RTM_NEWROUTE || !message.split(header, attributes)) return false;
  answer.type = static_cast<RouteType>(header.rtm_type);
  answer.table.value = header.rtm_table;
  const bool v6 = family_of(header.rtm_family) == Family::v6;
  bool sound = true;
  sound &= each_attribute(attributes, [&](std::uint16_t type, Bytes data) {
    switch (type) {
      case RTA_TABLE:
        sound &= take(data, answer.table.value);
        break;
      case RTA_OIF:
        sound &= take(data, answer.link.value);
        break;
      case RTA_GATEWAY:
        sound &= take_ip(data, answer.gateway);
        break;
      case RTA_VIA:
        sound &= take_via(data, answer.gateway);
        break;
      case RTA_PREFSRC:
        sound &= take_ip(data, answer.source);
        break;
      case RTA_PRIORITY:
        if (v6) sound &= take(data, answer.metric.emplace());
        break;
      default:
        break;
    }
  });
  return sound;
}

}  // namespace

Result<std::vector<Answer>> ask_kernel(NetlinkSocket& socket, std::span<const Flow> flows) {
  std::vector<Answer> answers(flows.size());
  const auto heard = [&](std::size_t position, int errnum, const NetlinkMessage& message) {
    answers[position].errnum = errnum;
    return errnum != 0 || decode_answer(message, answers[position]);
  };
  if (auto asked = ask_all(socket, flows, 0, heard); !asked) return fail(asked.error());
  return answers;
}

Result<std::vector<std::optional<Route>>> match_in_kernel(NetlinkSocket& socket,
                                                          std::span<const Flow> flows) {
  std::vector<std::optional<Route>> matches(flows.size());
  std::vector<Route> routes;
  const auto heard = [&](std::size_t position, int errnum, const NetlinkMessage& message) {
    if (errnum != 0) return true;
    routes.clear();
    if (!decode_route(message, routes) || routes.size() != 1) return false;
    matches[position] = std::move(routes.front());
    return true;
  };
  if (auto asked = ask_all(socket, flows, RTM_F_FIB_MATCH, heard); !asked) {
    return fail(asked.error());
  }
  return matches;
}

}  // namespace retour
