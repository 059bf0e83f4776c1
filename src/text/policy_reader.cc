// SPDX-License-Identifier: Apache-2.0
#include "text/policy_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <optional>

#include "model/link_choice.h"
#include "text/printable.h"

// Its assertions fail on wrong input that is then reported as such.
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_ASSERT_ASSUME(expression) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace retour {

namespace {

using Keys = std::initializer_list<std::string_view>;

std::string shown(const toml::node& node) {
  if (const auto text = node.value<std::string>(); node.is_string()) return '"' + *text + '"';
  if (const auto number = node.value<std::int64_t>(); node.is_integer()) {
    return std::to_string(*number);
  }
  if (const auto flag = node.value<bool>(); node.is_boolean()) return *flag ? "true" : "false";
  return node.is_array() ? "a list" : node.is_table() ? "a table" : "that";
}

class Reader {
 public:
  explicit Reader(const std::string& source) { out_.source = source; }

  Result<PolicyText> read(const toml::table& file) {
    known(file, "", {"links", "numbers", "fabric", "gates", "apply", "protect", "segments"});
    if (const auto* table = section(file, "links")) links(*table);
    if (const auto* table = section(file, "numbers")) numbers(*table);
    if (const auto* node = file.get("fabric")) fabrics(*node);
    if (const auto* table = section(file, "gates")) gates(*table);
    if (const auto* table = section(file, "apply")) apply(*table);
    if (const auto* node = file.get("protect")) {
      each_text(*node, "protect", [&](const toml::node& at, const std::string& text) {
        if (const auto prefix = prefix_of(at, "protect", text)) {
          out_.policy.protect.push_back(*prefix);
        }
      });
    }
    if (const auto* node = file.get("segments")) segments(*node);
    if (wrong_) return fail(std::move(*wrong_));
    return std::move(out_);
  }

 private:
  /// The first thing that is wrong is told; what follows may be wrong because of it.
  void wrong(const toml::source_region& at, const std::string& key, const std::string& why,
             const std::string& hint) {
    if (wrong_) return;
    wrong_ = Error{ErrorKind::usage, 0,
                   fmt::format("read {}: line {}: {}", out_.source, at.begin.line, printable(key)),
                   printable(why), printable(hint)};
  }
  void wrong(const toml::node& at, const std::string& key, const std::string& hint) {
    wrong(at.source(), key, shown(at) + " is not allowed", hint);
  }

  void known(const toml::table& table, const std::string& path, Keys keys) {
    for (const auto& each : table) {
      const std::string_view key = each.first.str();
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      wrong(each.first.source(), path + std::string(key), "no such key",
            fmt::format("allowed here: {}", fmt::join(keys.begin(), keys.end(), ", ")));
    }
  }

  const toml::table* section(const toml::table& file, const char* key) {
    const toml::node* node = file.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) wrong(*node, key, fmt::format("a table: [{}]", key));
    return node->as_table();
  }

  /// One text or a list of them.
  template <class Take>
  void each_text(const toml::node& node, const std::string& key, Take take) {
    const auto one = [&](const toml::node& each) {
      const auto text = each.value<std::string>();
      if (!each.is_string() || text->empty()) {
        wrong(each, key, "a text in quotes, or a list of such");
      } else {
        take(each, *text);
      }
    };
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& each : *list) one(each);
    } else {
      one(node);
    }
  }

  std::optional<Prefix> prefix_of(const toml::node& at, const std::string& key,
                                  const std::string& text) {
    const auto prefix = Prefix::parse(text);
    if (!prefix || prefix->network() != *prefix) {
      wrong(at, key,
            prefix ? "the network itself: \"" + prefix->network().str() + "\""
                   : "an address or a prefix: \"10.0.0.0/8\", \"fd00::/64\"");
      return std::nullopt;
    }
    return prefix;
  }

  void links(const toml::table& table) {
    known(table, "links.", {"name", "not_name", "driver", "pci", "subnet"});
    const auto patterns = [&](const char* name, std::vector<std::string> LinkChoice::*list) {
      const toml::node* node = table.get(name);
      if (node == nullptr) return;
      const std::string key = std::string("links.") + name;
      each_text(*node, key, [&](const toml::node& at, const std::string& text) {
        (out_.policy.links.*list).push_back(text);
        word(key, text, at).alone.*list = {text};
      });
    };
    patterns("name", &LinkChoice::names);
    patterns("driver", &LinkChoice::drivers);
    patterns("pci", &LinkChoice::buses);
    if (const toml::node* node = table.get("not_name")) {
      each_text(*node, "links.not_name", [&](const toml::node&, const std::string& text) {
        out_.policy.links.not_names.push_back(text);  // may name what is not there
      });
    }
    if (const toml::node* node = table.get("subnet")) {
      each_text(*node, "links.subnet", [&](const toml::node& at, const std::string& text) {
        const auto prefix = prefix_of(at, "links.subnet", text);
        if (!prefix) return;
        out_.policy.links.subnets.push_back(*prefix);
        word("links.subnet", text, at).alone.subnets = {*prefix};
      });
    }
  }

  PolicyText::Word& word(const std::string& key, const std::string& value, const toml::node& at) {
    PolicyText::Word& made = out_.words.emplace_back();
    made.key = key;
    made.value = value;
    made.line = at.source().begin.line;
    return made;
  }

  /// [first, last] within what the kernel leaves to us.
  std::optional<Range<std::uint32_t>> range(const toml::table& table, const char* name,
                                            std::int64_t lowest, std::int64_t highest) {
    const toml::node* node = table.get(name);
    if (node == nullptr) return std::nullopt;
    const std::string key = std::string("numbers.") + name;
    const toml::array* list = node->as_array();
    std::vector<std::int64_t> bounds;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      if ((*list)[i].is_integer()) bounds.push_back(*(*list)[i].value<std::int64_t>());
    }
    const std::string allowed =
        fmt::format("[first, last] with {} <= first <= last <= {}", lowest, highest);
    if (list == nullptr || list->size() != 2 || bounds.size() != 2) {
      wrong(*node, key, allowed);
      return std::nullopt;
    }
    if (bounds[0] < lowest || bounds[1] > highest || bounds[0] > bounds[1]) {
      wrong(node->source(), key, fmt::format("[{}, {}] is impossible", bounds[0], bounds[1]),
            allowed);
      return std::nullopt;
    }
    return Range<std::uint32_t>{static_cast<std::uint32_t>(bounds[0]),
                                static_cast<std::uint32_t>(bounds[1])};
  }

  void numbers(const toml::table& table) {
    known(table, "numbers.", {"tables", "priorities"});
    out_.policy.tables = range(table, "tables", 1, 0xfffffffe);
    out_.policy.priorities = range(table, "priorities", 1, 32765);
    const auto& tables = out_.policy.tables;
    if (tables && tables->first <= 255 && tables->last >= 253) {
      wrong(table.get("tables")->source(), "numbers.tables",
            "the range overlaps 253 to 255, which are default, main and local",
            "end before 253, or start after 255");
    }
  }

  void fabrics(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_homogeneous<toml::table>()) {
      wrong(node, "fabric", "a list of tables: [[fabric]]");
      return;
    }
    for (const toml::node& each : *list) fabric(*each.as_table());
  }

  void fabric(const toml::table& table) {
    known(table, "fabric.", {"prefix", "gateway"});
    FabricPrefix made;
    const toml::node* prefix = table.get("prefix");
    if (prefix == nullptr || !prefix->is_string()) {
      wrong(table.source(), "fabric.prefix", "it is missing", "prefix = \"10.0.0.0/8\"");
      return;
    }
    const std::string text = *prefix->value<std::string>();
    if (const auto parsed = prefix_of(*prefix, "fabric.prefix", text)) made.prefix = *parsed;
    for (const FabricPrefix& other : out_.policy.fabrics) {
      if (other.prefix != made.prefix) continue;
      wrong(prefix->source(), "fabric.prefix", made.prefix.str() + " is told twice",
            "one [[fabric]] for each prefix");
    }
    if (const toml::node* gateway = table.get("gateway")) gateways(*gateway, made);
    out_.policy.fabrics.push_back(std::move(made));
  }

  void gateways(const toml::node& node, FabricPrefix& made) {
    each_text(node, "fabric.gateway", [&](const toml::node& at, const std::string& text) {
      const auto ip = Ip::parse(text);
      const bool place = text == "main" || text == "first" || text == "last";
      if (place && node.is_array()) {
        wrong(at, "fabric.gateway", "a list holds addresses; such a word stands alone");
      } else if (ip && ip->family() == made.prefix.family()) {
        made.at = GatewayAt::address;
        made.gateways.push_back(*ip);
      } else if (place) {
        made.at = text == "main"    ? GatewayAt::main
                  : text == "first" ? GatewayAt::first
                                    : GatewayAt::last;
      } else {
        wrong(at, "fabric.gateway",
              "\"main\" (as main's routes say), \"first\" or \"last\" (host address of the NIC's "
              "subnet), or addresses of the prefix's family");
      }
    });
  }

  void gates(const toml::table& table) {
    known(table, "gates.", {"may_change"});
    const toml::node* node = table.get("may_change");
    if (node == nullptr) return;
    std::vector<Conf> allowed;
    each_text(*node, "gates.may_change", [&](const toml::node& at, const std::string& text) {
      if (text == info(Conf::arp_ignore).name) {
        allowed.push_back(Conf::arp_ignore);
      } else if (text == info(Conf::arp_filter).name) {
        allowed.push_back(Conf::arp_filter);
      } else {
        wrong(at, "gates.may_change", "\"arp_ignore\" and \"arp_filter\", or [] for none");
      }
    });
    out_.policy.gates = std::move(allowed);
  }

  void apply(const toml::table& table) {
    known(table, "apply.", {"gate"});
    const toml::node* node = table.get("gate");
    if (node == nullptr) return;
    const std::string text = node->value_or(std::string());
    if (text != "probe" && text != "none") {
      wrong(*node, "apply.gate", "\"probe\" or \"none\"");
      return;
    }
    out_.policy.gate = text == "probe" ? CommitGate::probe : CommitGate::none;
  }

  void segments(const toml::node& node) {
    const std::string text = node.value_or(std::string());
    if (text == "flat") {
      out_.policy.segments = SegmentsFrom::flat;
    } else if (text == "rails") {
      out_.policy.segments = SegmentsFrom::rails;
    } else if (text != "auto") {
      wrong(node, "segments", "\"auto\", \"flat\" or \"rails\"");
    }
  }

  PolicyText out_;
  std::optional<Error> wrong_;
};

