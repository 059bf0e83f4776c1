// SPDX-License-Identifier: Apache-2.0
//
// Messages of rtnetlink dumps as values of the model. Each function appends at most one object:
// what is of no family this program knows is passed over. False: the message is malformed.
#pragma once

#include <vector>

#include "model/objects.h"
#include "model/rule.h"
#include "os/netlink.h"

namespace retour {

[[nodiscard]] bool decode_link(const NetlinkMessage& message, std::vector<Link>& links);
[[nodiscard]] bool decode_address(const NetlinkMessage& message, std::vector<Address>& addresses);
[[nodiscard]] bool decode_group(const NetlinkMessage& message, std::vector<Membership>& groups);
[[nodiscard]] bool decode_neighbor(const NetlinkMessage& message, std::vector<Neighbor>& neighbors);
[[nodiscard]] bool decode_route(const NetlinkMessage& message, std::vector<Route>& routes);
[[nodiscard]] bool decode_rule(const NetlinkMessage& message, std::vector<Rule>& rules);
[[nodiscard]] bool decode_address_label(const NetlinkMessage& message,
                                        std::vector<AddressLabel>& labels);
[[nodiscard]] bool decode_nexthop(const NetlinkMessage& message,
                                  std::vector<NextHopObject>& nexthops);

/// AF_INET and AF_INET6; nothing for another family.
[[nodiscard]] std::optional<Family> family_of(std::uint8_t kernel_family);
[[nodiscard]] std::uint8_t kernel_family(Family family);
/// An address of either family by its size; false when it is neither.
[[nodiscard]] bool take_ip(Bytes data, std::optional<Ip>& out);
/// RTA_VIA: a gateway that names its own family.
[[nodiscard]] bool take_via(Bytes data, std::optional<Ip>& out);

}  // namespace retour
