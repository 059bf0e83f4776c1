// SPDX-License-Identifier: Apache-2.0
//
// The running kernel of one network namespace, by netlink and /proc/sys.
#pragma once

#include <memory>
#include <string>

#include "os/conf_file.h"
#include "os/kernel_encode.h"
#include "os/link_drivers.h"
#include "os/netlink.h"
#include "os/table_names_file_reader.h"
#include "port/kernel.h"

namespace retour {

class NetlinkKernel final : public Kernel {
 public:
  /// Of the namespace the caller is in now; it may leave afterwards. Reading needs no privilege.
  /// `etc_iproute2` is where that namespace has its table names.
  [[nodiscard]] static Result<std::unique_ptr<NetlinkKernel>> open(
      std::string etc_iproute2 = "/etc/iproute2");

  /// Subscribes, dumps everything, and asks whether anything happened meanwhile; then once more,
  /// ten times at most. Sysctls of links come with the links, those of `all` from /proc/sys.
  [[nodiscard]] Result<Snapshot> snapshot() override;

  /// Needs CAP_NET_ADMIN. Consecutive rules and routes travel in one message batch; a sysctl is
  /// written in its turn. Up to `exclusive_rules` new rules in one call are refused if they are
  /// there already (EEXIST); beyond that the kernel's comparison of each with all costs the square,
  /// and a rule that another added meanwhile would be there twice.
  [[nodiscard]] std::vector<std::optional<Error>> apply(std::span<const Change> changes) override;
  static constexpr std::size_t exclusive_rules = 512;

  [[nodiscard]] Result<std::vector<Answer>> ask(std::span<const Flow> flows) override;

 private:
  NetlinkKernel(NetlinkSocket requests, NetlinkSocket events, std::string etc_iproute2);

  enum class Stillness : std::uint8_t { still, moved };
  [[nodiscard]] Result<Snapshot> read_until_still();
  [[nodiscard]] Result<Stillness> read_once(Snapshot& into);
  void read_conf(Snapshot& into);
  void read_rest(Snapshot& into);

  struct Flight;
  void flush(Flight& flight, std::span<const Change> changes,
             std::vector<std::optional<Error>>& results);
  [[nodiscard]] Result<void> write_conf(const SetConf& change);
  [[nodiscard]] Error explain(const Change& change, Error error);

  NetlinkSocket requests_;
  NetlinkSocket events_;
  ConfDirectory conf_;
  LinkDrivers drivers_;
  TableNamesReader names_;
  /// Links by name for the errors of one apply(); read when the first error comes.
  std::optional<Snapshot> link_names_;
  /// Sizes of the last snapshot: room for the next.
  std::size_t links_{16}, addresses_{32}, neighbors_{32}, routes_{128}, rules_{32};
};

}  // namespace retour
