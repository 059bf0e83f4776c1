// SPDX-License-Identifier: Apache-2.0
#include "lab/record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/design.h"
#include "os/durable_file.h"
#include "os/fd.h"

namespace retour {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view schema = "retour.lab/1";
const char* const records = "/run/retour-lab";
/// Says that /etc/netns was not there before the first lab.
const char* const made_etc_netns = "/run/retour-lab/.made-etc-netns";
const char* const etc_netns = "/etc/netns";

fs::path record_of(const std::string& name) { return fs::path(records) / name; }

Result<void> make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    return fail(file_error(fmt::format("make directory {}", path.string()), error.value()));
  return {};
}

/// The common directories come and go with the first and the last lab; a lock on /run keeps two
/// labs from doing so at once and is no trace itself.
Result<Fd> lock() {
  Fd fd(open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || flock(fd.get(), LOCK_EX) != 0) return fail(file_error("lock /run", errno));
  return fd;
}

json to_json(const LabOptions& options) {
  return {{"schema", schema},
          {"name", options.name},
          {"nics", options.nics},
          {"rails", options.rails},
          {"sysctls", options.sysctls},
          {"gates_of_article", options.gates_of_article},
          {"single_nic_peer", options.single_nic_peer},
          {"ipv6", options.ipv6}};
}

Result<void> write_record(const LabOptions& options) {
  const std::string path = record_of(options.name).string();
  const std::string doing = fmt::format("write {}", path);
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid() && errno == EEXIST) {
    return fail({ErrorKind::usage, EEXIST, fmt::format("set up lab {}", options.name),
                 "it is there already", lab_command("down", options.name)});
  }
  if (!fd.valid()) return fail(file_error(doing, errno));
  const std::string text = to_json(options).dump() + "\n";
  if (write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  const int errnum = errno;
  (void)unlink(path.c_str());  // half a record would be taken for a lab
  return fail(file_error(doing, errnum));
}

Result<void> make_etc_iproute2(const std::string& netns) {
  const fs::path own = fs::path(etc_netns) / netns / "iproute2";
  if (auto made = make_directories(own / "rt_tables.d"); !made) return made;
  // `ip netns exec` puts this directory in the place of /etc/iproute2: the other names stay known.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/etc/iproute2", error)) {
    if (!entry.is_regular_file(error)) continue;
    fs::copy_file(entry.path(), own / entry.path().filename(), error);
  }
  return {};
}

Result<void> refuse_foreign(const Lab& lab) {
  const auto taken = [&](const std::string& what) {
    return fail({ErrorKind::usage, EEXIST, fmt::format("set up lab {}", lab.options.name),
                 fmt::format("{} exists and no lab made it", what), "choose another name"});
  };
  std::error_code error;
  for (const std::string& netns : lab_namespaces(lab)) {
    if (netns_exists(netns)) return taken("network namespace " + netns);
    const fs::path directory = fs::path(etc_netns) / netns;
    if (fs::exists(directory, error)) return taken(directory.string());
  }
  return {};
}

/// REQUIRES: locked. Leaves them where another lab, or anybody else, still has something in them.
void remove_common_directories() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(records, error)) {
    if (entry.path() != made_etc_netns) return;
  }
  if (fs::remove(made_etc_netns, error)) (void)rmdir(etc_netns);
  (void)rmdir(records);
}

/// REQUIRES: locked.
Result<void> claim(const Lab& lab) {
  std::error_code error;
  if (!fs::exists(record_of(lab.options.name), error)) {
    if (auto free = refuse_foreign(lab); !free) return free;
  }
  if (auto made = make_directories(records); !made) return made;
  return write_record(lab.options);
}

/// REQUIRES: locked, claimed.
Result<void> make_host_directories(const Lab& lab) {
  std::error_code error;
  if (!fs::exists(etc_netns, error)) std::ofstream{made_etc_netns};
  for (const LabHost& host : lab_hosts(lab)) {
    if (auto made = make_etc_iproute2(host.netns); !made) return made;
  }
  return {};
}

/// REQUIRES: locked.
Result<void> remove_files(const Lab& lab) {
  std::error_code error;
  for (const LabHost& host : lab_hosts(lab)) {
    const fs::path directory = fs::path(etc_netns) / host.netns;
    fs::remove_all(directory, error);
    if (error) return fail(file_error(fmt::format("remove {}", directory.string()), error.value()));
  }
  const fs::path path = record_of(lab.options.name);
  fs::remove(path, error);
  if (error) return fail(file_error(fmt::format("remove {}", path.string()), error.value()));
  remove_common_directories();
  return {};
}

}  // namespace

bool netns_exists(const std::string& netns) {
  std::error_code error;
  return fs::exists(fs::path("/run/netns") / netns, error);
}

Result<void> make_record(const Lab& lab) {
  const auto locked = lock();
  if (!locked) return fail(locked.error());
  if (auto claimed = claim(lab); !claimed) {
    remove_common_directories();
    return claimed;
  }
  auto made = make_host_directories(lab);
  // Why it failed is worth more than that clearing up did.
  if (!made) (void)remove_files(lab);
  return made;
}

Result<std::optional<LabOptions>> read_record(const std::string& name) {
  const fs::path path = record_of(name);
  std::ifstream file(path);
  if (!file) return std::optional<LabOptions>{};
  const auto invalid = [&](std::string why) {
    return fail({ErrorKind::parse, 0, fmt::format("read {}", path.string()), std::move(why),
                 "remove the file and the namespaces by hand (ip netns del)"});
  };
  try {
    const json value = json::parse(file);
    if (value.at("schema") != schema) return invalid("made by another version");
    LabOptions options;
    options.name = name;
    value.at("nics").get_to(options.nics);
    value.at("rails").get_to(options.rails);
    if (options.nics < 1 || options.nics > 64) return invalid("impossible number of NICs");
    value.at("sysctls").get_to(options.sysctls);
    value.at("gates_of_article").get_to(options.gates_of_article);
    value.at("single_nic_peer").get_to(options.single_nic_peer);
    value.at("ipv6").get_to(options.ipv6);
    return options;
  } catch (const json::exception& error) {
    return invalid(error.what());
  }
}

Result<void> remove_record(const Lab& lab) {
  const auto locked = lock();
  if (!locked) return fail(locked.error());
  return remove_files(lab);
}

}  // namespace retour
