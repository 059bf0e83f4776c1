// SPDX-License-Identifier: Apache-2.0
//
// IPv6 on the wire of a test's namespace: frames that a neighbour would send, and what is heard of
// the answers. Written out by hand: nothing here is shared with what is tested.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/flow.h"
#include "model/ndisc.h"
#include "os/fd.h"
#include "scenario/kernel_host.h"

namespace retour::wire6 {

struct Connected {
  int errnum{};
  Ip source{};
};

/// connect() of a datagram socket, bound to an address and a device if they are given, and what
/// address it then has.
[[nodiscard]] Connected connect_udp(const kernel_test::KernelHost& host, const Ip& dst,
                                    const Ip& src = {}, const std::string& device = {});
/// One datagram of a socket bound to `src`.
void send_udp(const kernel_test::KernelHost& host, const Ip& src, const Ip& dst);

/// The far end of a link: speaks and hears raw frames.
class Wire6 {
 public:
  Wire6(const kernel_test::KernelHost& host, const std::string& link);

  /// Sends them all; whom the advertisement for each is from, nothing where none came.
  [[nodiscard]] std::vector<std::optional<Ip>> solicit(
      const std::vector<NeighborSolicitation>& solicitations);
  /// Whom the solicitation for `target` that came here is from.
  [[nodiscard]] std::optional<Ip> solicited(const Ip& target);
  /// A datagram to `mac` for each flow, its position as source port.
  void send(const std::vector<Flow>& flows, const std::vector<std::uint8_t>& mac);
  /// The source ports of the datagrams that came here.
  [[nodiscard]] std::vector<std::uint16_t> heard();

 private:
  struct Frame {
    Ip src{};
    Ip dst{};
    std::uint8_t protocol{};
    std::vector<std::uint8_t> payload;
  };
  void transmit(const std::vector<std::uint8_t>& to, const Frame& frame, std::uint8_t hops) const;
  /// Until nothing came for a while.
  [[nodiscard]] std::vector<Frame> receive();

  Fd socket_;
  int index_{};
  std::vector<std::uint8_t> mac_;
};

}  // namespace retour::wire6
