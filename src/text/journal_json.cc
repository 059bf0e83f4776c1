// SPDX-License-Identifier: Apache-2.0
#include "text/journal_json.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/overloaded.h"
#include "text/import_words.h"
#include "text/printable.h"
#include "text/snapshot_json.h"
#include "text/snapshot_reader.h"

namespace retour {
namespace {

using Json = nlohmann::ordered_json;
using Kind = JsonValue::Kind;

constexpr std::string_view applying = "applying";
constexpr std::string_view awaiting = "awaiting";

/// Rules and routes go to `objects`; a change names its one by the place it has there.
Json change_json(const Change& change, Snapshot& objects) {
  const auto put = [&](const char* op, const char* key, const auto& object, auto& list) {
    list.push_back(object);
    return Json{{"op", op}, {key, list.size() - 1}, {"why", escape(change.why)}};
  };
  return std::visit(
      Overloaded{
          [&](const AddRoute& c) { return put("add-route", "route", c.route, objects.routes); },
          [&](const DeleteRoute& c) {
            return put("delete-route", "route", c.route, objects.routes);
          },
          [&](const AddRule& c) { return put("add-rule", "rule", c.rule, objects.rules); },
          [&](const DeleteRule& c) { return put("delete-rule", "rule", c.rule, objects.rules); },
          [&](const SetConf& c) {
            return Json{{"op", "set-conf"},
                        {"index", c.link.value},
                        {"link", escape(c.link_name)},
                        {"conf", std::string(info(c.conf).name)},
                        {"before", c.before},
                        {"after", c.after},
                        {"why", escape(change.why)}};
          },
      },
      change.operation);
}

class Reader {
 public:
  Reader(const JsonValue& root, std::string_view file) : root_(root), file_(file) {
    problem_.file = file;
  }
  Result<JournalEntry> read();

 private:
  Change change(JsonObject& in);
  ConfRecord record(JsonObject& in);
  void tables(JsonObject& document);
  std::int32_t value(JsonObject& in, std::string_view key);
  Conf conf(JsonObject& in);
  std::uint64_t id(JsonObject& document);

  /// The object a change stands for.
  template <class T>
  T object(JsonObject& in, std::string_view key, const std::vector<T>& list) {
    std::uint32_t at = 0;
    const JsonValue* found = in.required(key, "the place of an object");
    in.number(key, at);
    if (at < list.size()) return list[at];
    in.wrong(key, found, "the place of one of `objects`");
    return {};
  }

