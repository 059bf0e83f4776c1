// SPDX-License-Identifier: Apache-2.0
#include "text/query_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "text/import_words.h"
#include "text/printable.h"

namespace retour {

namespace {

enum class Key : std::uint8_t {
  tos,
  from,
  iif,
  mark,
  oif,
  notify,
  connected,
  vrf,
  uid,
  fibmatch,
  as,
  sport,
  dport,
  ip_proto,
  flowlabel,
  to,
};

struct Keyword {
  std::string_view word;
  bool whole;  ///< may not be shortened
  Key key;
};

// In the order of iproute_get(): the first that a shortened word fits is meant.
constexpr std::array<Keyword, 18> keywords{{{"tos", true, Key::tos},
                                            {"dsfield", false, Key::tos},
                                            {"from", false, Key::from},
                                            {"iif", false, Key::iif},
                                            {"mark", false, Key::mark},
                                            {"oif", false, Key::oif},
                                            {"dev", true, Key::oif},
                                            {"notify", false, Key::notify},
                                            {"connected", false, Key::connected},
                                            {"vrf", false, Key::vrf},
                                            {"uid", false, Key::uid},
                                            {"fibmatch", false, Key::fibmatch},
                                            {"as", true, Key::as},
                                            {"sport", false, Key::sport},
                                            {"dport", false, Key::dport},
                                            {"ipproto", false, Key::ip_proto},
                                            {"flowlabel", true, Key::flowlabel},
                                            {"to", true, Key::to}}};

const Keyword* keyword(std::string_view word) {
  if (word.empty()) return nullptr;
  for (const Keyword& known : keywords) {
    if (known.whole ? known.word == word : known.word.starts_with(word)) return &known;
  }
  return nullptr;
}

/// strtoul() of the whole word, without its signs and blanks. `base` 0: 0x and 0 say it.
std::optional<std::uint32_t> number(std::string_view text, int base, std::uint32_t max) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex && base != 10) {
    text.remove_prefix(2);
    base = 16;
  } else if (base == 0) {
    base = text.starts_with('0') ? 8 : 10;
  }
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc{} || stop != end || value > max) return std::nullopt;
  return value;
}

/// A word of the message, not the message: a question can be anything, of any length.
std::string quoted(std::string_view word) {
  constexpr std::size_t longest = 40;
  if (word.empty()) return "\"\"";
  if (word.size() <= longest) return printable(word);
  return printable(word.substr(0, longest)) + "…";
}

std::string_view family_name(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }

std::string some_links(const Snapshot& host) {
  constexpr std::size_t shown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, host.links.size()); ++i) {
    text += (i == 0 ? "" : ", ") + printable(host.links[i].name);
  }
  if (host.links.size() > shown) text += fmt::format(" and {} more", host.links.size() - shown);
  return text.empty() ? "this host has none" : "this host has " + text;
}

class Reader {
 public:
  Reader(std::span<const std::string_view> words, const Snapshot& host)
      : words_(words), host_(host) {}

  Result<Query> read(std::uint32_t uid) {
    query_.flow.uid = uid;
    while (at_ < words_.size() && !error_) item();
    if (!error_ && !said(Key::to)) {
      fail("explain", "no destination is named", std::string(query_grammar));
    }
    Flow& flow = query_.flow;
    if (!error_ && said(Key::flowlabel) && flow.dst.is_v4()) {
      fail("flowlabel", "IPv4 packets have none", {});
    }
    if (error_) return retour::fail(std::move(*error_));
    if (!query_.protocol_said) flow.ip_proto = flow.dst.is_v4() ? proto_udp : std::uint8_t{0};
    // A source that is not said is of the family of the destination.
    if (flow.src.is_unspecified()) flow.src = Ip(flow.dst.family(), 0);
    return query_;
  }

 private:
  [[nodiscard]] bool said(Key key) const {
    return (said_ & (1U << static_cast<unsigned>(key))) != 0;
  }

  void fail(std::string doing, std::string why, std::string hint) {
    if (!error_)
      error_ = Error{ErrorKind::usage, 0, std::move(doing), std::move(why), std::move(hint)};
  }

  void item() {
    const std::string_view word = words_[at_++];
    const Keyword* known = keyword(word);
    if (known == nullptr) return destination("to", word, false);
    if (said(known->key)) return fail(std::string(known->word), "said twice", {});
    switch (known->key) {
      case Key::notify:
      case Key::fibmatch:  // the explanation names the route anyhow
        return say(known->key);
      case Key::connected:
        query_.connected = true;
        return say(known->key);
      default:
        break;
    }
    if (at_ == words_.size())
      return fail(std::string(known->word), "nothing follows it", expected(known->key));
    value(*known, words_[at_++]);
  }

  void say(Key key) { said_ |= 1U << static_cast<unsigned>(key); }

