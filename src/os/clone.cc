// SPDX-License-Identifier: Apache-2.0
#include "os/clone.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/clone_parts.h"
#include "os/netns.h"

namespace retour {
namespace {

void build(const CloneSite& site) {
  for (const Link& link : site.host.links) {
    if (link.kind == "vrf") {
      site.decline("link " + link.name, "a VRF; its members and its table are not bound to it");
    }
  }
  if (site.host.address_labels) site.decline("address labels", "not cloned");
  clone_links(site);
  raise_links(site);
  clone_addresses(site);
  settle_links(site);
  clone_neighbors(site);
  clone_routes(site);
  lower_links(site);
  clone_hidden(site);
  clone_rules(site);
}

}  // namespace

void CloneMessages::flush() {
  const std::size_t count = batch_.count();
  if (count == 0) return;
  const auto answers = socket_.send_batch(batch_.bytes(), first_, count);
  batch_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    std::string& outcome = outcomes_.emplace_back();
    if (!answers) {
      outcome = answers.error().why;
    } else if (!(*answers)[i].arrived) {
      outcome = "the kernel's answer was lost";
    } else if (const Acknowledgement& answer = (*answers)[i]; answer.errnum != 0) {
      outcome = answer.text.empty() ? std::strerror(answer.errnum) : answer.text;
    }
  }
}

std::vector<std::string> CloneMessages::finish() {
  flush();
  return std::exchange(outcomes_, {});
}

Result<HostClone> HostClone::make(const Snapshot& host) {
  const auto inside = InsideNetns::enter_new();
  if (!inside) return fail(inside.error());
  auto kernel = NetlinkKernel::open();
  if (!kernel) return fail(std::move(kernel.error()));
  auto socket = NetlinkSocket::open();
  if (!socket) return fail(std::move(socket.error()));
  HostClone clone(std::move(*kernel));
  build({host, *socket, *clone.kernel_, clone.declined_});
  return clone;
}

}  // namespace retour
