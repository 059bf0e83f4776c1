// SPDX-License-Identifier: Apache-2.0
//
// Namespaces, the memory of sysctls and the file of table names, on a real file system.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

#include "kernel_host.h"
#include "os/durable_file.h"
#include "os/journal_file.h"
#include "os/memory_file.h"
#include "os/table_names_file.h"
#include "os/table_names_file_reader.h"
#include "text/journal_json.h"

namespace retour::kernel_test {
namespace {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "rt-kern-XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string slurp(const std::string& path) {
  return read_file(path).value_or(std::nullopt).value_or("");
}
void spill(const std::string& path, const std::string& text) {
  ASSERT_TRUE(write_durably(path, text, 0644).has_value());
}

const std::vector<ConfRecord> some{
    {"enp1s0", {2, 0, 0, 0, 0, 1}, Conf::rp_filter, 1, 2},
    {"we\xffird%\x01", {}, Conf::arp_ignore, 0, 1},
};

TEST(Netns, OpensEntersAndReturns) {
  const KernelHost host;
  const auto before = Netns::current();
  ASSERT_TRUE(before.has_value());
  const auto there = Netns::open(host.name());
  ASSERT_TRUE(there.has_value());
  EXPECT_NE(there->cookie(), before->cookie());
  EXPECT_FALSE(there->initial());
  {
    const auto inside = InsideNetns::enter(*there);
    ASSERT_TRUE(inside.has_value());
    EXPECT_EQ(Netns::current()->cookie(), there->cookie());
  }
  EXPECT_EQ(Netns::current()->cookie(), before->cookie());
}

TEST(Netns, SaysWhatIsWrong) {
  const auto missing = Netns::open("rt-kern-no-such");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_NE(missing.error().hint.find("ip netns list"), std::string::npos);
  for (const char* name : {"", ".", "..", "../../etc/passwd"}) {
    EXPECT_EQ(Netns::open(name).error().kind, ErrorKind::usage);
  }
}

TEST(MemoryFile, RemembersAndForgets) {
  const TemporaryDirectory root;
  const std::string base = root / "retour";
  MemoryFile memory(base, "101a");
  EXPECT_EQ(memory.load()->size(), 0U);
  ASSERT_TRUE(memory.store(some).has_value());
  EXPECT_EQ(*memory.load(), some);
  struct stat found {};
  ASSERT_EQ(stat((base + "/101a").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0700U);
  EXPECT_FALSE(fs::exists(base + "/101a/conf.json.new"));
  ASSERT_TRUE(memory.store({}).has_value());
  EXPECT_FALSE(fs::exists(base));
  EXPECT_EQ(memory.load()->size(), 0U);
  EXPECT_TRUE(memory.store({}).has_value());
}

TEST(MemoryFile, LeavesWhatOthersKeepThere) {
  const TemporaryDirectory root;
  MemoryFile one(root / "retour", "1");
  MemoryFile two(root / "retour", "2");
  ASSERT_TRUE(one.store(some).has_value() && two.store(some).has_value());
  ASSERT_TRUE(one.store({}).has_value());
  EXPECT_EQ(*two.load(), some);
}

TEST(MemoryFile, CorruptIsNeverNothing) {
  const TemporaryDirectory root;
  MemoryFile memory(root / "retour", "1");
  ASSERT_TRUE(memory.store(some).has_value());
  const std::string path = root / "retour/1/conf.json";
  const std::string good = slurp(path);
  for (std::size_t cut = 0; cut + 2 < good.size(); cut += 7) {
    spill(path, good.substr(0, cut));
    const auto loaded = memory.load();
    ASSERT_FALSE(loaded.has_value()) << cut;
    EXPECT_NE(loaded.error().message().find(path), std::string::npos);
    EXPECT_FALSE(loaded.error().hint.empty());
  }
  for (
      const char* text :
      {"[]", "{}", R"({"schema":"retour.memory/2","records":[]})",
       R"({"schema":"retour.memory/1"})", R"({"schema":"retour.memory/1","records":[1]})",
       R"({"schema":"retour.memory/1","records":[{"link":"a","mac":"02:","conf":"rp_filter","original":0,"ours":1}]})",
       R"({"schema":"retour.memory/1","records":[{"link":"a","mac":"","conf":"nonsense","original":0,"ours":1}]})",
       R"({"schema":"retour.memory/1","records":[{"link":"a","mac":"","conf":"rp_filter","original":99999999999,"ours":1}]})"}) {
    spill(path, text);
    EXPECT_FALSE(memory.load().has_value()) << text;
  }
}

JournalFile journal_in(const std::string& base) {
  return {base, "1", {[](const JournalEntry& entry) { return to_json(entry); }, journal_from_json}};
}

TEST(JournalFile, KeepsOneEntryUntilItIsCleared) {
  const TemporaryDirectory root;
  const std::string base = root / "retour";
  JournalFile journal = journal_in(base);
  EXPECT_FALSE(journal.load()->has_value());
  JournalEntry entry;
  entry.id = 7;
  ASSERT_TRUE(journal.store(entry));
  entry.phase = JournalEntry::Phase::awaiting;
  ASSERT_TRUE(journal.store(entry));
  const auto found = journal_in(base).load();
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, 7U);
  EXPECT_EQ((*found)->phase, JournalEntry::Phase::awaiting);
  spill(base + "/1/journal.json.new", "cut o");
  ASSERT_TRUE(journal.clear());
  EXPECT_FALSE(fs::exists(base));
  EXPECT_FALSE(journal.load()->has_value());
  EXPECT_TRUE(journal.clear());
}

TEST(JournalFile, SharesItsDirectoryWithTheMemory) {
  const TemporaryDirectory root;
  const std::string base = root / "retour";
  MemoryFile memory(base, "1");
  JournalFile journal = journal_in(base);
  ASSERT_TRUE(memory.store(some) && journal.store({}));
  ASSERT_TRUE(memory.store({}));
  EXPECT_TRUE(journal.load()->has_value());
  ASSERT_TRUE(memory.store(some) && journal.clear());
  EXPECT_EQ(*memory.load(), some);
}

TEST(JournalFile, OfAnotherBootItIsNothingAndCorruptItIsAnError) {
  const TemporaryDirectory root;
  const std::string base = root / "retour";
  JournalFile journal = journal_in(base);
  ASSERT_TRUE(journal.store({}));
  const std::string path = base + "/1/journal.json";
  const std::string good = slurp(path);
  const auto end_of_boot = good.find('\n') + 1;
  spill(path, "// boot 00000000-0000-0000-0000-000000000000\n" + good.substr(end_of_boot));
  const auto other = journal.load();
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->has_value());
  for (const std::string& text :
       {std::string(), std::string("x"), good.substr(0, 20), good.substr(0, end_of_boot),
        good.substr(0, good.size() / 2), good.substr(end_of_boot)}) {
    spill(path, text);
    const auto loaded = journal.load();
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().message().find(path), std::string::npos);
    EXPECT_NE(loaded.error().hint.find("protocol 213"), std::string::npos);
  }
}

