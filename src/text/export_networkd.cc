// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plan/numbers.h"
#include "plan/words.h"
#include "text/export.h"
#include "text/export_networkd_sections.h"
#include "text/export_parts.h"
#include "text/import_words.h"

namespace retour {

namespace {

using native_text::mark;

constexpr std::string_view format = "networkd";

/// The NIC by its MAC, which outlives its name; by its name too where the MAC is not its alone.
std::string match(const Native& all, const Link& link) {
  const auto same = std::ranges::count(all.host.links, link.mac, &Link::mac);
  const bool zero = std::ranges::all_of(link.mac, [](std::uint8_t byte) { return byte == 0; });
  std::string text = "[Match]\n";
  // networkd takes MACs of 6 bytes, and of 20 for InfiniBand.
  if (!zero) text += fmt::format("MACAddress={}\n", mac_text(link.mac));
  if (zero || same != 1) text += fmt::format("Name={}\n", link.name);
  return text;
}

bool by_dhcp(const NativeLink& link, Family family) {
  return std::ranges::any_of(link.addresses, [&](const Address& address) {
    return address.local.family() == family && (address.flags & 0x80U) == 0;  // IFA_F_PERMANENT
  });
}

std::string address_section(const Address& address) {
  if (address.peer) {
    return fmt::format("\n[Address]\nAddress={}\nPeer={}/{}\n", address.local.address.str(),
                       address.peer->str(), address.local.length);
  }
  std::string text = fmt::format("\n[Address]\nAddress={}/{}\n", address.local.address.str(),
                                 address.local.length);
  if (address.metric != 0) text += fmt::format("RouteMetric={}\n", address.metric);
  return text;
}

/// A file that makes the NIC what it is now, for one that networkd has none for.
Result<std::string> whole_file(const Native& all, const NativeLink& link, Export& out) {
  std::string text = mark(format) + match(all, link.link);
  if (link.link.mtu != 0 && link.link.mtu != 1500) {
    text += fmt::format("\n[Link]\nMTUBytes={}\n", link.link.mtu);
  }
  text += "\n[Network]\n";
  if (by_dhcp(link, Family::v4)) {
    text += "DHCP=ipv4\n";
    out.notes.push_back(
        fmt::format("{} has its address from DHCP: the rules hold as long as it keeps that address",
                    link.link.name));
  }
  for (const Address& address : link.addresses) {
    if ((address.flags & 0x80U) != 0) text += address_section(address);
  }
  for (const Route& route : link.main) {
    const auto section = networkd_text::route_section(all.host, route, route.protocol);
    if (!section) return native_text::no_word(format, section.error());
    text += *section;
  }
  return text;
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

bool serves_others(const NetworkFiles& in_use, const NetworkFiles::value_type& used) {
  return std::ranges::any_of(in_use, [&](const auto& each) {
    return each.first != used.first && each.second == used.second;
  });
}

}  // namespace

Result<Export> export_networkd(const Native& all, const NetworkFiles& in_use) {
  if (auto fine = native_text::check_names(format, all); !fine) return fail(fine.error());
  Export out;
  std::vector<std::string> own;
  for (const NativeLink& link : all.links) {
    auto sections = networkd_text::sections(all.host, link.routes, link.rules);
    if (!sections) return native_text::no_word(format, sections.error());
    if (sections->empty()) continue;
    const auto used = in_use.find(link.link.index);
    // A drop-in for a file that several NICs use would give the routes of one to all of them.
    if (used == in_use.end() || serves_others(in_use, *used)) {
      const auto whole = whole_file(all, link, out);
      if (!whole) return fail(whole.error());
      if (used == in_use.end()) {
        own.push_back(link.link.name);
      } else {
        out.notes.push_back(
            fmt::format("{} is the file of several NICs: {} gets one of its own, "
                        "with the addresses of now; carry over what else it needs",
                        used->second, link.link.name));
      }
      out.files.push_back(
          {fmt::format("/etc/systemd/network/05-{}.network", table_name(link.link.name)), 0644,
           *whole + *sections});
      continue;
    }
    out.files.push_back(
        {fmt::format("/etc/systemd/network/{}.d/retour.conf", file_name(used->second)), 0644,
         mark(format) + *sections});
  }
  native_text::add_sysctls(format, all, out);
  native_text::add_notes(all, out);
  if (!own.empty()) {
    out.notes.push_back(fmt::format(
        "systemd-networkd is not known to have a file for {}: the files here are complete, with "
        "the addresses of now, come before others for the same NIC, and give these NICs to it",
        fmt::join(own, ", ")));
  }
  out.notes.emplace_back("networkctl reload takes it up, and networkctl reconfigure of each NIC");
  return out;
}

}  // namespace retour