  const JsonValue& root_;
  std::string_view file_;
  JsonProblem problem_;
  Snapshot objects_;
  JournalEntry out_;
};

std::int32_t Reader::value(JsonObject& in, std::string_view key) {
  constexpr std::string_view expected = "the value of a sysctl";
  const JsonValue* found = in.required(key, expected);
  if (found == nullptr) return 0;
  const std::uint64_t limit = found->negative ? 0x80000000U : 0x7fffffffU;
  if (found->kind != Kind::integer || found->magnitude > limit) {
    in.wrong(key, found, expected);
    return 0;
  }
  const auto magnitude = static_cast<std::int64_t>(found->magnitude);
  return static_cast<std::int32_t>(found->negative ? -magnitude : magnitude);
}

Conf Reader::conf(JsonObject& in) {
  const JsonValue* found = in.required("conf", "the name of a sysctl");
  const auto named = found != nullptr ? conf_by_name(found->text) : std::nullopt;
  if (!named) in.wrong("conf", found, "the name of a sysctl");
  return named.value_or(Conf{});
}

Change Reader::change(JsonObject& in) {
  Change out;
  in.text("why", out.why);
  const JsonValue* op = in.required("op", "what the change does");
  const std::string_view word = op != nullptr ? std::string_view(op->text) : "";
  if (word == "add-route") {
    out.operation = AddRoute{object(in, "route", objects_.routes)};
  } else if (word == "delete-route") {
    out.operation = DeleteRoute{object(in, "route", objects_.routes)};
  } else if (word == "add-rule") {
    out.operation = AddRule{object(in, "rule", objects_.rules)};
  } else if (word == "delete-rule") {
    out.operation = DeleteRule{object(in, "rule", objects_.rules)};
  } else if (word == "set-conf") {
    SetConf set;
    in.required("index", "the index of the link");
    in.number("index", set.link.value);
    in.text("link", set.link_name);
    set.conf = conf(in);
    set.before = value(in, "before");
    set.after = value(in, "after");
    out.operation = std::move(set);
  } else {
    in.wrong("op", op, "a kind of change");
  }
  return out;
}

ConfRecord Reader::record(JsonObject& in) {
  ConfRecord out;
  in.required("link", "the name of the link");
  in.text("link", out.link_name);
  in.mac("mac", out.mac);
  out.conf = conf(in);
  out.original = value(in, "original");
  out.ours = value(in, "ours");
  return out;
}

void Reader::tables(JsonObject& document) {
  const JsonValue* found = document.required("tables_before", "a list of tables, or null");
  if (found == nullptr || found->kind == Kind::null) return;
  auto& list = out_.tables_before.emplace();
  document.each("tables_before", [&](const JsonValue& item, const JsonPath& at) {
    JsonObject in(item, at, problem_);
    PlannedTable& table = list.emplace_back();
    in.required("table", "the number of the table");
    in.number("table", table.id.value);
    in.text("name", table.name);
    in.finish();
  });
}

std::uint64_t Reader::id(JsonObject& document) {
  const JsonValue* found = document.required("id", "16 hexadecimal digits");
  std::uint64_t number = 0;
  if (found == nullptr) return number;
  const char* end = found->text.data() + found->text.size();
  const auto [stop, error] = std::from_chars(found->text.data(), end, number, 16);
  if (error != std::errc{} || stop != end) document.wrong("id", found, "16 hexadecimal digits");
  return number;
}

Result<JournalEntry> Reader::read() {
  const JsonPath top;
  JsonObject document(root_, top, problem_);
  const JsonValue* schema = document.required("schema", journal_schema);
  if (schema != nullptr && schema->text != journal_schema) {
    return fail({ErrorKind::schema, 0, "read " + printable(file_),
                 fmt::format("its schema is \"{}\"",
                             printable(std::string_view(schema->text).substr(0, 60))),
                 fmt::format("this program reads {}", journal_schema)});
  }
  out_.id = id(document);
  const JsonValue* phase = document.required("phase", "applying or awaiting");
  if (phase != nullptr && phase->text != applying && phase->text != awaiting) {
    document.wrong("phase", phase, "applying or awaiting");
  }
  if (phase != nullptr && phase->text == awaiting) out_.phase = JournalEntry::Phase::awaiting;
  std::uint64_t deadline = 0;
  document.required("deadline_ns", "nanoseconds since the machine started");
  document.number("deadline_ns", deadline);
  out_.deadline = std::chrono::nanoseconds(deadline & 0x7fffffffffffffffU);
  if (const JsonValue* objects = document.required("objects", "a snapshot")) {
    auto read = snapshot_from_value(*objects, file_);
    if (!read) return fail(std::move(read.error()));
    objects_ = std::move(*read);
  }
  document.required("changes", "a list of changes");
  document.each("changes", [&](const JsonValue& item, const JsonPath& at) {
    JsonObject in(item, at, problem_);
    out_.changes.push_back(change(in));
    in.finish();
  });
  document.required("records_before", "a list of sysctls");
  document.each("records_before", [&](const JsonValue& item, const JsonPath& at) {
    JsonObject in(item, at, problem_);
    out_.records_before.push_back(record(in));
    in.finish();
  });
  tables(document);
  document.finish();
  if (problem_.error) return fail(std::move(*problem_.error));
  return std::move(out_);
}

}  // namespace

std::string to_json(const JournalEntry& entry) {
  const bool waits = entry.phase == JournalEntry::Phase::awaiting;
  Json out{{"schema", std::string(journal_schema)},
           {"id", fmt::format("{:016x}", entry.id)},
           {"phase", std::string(waits ? awaiting : applying)},
           {"deadline_ns", entry.deadline.count()}};
  Snapshot objects;
  Json changes = Json::array();
  for (const Change& change : entry.changes) changes.push_back(change_json(change, objects));
  out["changes"] = std::move(changes);
  Json records = Json::array();
  for (const ConfRecord& record : entry.records_before) {
    Json each{{"link", escape(record.link_name)}};
    if (!record.mac.empty()) each["mac"] = mac_text(record.mac);
    each["conf"] = std::string(info(record.conf).name);
    each["original"] = record.original;
    each["ours"] = record.ours;
    records.push_back(std::move(each));
  }
  out["records_before"] = std::move(records);
  Json tables;
  if (entry.tables_before) {
    tables = Json::array();
    for (const PlannedTable& table : *entry.tables_before) {
      tables.push_back({{"table", table.id.value}, {"name", escape(table.name)}});
    }
  }
  out["tables_before"] = std::move(tables);
  // The snapshot's writer writes text: it goes in as it is.
  std::string text = out.dump(1);
  text.resize(text.rfind('\n'));
  return text + ",\n \"objects\": " + to_json(objects) + "}\n";
}

Result<JournalEntry> journal_from_json(std::string_view text, std::string_view file) {
  const auto root = read_json(text, file, RepeatedKeys::reject);
  if (!root) return fail(root.error());
  return Reader(*root, file).read();
}

}  // namespace retour