TEST(MemoryFile, ReadOnlyPlaceIsAnError) {
  // Root writes to a directory without write permission; a read-only mount stops root too.
  const TemporaryDirectory root;
  const std::string base = root / "retour";
  const pid_t child = fork();
  if (child == 0) {
    MemoryFile memory(base, "1");
    TableNamesFile names({base, "retour"});
    const std::array<PlannedTable, 1> tables{PlannedTable{TableId{200}, "rt-a", IfIndex{2}}};
    fs::create_directory(base);
    const bool ready =
        unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount(base.c_str(), base.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
        mount("", base.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
    const auto stored = memory.store(some);
    const auto written = names.write(tables);
    _exit(ready && !stored && stored.error().errnum == EROFS && !stored.error().hint.empty() &&
                  !written && written.error().errnum == EROFS
              ? 0
              : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

const std::vector<PlannedTable> tables{{TableId{200}, "rt-enp1s0", IfIndex{2}},
                                       {TableId{70000}, "rt-enp2s0", IfIndex{3}}};

TEST(TableNamesFile, MakesAndRemovesExactlyWhatItMade) {
  const TemporaryDirectory root;
  TableNamesFile fresh({root / "iproute2", "retour"});
  ASSERT_TRUE(fresh.write(tables).has_value());
  const std::string path = root / "iproute2/rt_tables.d/retour.conf";
  EXPECT_EQ(slurp(path),
            "# made by retour; removed by retour undo\n# created: . rt_tables.d\n"
            "200 rt-enp1s0\n70000 rt-enp2s0\n");
  struct stat before {};
  struct stat after {};
  stat(path.c_str(), &before);
  ASSERT_TRUE(fresh.write(tables).has_value());
  stat(path.c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);  // the same content is not written again
  ASSERT_EQ(fresh.load()->size(), 2U);
  EXPECT_EQ(fresh.load()->back().id, TableId{70000});
  EXPECT_EQ(fresh.load()->back().name, "rt-enp2s0");
  ASSERT_TRUE(fresh.write(std::span(tables).first(1)).has_value());
  EXPECT_NE(slurp(path).find("# created: . rt_tables.d"), std::string::npos);
  ASSERT_TRUE(fresh.write({}).has_value());
  EXPECT_FALSE(fs::exists(root / "iproute2"));
  EXPECT_TRUE(fresh.write({}).has_value());

  fs::create_directories(root / "iproute2/rt_tables.d");
  ASSERT_TRUE(fresh.write(tables).has_value());
  ASSERT_TRUE(fresh.write({}).has_value());
  EXPECT_TRUE(fs::is_directory(root / "iproute2/rt_tables.d"));
}

TEST(TableNamesFile, TouchesNoOneElsesFile) {
  const TemporaryDirectory root;
  fs::create_directories(root / "iproute2/rt_tables.d");
  const std::string path = root / "iproute2/rt_tables.d/retour.conf";
  spill(path, "200 mine\n");
  TableNamesFile names({root / "iproute2", "retour"});
  EXPECT_FALSE(names.write(tables).has_value());
  EXPECT_FALSE(names.write({}).has_value());
  EXPECT_EQ(slurp(path), "200 mine\n");
}

TEST(TableNamesFile, PlaceByNamespace) {
  const TemporaryDirectory etc;
  const KernelHost host;
  const auto netns = Netns::open(host.name());
  ASSERT_TRUE(netns.has_value());
  const std::string directory = etc / "iproute2";
  const auto shared = table_names_place(*netns, host.name(), etc / "");
  EXPECT_EQ(fs::path(shared.directory).lexically_normal(), fs::path(directory));
  EXPECT_EQ(shared.stem, "retour-" + MemoryFile::key_of(*netns));
  fs::create_directories(etc / ("netns/" + host.name() + "/iproute2"));
  const auto own = table_names_place(*netns, host.name(), etc / "");
  EXPECT_EQ(own.stem, "retour");
  EXPECT_NE(own.directory.find(host.name()), std::string::npos);
}

TEST(TableNamesReader, Iproute2Precedence) {
  const TemporaryDirectory root;
  for (const char* place : {"etc", "usr", "lib"}) {
    fs::create_directories(root / place + "/rt_tables.d");
  }
  TableNamesReader reader(root / "etc", {root / "usr", root / "lib"});
  EXPECT_EQ(reader.read().names.at(table_main), "main");
  spill(root / "usr/rt_tables", "100 of-usr\n");
  EXPECT_EQ(reader.read().names.at(TableId{100}), "of-usr");
  spill(root / "etc/rt_tables",
        "0x65 hex # comment\n\n# 1 no\n200 first\nbad line\n102\n103 good\n");
  const TableNamesRead& read = reader.read();
  EXPECT_EQ(read.names.count(TableId{100}), 0U);  // /etc hides the other one
  EXPECT_EQ(read.names.at(TableId{101}), "hex");
  EXPECT_EQ(read.names.at(TableId{103}), "good");
  EXPECT_EQ(read.notes.size(), 2U);
  spill(root / "usr/rt_tables.d/a.conf", "200 usr-a\n");
  spill(root / "usr/rt_tables.d/b.conf", "201 usr-b\n");
  spill(root / "etc/rt_tables.d/b.conf", "202 etc-b\n");
  spill(root / "etc/rt_tables.d/notes.txt", "203 no\n");
  EXPECT_EQ(reader.read().names.at(TableId{200}), "usr-a");
  EXPECT_EQ(reader.read().names.count(TableId{201}), 0U);
  EXPECT_EQ(reader.read().names.at(TableId{202}), "etc-b");
  EXPECT_EQ(reader.read().names.count(TableId{203}), 0U);
  spill(root / "etc/rt_tables.d/b.conf", "202 edited\n");
  EXPECT_EQ(reader.read().names.at(TableId{202}), "edited");
}

}  // namespace
}  // namespace retour::kernel_test
