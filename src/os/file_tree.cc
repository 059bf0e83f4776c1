// SPDX-License-Identifier: Apache-2.0
#include "os/file_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "os/durable_file.h"

namespace retour {

namespace {

std::string below(const std::string& root, const std::string& path) {
  std::string at = root;
  while (at.ends_with('/')) at.pop_back();
  return at + path;
}

Result<void> make_parents(const std::string& path, std::vector<std::string>& made) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    struct stat found {};
    // A directory that is there is good enough, on a read-only file system above all.
    if (stat(directory.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) continue;
    const auto is_new = make_directory(directory, 0755);
    if (!is_new) return fail(is_new.error());
    if (*is_new) made.push_back(directory);
  }
  return {};
}

enum class Present { none, ours, others };

Result<Present> look_at(const std::string& path, const NativeFile& file) {
  if (file.mode == symbolic_link) {
    std::array<char, 4096> target{};
    const ssize_t size = readlink(path.c_str(), target.data(), target.size());
    if (size < 0 && (errno == ENOENT || errno == ENOTDIR)) return Present::none;
    const std::string_view leads(target.data(),
                                 static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return leads == file.text ? Present::ours : Present::others;
  }
  const auto present = read_file(path);
  if (!present && present.error().kind == ErrorKind::not_found) return Present::none;
  if (!present) return fail(present.error());
  if (!*present) return Present::none;
  return is_made_by_retour(**present) ? Present::ours : Present::others;
}

Result<void> check_ours(const std::string& path, const NativeFile& file) {
  const auto present = look_at(path, file);
  if (!present) return fail(present.error());
  if (*present != Present::others) return {};
  return fail({ErrorKind::contradiction, EEXIST, fmt::format("write {}", path),
               "the file is there and not of retour's making", "move it away if it may go"});
}

Result<void> write_fresh(const std::string& fresh, const NativeFile& file) {
  if (file.mode != symbolic_link) {
    return write_durably(fresh, file.text, static_cast<mode_t>(file.mode));
  }
  unlink(fresh.c_str());
  if (symlink(file.text.c_str(), fresh.c_str()) == 0) return {};
  return fail(file_error("", errno));
}

}  // namespace

Result<FileTree> FileTree::stage(const std::string& root, std::span<const NativeFile> files) {
  FileTree tree;
  for (const NativeFile& file : files) {
    if (auto ours = check_ours(below(root, file.path), file); !ours) return fail(ours.error());
  }
  for (const NativeFile& file : files) {
    const std::string path = below(root, file.path);
    if (auto parents = make_parents(path, tree.made_); !parents) return fail(parents.error());
    const std::string directory = path.substr(0, path.rfind('/'));
    const std::string fresh = path + ".retour";
    if (auto written = write_fresh(fresh, file); !written) {
      Error error = written.error();
      error.doing = fmt::format("write {}", path);
      return fail(std::move(error));
    }
    tree.staged_.push_back({fresh, path, directory});
  }
  return tree;
}

FileTree::~FileTree() {
  for (const Staged& each : staged_) unlink(each.fresh.c_str());
  for (; !made_.empty(); made_.pop_back()) rmdir(made_.back().c_str());
}

Result<void> FileTree::commit() {
  while (!staged_.empty()) {
    const Staged& each = staged_.back();
    if (std::rename(each.fresh.c_str(), each.path.c_str()) != 0) {
      return fail(file_error(fmt::format("write {}", each.path), errno));
    }
    if (auto synced = sync_directory(each.directory); !synced) return synced;
    staged_.pop_back();
  }
  for (const std::string& directory : made_) {
    if (auto synced = sync_directory(directory.substr(0, directory.rfind('/'))); !synced) {
      return synced;
    }
  }
  made_.clear();
  return {};
}

Result<std::size_t> remove_made_by_retour(const std::string& root,
                                          std::span<const NativeFile> files,
                                          std::vector<std::string>& left) {
  std::size_t gone = 0;
  for (const NativeFile& file : files) {
    const std::string path = below(root, file.path);
    unlink((path + ".retour").c_str());
    const auto present = look_at(path, file);
    if (!present) return fail(present.error());
    if (*present == Present::others) {
      left.push_back(fmt::format("{} is not of retour's making", path));
    } else if (*present == Present::ours) {
      if (auto removed = remove_durably(path); !removed) return fail(removed.error());
      ++gone;
    }
  }
  return gone;
}

bool all_made_by_retour(const std::string& root, std::span<const NativeFile> files) {
  return std::ranges::all_of(files, [&](const NativeFile& file) {
    const auto present = look_at(below(root, file.path), file);
    return present && *present == Present::ours;
  });
}

}  // namespace retour
