// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "plan/describe.h"
#include "text/export.h"
#include "text/export_parts.h"

namespace retour {

namespace {

constexpr std::string_view format = "ifupdown";
constexpr std::uint8_t protocol_static = 4;

constexpr std::string_view functions = R"sh(
# ifup runs this once for each family that the NIC has a stanza of.
meant() {
  case $1$ADDRFAM in
    -4inet6 | -6inet) return 1 ;;
  esac
}
# Added unless it is there.
rule() {
  meant "$1" || return 0
  said=$(LC_ALL=C ip "$@" 2>&1) && return 0
  case $said in
    *'File exists'*) return 0 ;;
  esac
  echo "retour: ip $*: $said" >&2
  failed=1
}
route() {
  meant "$1" || return 0
  ip "$@" || failed=1
}
gate() {
  [ "$(cat "/proc/sys/net/ipv4/conf/$IFACE/$1")" = "$2" ] ||
    echo "$2" >"/proc/sys/net/ipv4/conf/$IFACE/$1" || failed=1
}
)sh";

std::string arguments(const Change& change, const Snapshot& host) {
  const std::string text = ip_command(change, host);
  return text.starts_with("-6 ") ? text : "-4 " + text;
}

std::string up_lines(const Native& all, const NativeLink& link) {
  std::string lines;
  for (const NativeConf& each : link.confs) {
    lines += fmt::format("    gate {} {}\n", info(each.conf).name, each.value);
  }
  for (Route route : link.routes) {
    route.protocol = protocol_static;
    std::string text = arguments({AddRoute{route}, ""}, all.host);
    text.replace(text.find("route add"), 9, "route replace");
    lines += fmt::format("    route {}\n", text);
  }
  for (Rule rule : link.rules) {
    rule.protocol = protocol_static;
    lines += fmt::format("    rule {}\n", arguments({AddRule{rule}, ""}, all.host));
  }
  return lines;
}

/// Rules of this NIC alone; those of several stay, and lead nowhere but where main does.
std::string down_lines(const Native& all, const NativeLink& link) {
  std::string lines;
  for (Rule rule : link.rules) {
    std::size_t users = 0;
    for (const NativeLink& other : all.links) {
      for (const Rule& each : other.rules) users += each == rule ? 1U : 0U;
    }
    if (users != 1) continue;
    rule.protocol = protocol_static;
    lines += fmt::format("    ip {} 2>/dev/null\n", arguments({DeleteRule{rule}, ""}, all.host));
  }
  return lines;
}

std::string script(std::string_view what, std::string_view helpers,
                   const std::map<std::string, std::string>& lines) {
  std::string text =
      fmt::format("#!/bin/sh\n{}# {}\n{}\n", native_text::mark(format), what, helpers);
  text += "failed=0\ncase $IFACE in\n";
  for (const auto& [link, body] : lines) text += fmt::format("  {})\n{}    ;;\n", link, body);
  text += "esac\nexit $failed\n";
  return text;
}

}  // namespace

Result<Export> export_ifupdown(const Native& all) {
  if (auto fine = native_text::check_names(format, all); !fine) return fail(fine.error());
  std::map<std::string, std::string> up;
  std::map<std::string, std::string> down;
  for (const NativeLink& link : all.links) {
    up[link.link.name] = up_lines(all, link);
    if (up[link.link.name].find(" # not said: ") != std::string::npos) {
      return native_text::no_word(format, "an attribute of a rule or route of this plan");
    }
    if (auto lines = down_lines(all, link); !lines.empty()) down[link.link.name] = lines;
  }
  Export out;
  out.files.push_back({"/etc/network/if-up.d/retour", 0755,
                       script("ifup runs it when a NIC is up.", functions, up)});
  out.files.push_back(
      {"/etc/network/if-down.d/retour", 0755,
       script("ifdown runs it before a NIC goes down; its routes go with it.", "", down)});
  native_text::add_notes(all, out);
  out.notes.emplace_back("ifup runs them for NICs of /etc/network/interfaces, and for no other");
  return out;
}

}  // namespace retour
