// SPDX-License-Identifier: Apache-2.0
//
// `ip link` and `ip addr`: links, and the addresses on them.
#include <fmt/format.h>

#include <algorithm>

#include "text/address_words.h"
#include "text/import_parts.h"
#include "text/json_reader.h"

namespace retour {
namespace {

class TextParser {
 public:
  TextParser(const NamedText& from, Notes& notes) : from_(from), notes_(notes) {}
  Result<ImportedLinks> parse();

 private:
  void header(Cursor& in, const Line& line);
  void link_words(Cursor& in, ImportedLink& link);
  void detail(Cursor& in, const Line& line);
  void address(Cursor& in, Family family, std::string_view last);
  bool address_word(Cursor& in, Address& address);

  const NamedText& from_;
  Notes& notes_;
  ImportedLinks out_;
  std::string current_;   ///< the link that the lines are about
  ImportedLink* link_{};  ///< the same, when its header was given
  bool kind_expected_{};  ///< `ip -d`: the next line may begin with the kind
};

Result<ImportedLinks> TextParser::parse() {
  for (const Line& line : split_lines(from_.text)) {
    Cursor in(from_.file, line.words);
    const std::string_view first = line.words.front().text;
    const bool numbered = first.ends_with(':') && first.front() >= '0' && first.front() <= '9';
    if (numbered) {
      header(in, line);
    } else {
      detail(in, line);
    }
    if (in.error()) return fail(*in.error());
  }
  return std::move(out_);
}

// "2: eth0@if3: <UP> mtu …", or "2: eth0    inet …" of `ip -o addr`.
void TextParser::header(Cursor& in, const Line& line) {
  std::string_view text = in.take();
  text.remove_suffix(1);
  const auto index = parse_number(text, 0x7fffffff);
  if (!index || *index == 0) return in.fail(line.words.front().text, "an interface index");
  std::string_view name = in.value("a device name");
  if (in.peek() == "inet" || in.peek() == "inet6") {
    if (!is_link_name(name)) return in.fail(name, "a device name");
    current_ = name;
    link_ = nullptr;
    const IfIndex known{static_cast<std::uint32_t>(*index)};
    if (out_.links.empty() || out_.links.back().link.index != known) {
      ImportedLink link{.link = assumed_link(known, current_),
                        .master = "",
                        .assumed = true,
                        .where = in.where()};
      out_.links.push_back(std::move(link));
    }
    return detail(in, line);
  }
  if (!name.ends_with(':') || name.size() < 2) return in.fail(name, "a device name and a colon");
  name.remove_suffix(1);
  // A name may hold '@' itself; what iproute2 appends holds none.
  const auto at = name.rfind('@');
  if (at != std::string_view::npos && at != 0) name = name.substr(0, at);
  if (!is_link_name(name)) return in.fail(name, "a device name, 1 to 15 bytes without '/'");
  ImportedLink link;
  link.where = in.where();
  link.link.index = IfIndex{static_cast<std::uint32_t>(*index)};
  link.link.name = name;
  link_words(in, link);
  if (in.error()) return;
  current_ = link.link.name;
  out_.links.push_back(std::move(link));
  link_ = &out_.links.back();
  kind_expected_ = false;
}

void TextParser::link_words(Cursor& in, ImportedLink& link) {
  std::string_view flags = in.value("<FLAGS>");
  if (!flags.starts_with('<') || !flags.ends_with('>') || flags.size() < 2) {
    return in.fail(flags, "<FLAGS>");
  }
  flags = flags.substr(1, flags.size() - 2);
  LinkFlags seen;
  while (!flags.empty()) {
    const auto comma = flags.find(',');
    const std::string_view flag = flags.substr(0, comma);
    if (!seen.add(flag)) return in.fail(flag, "flags of a link");
    flags = comma == std::string_view::npos ? std::string_view{} : flags.substr(comma + 1);
  }
  link.link.flags = seen.bits();
  if (!in.take_if("mtu")) {
    return in.fail(in.peek(), "`mtu` (the full output of `ip addr`, not of `ip -br`)");
  }
  link.link.mtu = static_cast<std::uint32_t>(in.number("an MTU", 0xffffffffU));
  while (!in.done()) {
    const std::string_view word = in.take();
    if (word == "master") link.master = in.device();
    if (word == "group") link.link.group = read_group(in.value("a group"), in.where(), notes_);
  }
}

// The indented lines below a header.
void TextParser::detail(Cursor& in, const Line& line) {
  const std::string_view first = in.value("`link/…`, `inet` or `inet6`");
  if (first == "inet" || first == "inet6") {
    return address(in, first == "inet" ? Family::v4 : Family::v6, line.words.back().text);
  }
  if (current_.empty() || line.indent == 0) {
    return in.fail(first, "a line of `ip addr` or `ip link`: INDEX: NAME: <FLAGS> mtu …");
  }
  if (link_ == nullptr) return;
  if (first.starts_with("link/")) {
    if (auto mac = parse_mac(in.peek())) link_->link.mac = std::move(*mac);
    const auto is_detail = [](const Token& token) { return token.text == "promiscuity"; };
    kind_expected_ = std::ranges::any_of(line.words, is_detail);
    return;
  }
  // `ip -s` counts below the details: a NIC without a kind shows none before it.
  if (first == "RX:" || first == "TX:") kind_expected_ = false;
  const bool named = first == "altname" || first == "alias" || first == "vf" ||
                     first == "valid_lft" || first.ends_with(':') || first.ends_with("_slave") ||
                     first.find('/') != std::string_view::npos;
  if (!kind_expected_ || named || line.indent > 4) return;
  link_->link.kind = first;
  kind_expected_ = false;
}

void TextParser::address(Cursor& in, Family family, std::string_view last) {
  kind_expected_ = false;
  ImportedAddress out;
  out.where = in.where();
  out.device = current_;
  Address& address = out.address;
  address.flags = ifa_permanent;
  if (current_.empty()) return in.fail("inet", "a line `INDEX: NAME: …` before its addresses");
  const std::string_view text = in.value("an address with its prefix length");
  const auto local = Prefix::parse(text);
  if (!local || local->family() != family) {
    return in.fail(text, "an address of that family with its prefix length");
  }
  address.local = *local;
  if (in.take_if("peer")) {
    // The length belongs to the peer.
    const std::string_view peer_text = in.value("the peer's address");
    const auto peer = Prefix::parse(peer_text);
    if (!peer || peer->family() != family) return in.fail(peer_text, "the peer's address");
    address.peer = peer->address;
    address.local.length = peer->length;
  }
  bool scope_seen = false;
  while (!in.done()) {
    scope_seen = scope_seen || in.peek() == "scope";
    const bool label =
        family == Family::v4 && in.peek().data() == last.data() && last.starts_with(current_);
    if (label) {
      address.label = in.take();
    } else if (address_word(in, address)) {
      continue;
    } else if (family == Family::v4 && in.peek().data() == last.data()) {
      address.label = in.take();
    } else {
      in.fail(in.peek(), "brd, scope, metric, proto, a flag or the label of the address");
    }
  }
  if (!scope_seen && !in.error()) in.fail("", "`scope`");
  out_.addresses.push_back(std::move(out));
}

bool TextParser::address_word(Cursor& in, Address& address) {
  if (in.take_if("brd") || in.take_if("broadcast")) {
    address.broadcast = in.ip("a broadcast address");
  } else if (in.take_if("any")) {
    notes_.not_represented(in.where(), fmt::format("any {}", in.value("an address")));
  } else if (in.take_if("scope")) {
    address.scope = static_cast<Scope>(in.word(scope_words(), "a scope name or number", 255));
  } else if (in.take_if("metric")) {
    address.metric = static_cast<std::uint32_t>(in.number("a metric", 0xffffffffU));
  } else if (in.take_if("proto")) {
    address.protocol = static_cast<std::uint8_t>(
        in.word(address_protocol_words(), "an address protocol name or number", 255));
  } else if (in.take_if("flags")) {
    // The bits it has no name for: `flags 80` or `flags 0x80`, hexadecimal either way.
    std::string_view bits = in.value("bits");
    if (bits.starts_with("0x")) bits.remove_prefix(2);
    const auto value = parse_number(fmt::format("0x{}", bits), 0xffffffffU);
    if (!value) in.fail(bits, "bits in hexadecimal");
    address.flags |= static_cast<std::uint32_t>(value.value_or(0));
  } else if (in.take_if("valid_lft")) {
    while (!in.done()) in.take();
  } else if (add_address_flag(address, in.peek())) {
    in.take();
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<ImportedLinks> read_links(const NamedText& from, Notes& notes) {
  if (!is_json(from.text)) return TextParser(from, notes).parse();
  auto elements = read_json_arrays(from.text, from.file);
  if (!elements) return fail(std::move(elements.error()));
  ImportedLinks out;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    auto error = read_link_object((*elements)[i], {&from.file, i, true}, notes, out);
    if (error) return fail(std::move(*error));
  }
  return out;
}

}  // namespace retour