/// The text with comments in ASCII. The parser (3.3) runs into its own "unreachable" on control
/// characters, and on others than ASCII where it expects a key or a value: those are refused here.
Result<std::string> without_traps(std::string_view text, const std::string& source) {
  std::string out(text);
  std::size_t line = 1;
  char quote = 0;
  bool comment = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (out[i] == '\n') {
      ++line;
      quote = 0;
      comment = false;
    } else if (comment && byte >= 0x80) {
      out[i] = '?';
    } else if ((byte < 0x20 && out[i] != '\t' && out[i] != '\r') || byte == 0x7f ||
               (byte >= 0x80 && quote == 0)) {
      return fail({ErrorKind::parse, 0, fmt::format("read {}: line {}", source, line),
                   byte < 0x80 ? "a control character" : "a character that is not ASCII",
                   "outside of texts in quotes and of comments there is none"});
    } else if (quote != 0) {
      if (quote == '"' && out[i] == '\\' && i + 1 < out.size() && out[i + 1] != '\n') {
        ++i;
      } else if (out[i] == quote) {
        quote = 0;
      }
    } else if (!comment && (out[i] == '"' || out[i] == '\'')) {
      quote = out[i];
    } else if (out[i] == '#') {
      comment = true;
    }
  }
  return out;
}

}  // namespace

Result<PolicyText> policy_from_toml(std::string_view text, const std::string& source) {
  const auto plain = without_traps(text, source);
  if (!plain) return fail(plain.error());
  const toml::parse_result parsed = toml::parse(std::string_view(*plain), source);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(
        {ErrorKind::parse, 0, fmt::format("read {}: line {}", source, error.source().begin.line),
         printable(error.description()), "nothing was done; the file is TOML, see retour.toml(5)"});
  }
  return Reader(source).read(parsed.table());
}

Result<void> check_links(const PolicyText& text, const Snapshot& host) {
  for (const PolicyText::Word& word : text.words) {
    const bool met = std::ranges::any_of(host.links, [&](const Link& link) {
      return !link.loopback() && chosen(word.alone, host, link);
    });
    if (met) continue;
    std::string names;
    for (const Link& link : host.links) {
      if (!link.loopback()) names += (names.empty() ? "" : ", ") + link.name;
    }
    return fail({ErrorKind::usage, 0,
                 fmt::format("read {}: line {}: {}", text.source, word.line, word.key),
                 fmt::format("\"{}\" matches no link of this host", word.value),
                 names.empty() ? "it has none" : "it has " + names});
  }
  return {};
}

}  // namespace retour
