// SPDX-License-Identifier: Apache-2.0
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "os/kernel_decode.h"
#include "os/kernel_netlink.h"
#include "plan/describe.h"

namespace retour {
namespace {

// So that every acknowledgement of a batch fits the receive queue, and the batch the send queue.
constexpr std::size_t batch_messages = 1000;
constexpr std::size_t batch_bytes = std::size_t{100} * 1024;

std::size_t bound_of(const Change& change) {
  return std::visit(
      [](const auto& operation) -> std::size_t {
        if constexpr (requires { operation.route; }) {
          return encoded_bound(operation.route);
        } else if constexpr (requires { operation.rule; }) {
          return encoded_bound(operation.rule);
        } else {
          return 0;
        }
      },
      change.operation);
}

void encode(const Change& change, std::uint32_t sequence, Exclusive exclusive,
            MessageBatch& batch) {
  const auto& operation = change.operation;
  if (const auto* add_route = std::get_if<AddRoute>(&operation)) {
    batch.add_route(add_route->route, sequence);
  } else if (const auto* delete_route = std::get_if<DeleteRoute>(&operation)) {
    batch.delete_route(delete_route->route, sequence);
  } else if (const auto* add_rule = std::get_if<AddRule>(&operation)) {
    batch.add_rule(add_rule->rule, sequence, exclusive);
  } else if (const auto* delete_rule = std::get_if<DeleteRule>(&operation)) {
    batch.delete_rule(delete_rule->rule, sequence);
  }
}

std::string hint_for(int errnum) {
  switch (errnum) {
    case EEXIST:
      return "it is there already, put there by someone else or a moment ago: look again before "
             "changing anything";
    case ENETDOWN:
      return "the link is down: `ip link set DEV up` first";
    case ESRCH:
    case ENOENT:
      return "it is gone already: look again before changing anything";
    default:
      return {};
  }
}

}  // namespace

/// Messages on their way, and which changes they are.
struct NetlinkKernel::Flight {
  MessageBatch batch;
  std::uint32_t first{};
  std::size_t from{};  ///< the change the first message is; the others follow in a row
};

std::vector<std::optional<Error>> NetlinkKernel::apply(std::span<const Change> changes) {
  std::vector<std::optional<Error>> results(changes.size());
  const auto new_rules = std::ranges::count_if(changes, [](const Change& change) {
    return std::holds_alternative<AddRule>(change.operation);
  });
  const auto exclusive =
      static_cast<std::size_t>(new_rules) <= exclusive_rules ? Exclusive::yes : Exclusive::no;
  link_names_.reset();
  Flight flight;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::size_t bound = bound_of(changes[i]);
    const auto* conf = std::get_if<SetConf>(&changes[i].operation);
    if (conf != nullptr || bound > encoded_limit || flight.batch.count() == batch_messages ||
        flight.batch.bytes().size() + bound > batch_bytes) {
      flush(flight, changes, results);
    }
    if (conf != nullptr) {
      if (auto written = write_conf(*conf); !written) {
        results[i] = explain(changes[i], written.error());
      }
    } else if (bound > encoded_limit) {
      results[i] = explain(
          changes[i], {ErrorKind::system, EMSGSIZE, "", "larger than a netlink message can be"});
    } else {
      if (flight.batch.count() == 0) flight.from = i;
      const std::uint32_t sequence = requests_.take_sequence(1);
      if (flight.batch.count() == 0) flight.first = sequence;
      encode(changes[i], sequence, exclusive, flight.batch);
    }
  }
  flush(flight, changes, results);
  return results;
}

void NetlinkKernel::flush(Flight& flight, std::span<const Change> changes,
                          std::vector<std::optional<Error>>& results) {
  const std::size_t count = flight.batch.count();
  if (count == 0) return;
  const auto answers = requests_.send_batch(flight.batch.bytes(), flight.first, count);
  flight.batch.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = flight.from + i;
    if (!answers) {
      results[at] = explain(changes[at], answers.error());
    } else if (!(*answers)[i].arrived) {
      results[at] = explain(changes[at], {ErrorKind::system, ENOBUFS, "",
                                          "the kernel's answer was lost: whether it was done is "
                                          "not known"});
    } else if (const auto& answer = (*answers)[i]; answer.errnum != 0) {
      results[at] = explain(changes[at], netlink_error("", answer.errnum, answer.text));
    }
  }
}

Result<void> NetlinkKernel::write_conf(const SetConf& change) {
  NetlinkRequest request(RTM_GETLINK, 0);
  request.extra<ifinfomsg>().ifi_index = static_cast<int>(change.link.value);
  std::vector<Link> links;
  auto asked = requests_.ask(
      request, "", [&](const NetlinkMessage& message) { return decode_link(message, links); });
  if (!asked) return asked;
  // A name can pass from one NIC to another between the plan and its execution.
  if (links.size() != 1 || links.front().name != change.link_name) {
    return fail({ErrorKind::changed, ENODEV, "", "the link has another name by now",
                 "look again before changing anything"});
  }
  return conf_.write(change.link_name, change.conf, change.after);
}

Error NetlinkKernel::explain(const Change& change, Error error) {
  if (!link_names_) {
    auto& links = link_names_.emplace().links;
    NetlinkRequest request(RTM_GETLINK, 0);
    request.extra<ifinfomsg>();
    static_cast<void>(requests_.dump(request, "read links", [&](const NetlinkMessage& message) {
      return decode_link(message, links);
    }));
    std::ranges::sort(links, {}, &Link::index);
  }
  if (!error.doing.empty()) error.why = error.message();  // names the file
  error.doing = describe(change, &*link_names_);
  if (error.hint.empty()) error.hint = hint_for(error.errnum);
  return error;
}

}  // namespace retour