  void value(const Keyword& known, std::string_view word) {
    Flow& flow = query_.flow;
    switch (known.key) {
      case Key::to:
        return destination(known.word, word, true);
      case Key::from:
        say(known.key);
        // `ip` has words for "none".
        if (word == "any" || word == "all" || word == "default") return;
        if (const auto ip = address(known.word, word)) flow.src = *ip;
        return;
      case Key::iif:
        return link(known, word, flow.iif);
      case Key::oif:
        return link(known, word, flow.oif);
      case Key::mark:
        return store(known, word, number(word, 0, ~0U), flow.mark);
      case Key::uid:
        return store(known, word, number(word, 0, ~0U), flow.uid);
      case Key::sport:
        return store(known, word, number(word, 0, 0xffff), flow.sport);
      case Key::dport:
        return store(known, word, number(word, 0, 0xffff), flow.dport);
      case Key::flowlabel:
        return store(known, word, number(word, 0, 0xfffff), flow.flowlabel);
      case Key::tos: {
        const auto named = value_of(dsfield_words(), word);
        return store(known, word, named ? named : number(word, 16, 0xff), flow.tos);
      }
      case Key::ip_proto:
        query_.protocol_said = true;
        return store(known, word, protocol(word), flow.ip_proto);
      default:
        return fail(fmt::format("{} {}", known.word, quoted(word)), "not modelled",
                    "leave it out, or name the device: oif DEV");
    }
  }

  static std::optional<std::uint32_t> protocol(std::string_view word) {
    if (const auto value = number(word, word.starts_with("0x") ? 16 : 10, 0xff)) return value;
    // /etc/protocols has the same names in capitals.
    std::string lower(word.substr(0, 16));
    std::ranges::transform(lower, lower.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    if (lower == "icmpv6" || lower == "icmp6") lower = "ipv6-icmp";
    return value_of(ip_protocol_words(), lower);
  }

  static std::string expected(Key key) {
    switch (key) {
      case Key::to:
      case Key::from:
        return "expected an address";
      case Key::iif:
      case Key::oif:
      case Key::vrf:
        return "expected the name of a device";
      case Key::sport:
      case Key::dport:
        return "expected a port, 0 to 65535";
      case Key::tos:
        return "expected a hexadecimal number, 0 to ff, or a name: CS1, AF11, EF, …";
      case Key::ip_proto:
        return "expected a protocol, 0 to 255, or a name: tcp, udp, icmp, …";
      case Key::flowlabel:
        return "expected a number, 0 to 0xfffff";
      default:
        return "expected a number, 0 to 4294967295, or 0x…";
    }
  }

  template <class T>
  void store(const Keyword& known, std::string_view word, std::optional<std::uint32_t> value,
             T& into) {
    say(known.key);
    if (!value) {
      return fail(fmt::format("{} {}", known.word, quoted(word)), "not understood",
                  expected(known.key));
    }
    into = static_cast<T>(*value);
  }

  void link(const Keyword& known, std::string_view word, std::optional<IfIndex>& into) {
    say(known.key);
    const Link* found = host_.link(word);
    if (found == nullptr) {
      return fail(fmt::format("{} {}", known.word, quoted(word)), "no such device",
                  some_links(host_));
    }
    into = found->index;
  }

  void destination(std::string_view label, std::string_view word, bool keyword_said) {
    const bool like_an_address = word.find_first_of(":.") != std::string_view::npos ||
                                 word.find_first_not_of("0123456789/") == std::string_view::npos;
    if (!keyword_said && !like_an_address) {
      return fail(quoted(word), "neither a keyword nor an address", std::string(query_grammar));
    }
    if (said(Key::to)) {
      return fail(quoted(word), "a second destination", std::string(query_grammar));
    }
    say(Key::to);
    if (const auto ip = address(label, word)) query_.flow.dst = *ip;
  }

  std::optional<Ip> address(std::string_view label, std::string_view word) {
    const auto what = [&] { return fmt::format("{} {}", label, quoted(word)); };
    auto ip = Ip::parse(word);
    if (!ip) {
      // Of a prefix only the whole length makes one address.
      const auto prefix = Prefix::parse(word);
      if (prefix && prefix->length == width(prefix->family())) ip = prefix->address;
      if (prefix && !ip) {
        fail(what(), "a prefix, where one packet has one address", "name one address of it");
        return std::nullopt;
      }
    }
    if (!ip) {
      fail(what(), "not an IP address", "for example 10.0.0.1 or fd00::1");
      return std::nullopt;
    }
    if (first_ && first_->family() != ip->family()) {
      fail(what(),
           fmt::format("{}, but {} is {}", family_name(ip->family()), first_->str(),
                       family_name(first_->family())),
           "source and destination are of one family");
      return std::nullopt;
    }
    first_ = *ip;
    return ip;
  }

  std::span<const std::string_view> words_;
  const Snapshot& host_;
  std::size_t at_{};
  std::uint32_t said_{};
  std::optional<Ip> first_;  ///< the address that settled the family
  Query query_;
  std::optional<Error> error_;
};

}  // namespace

Result<Query> read_query(std::span<const std::string_view> words, const Snapshot& host,
                         std::uint32_t uid) {
  return Reader(words, host).read(uid);
}

void split_query(std::string_view line, std::vector<std::string_view>& words) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  words.clear();
  for (std::size_t at = 0; at < line.size();) {
    if (blank(line[at])) {
      ++at;
      continue;
    }
    if (line[at] == '#') return;
    std::size_t end = at;
    while (end < line.size() && !blank(line[end])) ++end;
    words.push_back(line.substr(at, end - at));
    at = end;
  }
}

}  // namespace retour
