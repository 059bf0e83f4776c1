// SPDX-License-Identifier: Apache-2.0
#include "app/persist.h"

#include <fmt/format.h>

#include <filesystem>

#include "os/managers.h"
#include "text/boot_unit.h"

namespace retour {

namespace {

namespace fs = std::filesystem;

Result<void> check_place(const Options& options, const std::string& root) {
  if (!options.netns.empty()) {
    return fail({ErrorKind::usage, 0, "--persist and --netns",
                 "a namespace is gone after a boot, and the unit is for the machine itself",
                 "without --netns it is this machine; whoever makes the namespace can run retour "
                 "apply --runtime --netns there"});
  }
  std::error_code failed;
  if (root.empty() && !fs::is_directory("/run/systemd/system", failed)) {
    return fail({ErrorKind::not_found, 0, "apply --persist",
                 "systemd did not start this machine (/run/systemd/system is missing)",
                 "nothing was changed; let what starts it run retour apply --runtime, or see "
                 "retour export ifupdown"});
  }
  return {};
}

Result<std::string> this_program() {
  std::error_code failed;
  const fs::path path = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) return path.string();
  return fail({ErrorKind::system, failed.value(), "read /proc/self/exe", failed.message(),
               "nothing was changed"});
}

std::vector<std::string> arguments_of(const Options& options) {
  // At boot nobody has answered yet who could be asked again.
  std::vector<std::string> arguments{"apply", "--runtime", "--gate", "none"};
  for (const std::string& peer : options.peers) {
    arguments.insert(arguments.end(), {"--peer", peer});
  }
  if (!options.policy.empty()) {
    std::error_code failed;
    arguments.insert(arguments.end(), {"--policy", fs::absolute(options.policy, failed).string()});
  }
  if (!options.segments.empty()) {
    arguments.insert(arguments.end(), {"--segments", options.segments});
  }
  for (const std::string& prefix : options.protect) {
    arguments.insert(arguments.end(), {"--protect", prefix});
  }
  if (options.move_established) arguments.emplace_back("--move-established");
  return arguments;
}

/// The drop-ins of those that would take ours away; notes what is to be done or cannot be.
void add_drop_ins(const std::string& root, std::vector<NativeFile>& files,
                  std::vector<std::string>& notes) {
  ManagerTraces traces = look_for_managers(root);
  for (const Configurator& manager : managers(traces, Snapshot{})) {
    if (!manager.drop_in) continue;
    files.push_back(*manager.drop_in);
    traces.networkd.push_back({manager.drop_in->path, manager.drop_in->text});
    const NetworkdConf then = read_networkd_conf(traces.networkd);
    const std::string& over = then.rules.value ? then.rules.from : then.routes.from;
    if (then.rules.value || then.routes.value) {
      notes.push_back(
          fmt::format("{} says otherwise than {}, and comes after it: {} will still "
                      "delete what it did not make",
                      over, manager.drop_in->path, manager.name));
    } else {
      notes.push_back(fmt::format("{} goes by {} from its next start on: {}", manager.name,
                                  manager.drop_in->path, manager.then));
    }
  }
}

std::vector<NativeFile> all_files() {
  std::vector<NativeFile> files = boot_unit("", {});
  files.push_back({networkd_drop_in_path, 0644, ""});
  return files;
}

}  // namespace

Result<Persistence> Persistence::prepare(const Options& options, const std::string& root) {
  if (auto fine = check_place(options, root); !fine) return fail(std::move(fine.error()));
  const auto program = this_program();
  if (!program) return fail(program.error());
  std::vector<NativeFile> files = boot_unit(*program, arguments_of(options));
  std::vector<std::string> notes;
  add_drop_ins(root, files, notes);
  auto tree = FileTree::stage(root, files);
  if (!tree) {
    Error error = std::move(tree.error());
    error.hint += std::string(error.hint.empty() ? "" : "; ") + "nothing was changed";
    return fail(std::move(error));
  }
  Persistence out(std::move(*tree));
  for (const NativeFile& file : files) out.paths_.push_back(root + file.path);
  out.notes_ = std::move(notes);
  return out;
}

Result<std::vector<std::string>> Persistence::finish() {
  if (auto done = tree_.commit(); !done) return fail(std::move(done.error()));
  return paths_;
}

bool is_persisted(const std::string& root) { return all_made_by_retour(root, boot_unit("", {})); }

Result<std::size_t> remove_persistence(const std::string& root, std::vector<std::string>& left) {
  const std::vector<NativeFile> files = all_files();
  auto gone = remove_made_by_retour(root, files, left);
  std::error_code others_use_it;
  for (const NativeFile& file : files) {
    if (gone && *gone > 0) fs::remove(fs::path(root + file.path).parent_path(), others_use_it);
  }
  return gone;
}

}  // namespace retour
