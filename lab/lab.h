// SPDX-License-Identifier: Apache-2.0
//
// The real case in network namespaces: two hosts with a management NIC and several fast NICs in
// one subnet, on a switch. Built with iproute2, not with our own netlink writer: a bug of ours
// cannot hide in both the patient and the cure. Nothing appears in the caller's own namespace.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace retour {

struct LabOptions {
  std::string name{"retour"};  ///< prefix of the namespaces: letters, digits, '-', '_', at most 32
  int nics{8};                 ///< fast NICs of a and b, 1 … 64
  bool rails{false};           ///< NIC k of a and NIC k of b on switch k, not all on one
  /// "net.ipv4.conf.all.arp_filter" = "1" for every host; "b:net.ipv4.…" for one. Applied after
  /// the gates of the article, keys of a device as soon as there is the device.
  std::vector<std::pair<std::string, std::string>> sysctls{};
  bool gates_of_article{true};  ///< conf.all.rp_filter = 1 and conf.all.arp_ignore = 1
  bool single_nic_peer{false};  ///< a third host p with one fast NIC (rails: on the first switch)
  bool ipv6{false};             ///< off keeps the wire silent but for what is asked of it
};

/// Every net.ipv4.conf value of a host starts as the kernel's own default, whatever the machine
/// has; the gates are set in `all` only, so a device's effective value is that of `all`.
struct LabHost {
  std::string netns;
  std::vector<std::string> nics;  ///< fast ones; metrics 105, 106, …
  std::vector<Ip> addresses;      ///< of the NICs, all in 29.28.192.0/20
  std::string management;         ///< NIC of the default route; empty: none
};

struct Lab {
  LabOptions options;
  LabHost a, b;
  std::optional<LabHost> p;
};

/// Namespaces NAME-a, NAME-b, NAME-net (the switch) and NAME-p; packets flow when it returns.
/// Leaves nothing behind when it fails. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
[[nodiscard]] Result<Lab> lab_up(const LabOptions& options);

/// Removes what lab_up() of that name made, wherever it was interrupted. No lab: nothing to do.
/// Namespaces of such names that no lab made are an error and stay.
[[nodiscard]] Result<void> lab_down(const std::string& name);

/// The lab of that name as it was built; not_found if there is none or a part of it is gone.
[[nodiscard]] Result<Lab> lab_find(const std::string& name);

/// A lab that goes when its scope does.
class LabGuard {
 public:
  [[nodiscard]] static Result<LabGuard> up(const LabOptions& options);
  LabGuard(LabGuard&& other) noexcept : lab_(std::exchange(other.lab_, std::nullopt)) {}
  LabGuard& operator=(LabGuard&&) = delete;
  ~LabGuard();

  [[nodiscard]] const Lab& operator*() const { return *lab_; }
  [[nodiscard]] const Lab* operator->() const { return &*lab_; }

 private:
  explicit LabGuard(Lab lab) : lab_(std::move(lab)) {}
  std::optional<Lab> lab_;
};

}  // namespace retour
